/* `mycel sim report` and `mycel sim compare`: what simulations printed, as pages and tables. They read
 * files; they never simulate. */
#ifndef MYCEL_SERVER_CLI_SIM_REPORT_H
#define MYCEL_SERVER_CLI_SIM_REPORT_H

#include "server/cli/commands.h"

extern const struct setting_list sim_report_settings;
extern const struct setting_list sim_compare_settings;
int sim_report_run(const struct invocation *call);
int sim_compare_run(const struct invocation *call);

#endif
