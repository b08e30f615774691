/* The scenario that a command line gives: a file or a shipped one, and what --set changes in it. */
#ifndef MYCEL_SERVER_CLI_SIM_GIVEN_H
#define MYCEL_SERVER_CLI_SIM_GIVEN_H

#include "server/cli/setting.h"
#include "sim/scenario/scenario.h"

/* An exit code; says what is wrong. */
int given_scenario(struct scenario *scenario, const char *path, const struct setting_texts *set);

#endif
