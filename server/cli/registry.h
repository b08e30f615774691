/* `mycel model tag|promote|rollback|diff|average`: what operators do with versions. */
#ifndef MYCEL_SERVER_CLI_REGISTRY_H
#define MYCEL_SERVER_CLI_REGISTRY_H

#include "server/cli/commands.h"

extern const struct setting_list model_tag_settings;
extern const struct setting_list model_diff_settings;
extern const struct setting_list model_average_settings;
int model_tag_run(const struct invocation *call);
int model_promote_run(const struct invocation *call);
int model_rollback_run(const struct invocation *call);
int model_diff_run(const struct invocation *call);
int model_average_run(const struct invocation *call);

#endif
