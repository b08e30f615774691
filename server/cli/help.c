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
    size_t count;
    const struct command *table = commands(&count);
    const char *group = "";
    (void)fputs("Usage: mycel COMMAND [OPTION...]\n"
                "Federated learning for fleets of small devices.\n",
                out);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(group, table[i].group) != 0) {
            group = table[i].group;
            (void)fprintf(out, "\n%s:\n", group);
        }
        (void)fprintf(out, "  %-*s %s\n", NAME_COLUMN, table[i].name, table[i].summary);
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
    size_t count;
    const struct command *table = commands(&count);
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        if (has_noun(&table[i], noun)) {
            if (!found) {
                (void)fprintf(out, "Usage: mycel %s COMMAND [OPTION...]\n\n%s:\n", noun,
                              table[i].group);
            }
            found = true;
            (void)fprintf(out, "  %-*s %s\n", NAME_COLUMN, table[i].name, table[i].summary);
        }
    }
    return found;
}

/* Compares what was typed with whole names and, for a single word, with the names' first words. */
void help_unknown(const char *const *words, size_t count)
{
    size_t commands_count;
    const struct command *table = commands(&commands_count);
    char nouns[COMMANDS_MAX][SUGGEST_WORD_MAX];
    char typed[2u * SUGGEST_WORD_MAX];
    struct suggest near = {0};
    snprintf(typed, sizeof typed, "%.40s%s%.40s", words[0], count > 1u ? " " : "",
             count > 1u ? words[1] : "");
    for (size_t i = 0; i < commands_count; i++) {
        bool one_word = strchr(table[i].name, ' ') == NULL;
        snprintf(nouns[i], sizeof nouns[i], "%.*s", (int)strcspn(table[i].name, " "),
                 table[i].name);
        suggest_consider(&near, typed, table[i].name);
        if (one_word || count == 1u) {
            suggest_consider(&near, words[0], nouns[i]);
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
