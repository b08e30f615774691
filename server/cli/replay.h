/* `mycel replay`: repeats an event log and says whether the engine still answers the same. */
#ifndef MYCEL_SERVER_CLI_REPLAY_H
#define MYCEL_SERVER_CLI_REPLAY_H

#include "server/cli/commands.h"

extern const struct setting_list replay_settings;

int replay_run_command(const struct invocation *call);

#endif
