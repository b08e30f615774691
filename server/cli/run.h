/* `mycel run …` */
#ifndef MYCEL_SERVER_CLI_RUN_H
#define MYCEL_SERVER_CLI_RUN_H

#include <jansson.h>

#include "server/cli/commands.h"
#include "server/store/store.h"

extern const struct setting_list run_create_settings;
extern const struct setting_list run_list_settings;
extern const struct setting_list run_show_settings;
int run_create_run(const struct invocation *call);
int run_list_run(const struct invocation *call);
int run_show_run(const struct invocation *call);
int run_stop_run(const struct invocation *call);
int run_pause_run(const struct invocation *call);
int run_resume_run(const struct invocation *call);

/* What `run create` stores, for callers inside the program (the demo). config->name may be "": then
 * it becomes "run-<n>". initial: the first version's parameters (config->params of them, canonical
 * order), or NULL to draw them from the seed. 0 with *id set, or MYCEL_E_* after having printed why.
 * config->params is filled in from the model. */
int run_create(struct store *store, struct store_run_config *config, const float *initial,
               uint32_t *id);

#endif
