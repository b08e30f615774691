/* `mycel model …` */
#ifndef MYCEL_SERVER_CLI_MODEL_H
#define MYCEL_SERVER_CLI_MODEL_H

#include "server/cli/commands.h"

extern const struct setting_list model_list_settings;
extern const struct setting_list model_show_settings;
extern const struct setting_list model_export_settings;
int model_list_run(const struct invocation *call);
int model_show_run(const struct invocation *call);
int model_export_run(const struct invocation *call);

#endif
