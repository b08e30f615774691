/* General help, help for a group of commands, and what to say about an unknown command. */
#ifndef MYCEL_SERVER_CLI_HELP_H
#define MYCEL_SERVER_CLI_HELP_H

#include <stdio.h>

#include "server/cli/commands.h"

/* All commands by group, the exit codes, and where to go on. */
void help_general(FILE *out);

/* The commands whose first word is noun. false if there are none. */
bool help_noun(const char *noun, FILE *out);

/* "there is no command 'x'; did you mean 'y'?" on stderr. */
void help_unknown(const char *const *words, size_t count);

/* `mycel help [COMMAND]` */
int help_run(const struct invocation *call);

#endif
