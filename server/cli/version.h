/* `mycel version` */
#ifndef MYCEL_SERVER_CLI_VERSION_H
#define MYCEL_SERVER_CLI_VERSION_H

#include "server/cli/commands.h"

extern const struct setting_list version_settings;
int version_run(const struct invocation *call);

#endif
