/* `mycel model plan`: what a model takes on a device, before any device runs it. */
#ifndef MYCEL_SERVER_CLI_MODEL_PLAN_H
#define MYCEL_SERVER_CLI_MODEL_PLAN_H

#include "server/cli/commands.h"

extern const struct setting_list model_plan_settings;
int model_plan_run(const struct invocation *call);

#endif
