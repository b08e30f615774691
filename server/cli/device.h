/* `mycel device …` */
#ifndef MYCEL_SERVER_CLI_DEVICE_H
#define MYCEL_SERVER_CLI_DEVICE_H

#include "server/cli/commands.h"
#include "server/store/store.h"

extern const struct setting_list device_enroll_settings;
extern const struct setting_list device_token_settings;
extern const struct setting_list device_tokens_settings;
extern const struct setting_list device_list_settings;
extern const struct setting_list device_why_settings;
int device_enroll_run(const struct invocation *call);
int device_token_run(const struct invocation *call);
int device_tokens_run(const struct invocation *call);
int device_list_run(const struct invocation *call);
int device_revoke_run(const struct invocation *call);
int device_why_run(const struct invocation *call);

/* "active" or "revoked". */
const char *device_state_name(enum store_device_state state);

#endif
