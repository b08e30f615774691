/* `mycel strategy …` */
#ifndef MYCEL_SERVER_CLI_STRATEGY_H
#define MYCEL_SERVER_CLI_STRATEGY_H

#include "server/cli/commands.h"

extern const struct setting_list strategy_list_settings;
extern const struct setting_list strategy_show_settings;
int strategy_list_run(const struct invocation *call);
int strategy_show_run(const struct invocation *call);

/* Checks the text of a strategy, e.g. "clip adaptive > fedadam lr=0.01". 0, or MYCEL_E_INVALID after
 * having printed what is wrong, where, and what was probably meant. */
int strategy_check(const char *text);

/* Whether a checked strategy measures devices by a root set of the coordinator's own. */
bool strategy_needs_root(const char *text);

/* Whether it is SCAFFOLD, whose devices have to be in step with the coordinator. */
bool strategy_needs_control(const char *text);

#endif
