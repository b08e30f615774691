/*
 * `mycel sim …`: simulate a fleet before buying it. Owns options, screens and files; the world itself
 * is in sim/.
 */
#ifndef MYCEL_SERVER_CLI_SIM_SIM_H
#define MYCEL_SERVER_CLI_SIM_SIM_H

#include "server/cli/commands.h"

extern const struct setting_list sim_run_settings;
extern const struct setting_list sim_check_settings;
extern const struct setting_list sim_list_settings;

int sim_run_run(const struct invocation *call);
int sim_list_run(const struct invocation *call);
int sim_show_run(const struct invocation *call);
int sim_check_run(const struct invocation *call);
int sim_keys_run(const struct invocation *call);
int sim_classes_run(const struct invocation *call);

#endif
