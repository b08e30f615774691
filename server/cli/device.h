/* `mycel device …` */
#ifndef MYCEL_SERVER_CLI_DEVICE_H
#define MYCEL_SERVER_CLI_DEVICE_H

#include <jansson.h>

#include "server/cli/commands.h"
#include "server/store/store.h"

extern const struct setting_list device_enroll_settings;
extern const struct setting_list device_token_settings;
extern const struct setting_list device_tokens_settings;
extern const struct setting_list device_list_settings;
extern const struct setting_list device_rotate_settings;
extern const struct setting_list device_why_settings;
int device_enroll_run(const struct invocation *call);
int device_token_run(const struct invocation *call);
int device_tokens_run(const struct invocation *call);
int device_list_run(const struct invocation *call);
int device_revoke_run(const struct invocation *call);
int device_rotate_run(const struct invocation *call);
int device_why_run(const struct invocation *call);

/* "none", "due" (the device is to be asked), "offered" (it may have its next key), "overlap". */
const char *device_rotation_name(const struct store_rotation *rotation);

/* An object, or null; to be owned. */
json_t *device_rotation_json(const struct store_rotation *rotation);

/* "active" or "revoked". */
const char *device_state_name(enum store_device_state state);

#endif
