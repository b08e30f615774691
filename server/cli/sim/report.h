/* `mycel sim report` and `mycel sim compare`: what simulations printed, as pages and tables. They read
 * files; they never simulate. */
#ifndef MYCEL_SERVER_CLI_SIM_REPORT_H
#define MYCEL_SERVER_CLI_SIM_REPORT_H

#include <stdio.h>

#include "server/cli/commands.h"

enum report_format { REPORT_HTML, REPORT_CSV };

/* Turns JSON lines into a file that is replaced as a whole; `name` is what the lines are called where they are
 * wrong. 0, or MYCEL_E_* after having printed what is wrong. */
int report_write(FILE *in, const char *name, enum report_format format, const char *path);

extern const struct setting_list sim_report_settings;
extern const struct setting_list sim_compare_settings;
int sim_report_run(const struct invocation *call);
int sim_compare_run(const struct invocation *call);

#endif
