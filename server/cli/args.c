/* Translates a command's settings to argp and collects what argp finds. */
#include "server/cli/args.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mycel/error.h>

#include "common/assert.h"
#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "server/cli/suggest.h"

/* Two headings, --config, the hidden -h, and the end mark come on top of the settings. */
#define ROWS_MAX (CONFIG_KEYS_MAX + COMMAND_SETTINGS_MAX + 5u)
#define DOC_BYTES_MAX 320u
#define KEY_CONFIG_FILE 0x1000
#define KEY_CONFIG 0x2000
#define KEY_OPTION 0x3000
#define KEY_MASK 0x0FFF

/* argp wants options, their texts and its own struct alive together. */
struct grammar {
    const struct command *command;
    struct args *args;
    struct argp_option rows[ROWS_MAX];
    int keys[ROWS_MAX]; /* KEY_* of each row; argp's own key may be a letter */
    char docs[ROWS_MAX][DOC_BYTES_MAX];
    size_t count;
    char name[CONFIG_NAME_BYTES_MAX];
    char text[4096];
};

static void add_row(struct grammar *g, int key, const struct setting *s, const char *variable)
{
    MYCEL_ASSERT(g->count + 1u < ROWS_MAX);
    size_t i = g->count++;
    bool shown = s->fallback != NULL && s->type != SETTING_SWITCH && s->fallback[0] != '\0';
    snprintf(g->docs[i], DOC_BYTES_MAX, "%s%s%s%s%s%s%s", s->help, shown ? " (default " : "",
             shown ? s->fallback : "", shown ? ")" : "", variable ? " [" : "",
             variable ? variable : "", variable ? "]" : "");
    g->keys[i] = key;
    g->rows[i] = (struct argp_option){.name = s->name,
                                      .key = s->letter ? s->letter : key,
                                      .arg = s->argument,
                                      .doc = g->docs[i],
                                      .group = key >= KEY_OPTION ? 1 : 2};
}

static void add_heading(struct grammar *g, const char *text, int group)
{
    g->rows[g->count++] = (struct argp_option){.doc = text, .group = group};
}

static void add_options(struct grammar *g)
{
    const struct setting_list *list = g->command->settings;
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        MYCEL_ASSERT(i < COMMAND_SETTINGS_MAX);
        add_row(g, KEY_OPTION + (int)i, &list->rows[i], NULL);
    }
}

static void add_config(struct grammar *g)
{
    static const struct setting file = {.name = "config",
                                        .argument = "FILE",
                                        .type = SETTING_TEXT,
                                        .help = "Configuration file; none: read none"};
    if (g->command->config == 0) {
        return;
    }
    add_heading(g, "Configuration, also by [environment] or file:", 2);
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++) {
        char variable[CONFIG_NAME_BYTES_MAX];
        if ((g->command->config & keys[i].group) != 0) {
            add_row(g, KEY_CONFIG + (int)i, &keys[i].setting, config_variable(&keys[i], variable));
        }
    }
    add_row(g, KEY_CONFIG_FILE, &file, "MYCEL_CONFIG");
}

static int find_row(const struct grammar *g, int argp_key)
{
    for (size_t i = 0; i < g->count; i++) {
        if (g->rows[i].key == argp_key && g->keys[i] != 0) {
            return (int)i;
        }
    }
    return -1;
}

static error_t take_word(struct grammar *g, char *word, struct argp_state *state)
{
    if (g->args->words_count >= g->command->words_max) {
        argp_error(state, "'%s' is one argument too many", word);
        return EINVAL;
    }
    g->args->words[g->args->words_count++] = word;
    return 0;
}

/* A flag that may be given again and again keeps all its values. */
static error_t add_text(struct grammar *g, size_t index, const char *value,
                        struct argp_state *state)
{
    const struct setting *s = &g->command->settings->rows[index];
    struct setting_texts *texts = &g->args->option_texts[index];
    if (s->type != SETTING_TEXTS) {
        return 0;
    }
    if (texts->count == SETTING_TEXTS_MAX) {
        argp_error(state, "--%s may be given %u times at most", s->name, SETTING_TEXTS_MAX);
        return EINVAL;
    }
    texts->text[texts->count++] = value;
    return 0;
}

static error_t on_key(int key, char *text, struct argp_state *state)
{
    struct grammar *g = state->input;
    switch (key) {
    case 'h':
        argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
        return 0;
    case ARGP_KEY_ARG:
        return take_word(g, text, state);
    case ARGP_KEY_END:
        if (g->args->words_count < g->command->words_min) {
            argp_error(state, "%s is missing", g->command->arguments);
        }
        return 0;
    default:
        break;
    }
    int row = find_row(g, key);
    if (row < 0) {
        return ARGP_ERR_UNKNOWN;
    }
    const char *value = text ? text : "yes";
    int index = g->keys[row] & KEY_MASK;
    if (g->keys[row] == KEY_CONFIG_FILE) {
        g->args->config_path = value;
    } else if (g->keys[row] >= KEY_OPTION) {
        g->args->option_flags[index] = value;
        return add_text(g, (size_t)index, value, state);
    } else {
        g->args->config_flags[index] = value;
    }
    return 0;
}

static void build(struct grammar *g, const struct command *command, struct args *args,
                  struct argp *argp)
{
    memset(g, 0, sizeof *g);
    g->command = command;
    g->args = args;
    snprintf(g->name, sizeof g->name, "mycel %s", command->name);
    snprintf(g->text, sizeof g->text, "%s.\v%s", command->summary, command->help);
    add_options(g);
    add_config(g);
    g->rows[g->count++] = (struct argp_option){.key = 'h', .flags = OPTION_HIDDEN, .group = -1};
    *argp = (struct argp){.options = g->rows,
                          .parser = on_key,
                          .args_doc = command->arguments[0] ? command->arguments : NULL,
                          .doc = g->text};
}

/* Long flags that argp would not know, before argp says so without a suggestion. */
static int check_names(const struct grammar *g, int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "--", 2) != 0) {
            continue;
        }
        char name[SUGGEST_WORD_MAX + 1u];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(argv[i] + 2, "="), argv[i] + 2);
        bool known =
            strncmp("help", name, strlen(name)) == 0 || strncmp("usage", name, strlen(name)) == 0;
        const char *takes = NULL;
        struct suggest near = {0};
        for (size_t row = 0; row < g->count; row++) {
            const char *candidate = g->rows[row].name;
            if (candidate != NULL) {
                known = known || strncmp(candidate, name, strlen(name)) == 0;
                takes = strcmp(candidate, name) == 0 ? g->rows[row].arg : takes;
                suggest_consider(&near, name, candidate);
            }
        }
        if (!known) {
            say_error("'%s' has no flag --%s%s%s%s", g->name, name,
                      near.best ? "; did you mean --" : "", near.best ? near.best : "",
                      near.best ? "?" : "");
            return MYCEL_E_INVALID;
        }
        i += takes != NULL && strchr(argv[i], '=') == NULL ? 1
                                                           : 0; /* its value may look like a flag */
    }
    return MYCEL_OK;
}

int args_parse(struct args *a, const struct command *command, int argc, char **argv)
{
    struct grammar g;
    struct argp argp;
    memset(a, 0, sizeof *a);
    build(&g, command, a, &argp);
    if (check_names(&g, argc, argv) < 0) {
        return MYCEL_E_INVALID;
    }
    argp_err_exit_status = EXIT_CODE_USAGE;
    argv[0] = g.name;
    return argp_parse(&argp, argc, argv, 0, NULL, &g) == 0 ? MYCEL_OK : MYCEL_E_INVALID;
}

void args_help(const struct command *command)
{
    struct args unused;
    char program[] = "mycel";
    char help[] = "--help";
    char *argv[] = {program, help, NULL};
    (void)args_parse(&unused, command, 2, argv); /* prints and exits, like the flag itself */
}

int args_assign(const struct args *a, const struct command *command, void *options)
{
    const struct setting_list *list = command->settings;
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        const struct setting *s = &list->rows[i];
        if (s->type == SETTING_TEXTS) {
            *(const struct setting_texts **)((char *)options + s->offset) = &a->option_texts[i];
            continue;
        }
        const char *text = a->option_flags[i] ? a->option_flags[i] : s->fallback;
        char why[SETTING_MESSAGE_BYTES];
        if (text != NULL && setting_assign(s, options, text, why) < 0) {
            say_error("--%s: %s", s->name, why);
            return MYCEL_E_INVALID;
        }
    }
    return MYCEL_OK;
}
