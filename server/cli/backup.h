/* `mycel backup` and `mycel check`: the coordinator's state as a whole. */
#ifndef MYCEL_SERVER_CLI_BACKUP_H
#define MYCEL_SERVER_CLI_BACKUP_H

#include "server/cli/commands.h"

extern const struct setting_list check_settings;
int backup_run(const struct invocation *call);
int check_run(const struct invocation *call);

#endif
