/* `mycel client` */
#ifndef MYCEL_SERVER_CLI_CLIENT_H
#define MYCEL_SERVER_CLI_CLIENT_H

#include "server/cli/commands.h"

extern const struct setting_list client_settings;
int client_run(const struct invocation *call);

#endif
