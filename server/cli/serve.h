/* `mycel serve` */
#ifndef MYCEL_SERVER_CLI_SERVE_H
#define MYCEL_SERVER_CLI_SERVE_H

#include "server/cli/commands.h"

extern const struct setting_list serve_settings;
int serve_run(const struct invocation *call);

#endif
