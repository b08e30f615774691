/* Prints help from the table of commands. Knows no command by name. */
#include "server/cli/help.h"

#include <string.h>

#include "server/cli/args.h"
#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "server/cli/suggest.h"

#define NAME_COLUMN 16

static bool has_noun(const struct command *c, const char *noun)
{
    size_t bytes = strlen(noun);
    return strncmp(c->name, noun, bytes) == 0 && c->name[bytes] == ' ';
}

void help_general(FILE *out)
{
    const struct command *c;
    const char *group = "";
    (void)fputs("Usage: mycel COMMAND [OPTION...]\n"
                "Federated learning for fleets of small devices.\n",
                out);
    for (size_t i = 0; (c = command_at(i)) != NULL; i++) {
        if (strcmp(group, c->group) != 0) {
            group = c->group;
            (void)fprintf(out, "\n%s:\n", group);
        }
        (void)fprintf(out, "  %-*s %s\n", NAME_COLUMN, c->name, c->summary);
    }
    size_t exit_count;
    const struct exit_row *exits = exit_rows(&exit_count);
    (void)fputs("\nExit codes:\n", out);
    for (size_t i = 0; i < exit_count; i++) {
        (void)fprintf(out, "  %-*d %s\n", NAME_COLUMN, exits[i].code, exits[i].text);
    }
    (void)fputs("\nStart with 'mycel demo'. 'mycel COMMAND --help' says more about a command.\n",
                out);
}

bool help_noun(const char *noun, FILE *out)
{
    const struct command *c;
    bool found = false;
    for (size_t i = 0; (c = command_at(i)) != NULL; i++) {
        if (has_noun(c, noun)) {
            if (!found) {
                (void)fprintf(out, "Usage: mycel %s COMMAND [OPTION...]\n\n%s:\n", noun, c->group);
            }
            found = true;
            (void)fprintf(out, "  %-*s %s\n", NAME_COLUMN, c->name, c->summary);
        }
    }
    return found;
}

/* Compares what was typed with whole names and, for a single word, with the names' first words. */
void help_unknown(const char *const *words, size_t count)
{
    const struct command *c;
    char noun[SUGGEST_WORD_MAX];
    char best_noun[SUGGEST_WORD_MAX];
    char typed[2u * SUGGEST_WORD_MAX];
    struct suggest near = {0};
    snprintf(typed, sizeof typed, "%.40s%s%.40s", words[0], count > 1u ? " " : "",
             count > 1u ? words[1] : "");
    for (size_t i = 0; (c = command_at(i)) != NULL; i++) {
        suggest_consider(&near, typed, c->name);
        if (strchr(c->name, ' ') == NULL || count == 1u) {
            snprintf(noun, sizeof noun, "%.*s", (int)strcspn(c->name, " "), c->name);
            suggest_consider(&near, words[0], noun);
        }
        if (near.best == noun) {
            memcpy(best_noun, noun, sizeof noun);
            near.best = best_noun;
        }
    }
    say_error("there is no command '%s'%s%s%s", typed, near.best ? "; did you mean '" : "",
              near.best ? near.best : "; 'mycel help' lists them", near.best ? "'?" : "");
}

int help_run(const struct invocation *call)
{
    size_t used;
    if (call->words_count == 0) {
        help_general(stdout);
        return EXIT_CODE_OK;
    }
    const struct command *command = command_find(call->words, call->words_count, &used);
    if (command != NULL && used == call->words_count) {
        args_help(command);
        return EXIT_CODE_OK;
    }
    if (call->words_count == 1u && help_noun(call->words[0], stdout)) {
        return EXIT_CODE_OK;
    }
    help_unknown(call->words, call->words_count);
    return EXIT_CODE_USAGE;
}
