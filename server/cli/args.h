/*
 * Command-line arguments of one command: builds argp's tables from the command's settings, so that
 * flags, help and checks come from one place. It keeps texts as given; their meaning is decided by
 * setting_assign(). It exits the process for --help and for a wrong command line.
 */
#ifndef MYCEL_SERVER_CLI_ARGS_H
#define MYCEL_SERVER_CLI_ARGS_H

#include "server/cli/commands.h"

struct args {
    const char *config_path;
    const char *config_flags[CONFIG_KEYS_MAX];               /* by index into config_keys() */
    const char *option_flags[COMMAND_SETTINGS_MAX];          /* by index into command->settings */
    struct setting_texts option_texts[COMMAND_SETTINGS_MAX]; /* of SETTING_TEXTS, in their order */
    const char *words[COMMAND_WORDS_MAX];
    size_t words_count;
};

/* Parses argv[1…argc-1]; argv[0] is replaced by the command's full name. 0 or MYCEL_E_INVALID after
 * having printed what is wrong; prints help and exits for --help and --usage. */
int args_parse(struct args *a, const struct command *command, int argc, char **argv);

/* Defaults and flags into the command's own struct. 0 or MYCEL_E_INVALID after having printed. */
int args_assign(const struct args *a, const struct command *command, void *options);

/* Prints the command's help on stdout and exits. */
void args_help(const struct command *command);

#endif
