/* `mycel config check` */
#ifndef MYCEL_SERVER_CLI_CONFIG_CHECK_H
#define MYCEL_SERVER_CLI_CONFIG_CHECK_H

#include "server/cli/commands.h"

extern const struct setting_list config_check_settings;
int config_check_run(const struct invocation *call);

#endif
