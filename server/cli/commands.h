/*
 * The table of subcommands. Parsing, --help, `mycel help`, "did you mean", the man page and shell
 * completion all read it; there is no second list. Its rows are in commands/, a file for each heading
 * of the general help. It must hold no behaviour of its own.
 */
#ifndef MYCEL_SERVER_CLI_COMMANDS_H
#define MYCEL_SERVER_CLI_COMMANDS_H

#include <stddef.h>

#include "server/cli/config.h"
#include "server/cli/setting.h"

#define COMMAND_WORDS_MAX 64u
#define COMMAND_SETTINGS_MAX 32u
#define COMMAND_OPTIONS_BYTES_MAX 512u

/* The flags of one command beside the configuration keys; offsets are into a struct of its own. */
struct setting_list {
    const struct setting *rows;
    size_t count;
    size_t bytes; /* of that struct */
};

#define SETTING_LIST(table, type)                                                                  \
    {                                                                                              \
        (table), sizeof(table) / sizeof((table)[0]), sizeof(type)                                  \
    }

/* What a command is called with. Everything is valid until the program ends. */
struct invocation {
    const struct command *command;
    const struct config *config;
    const void *options;      /* the struct that command->settings fills, NULL without settings */
    const char *const *words; /* positional arguments */
    size_t words_count;
};

struct command {
    const char *name;      /* "device enroll" */
    const char *arguments; /* "NAME", "" for none */
    size_t words_min, words_max;
    const char *group;   /* heading in the general help */
    const char *summary; /* one line, no full stop */
    const char *help;    /* paragraphs for --help: what it does, one example or more */
    unsigned config;     /* enum config_group set: configuration keys that are its flags */
    const struct setting_list *settings;       /* NULL: none */
    int (*run)(const struct invocation *call); /* returns an enum exit_code */
};

/* The row of this index in the order of the general help, NULL behind the last. Static storage. */
const struct command *command_at(size_t index);

/* The command named by the first one or two of words; *used says how many they were. NULL: none. */
const struct command *command_find(const char *const *words, size_t count, size_t *used);

#endif
