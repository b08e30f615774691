/* `mycel device enroll|list|revoke`: who may take part. */
#include "server/cli/device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "server/cli/secret.h"
#include "server/cli/state.h"

struct enroll_options {
    const char *key_out;
    const char *device_class;
    bool certificate;
    bool json;
};

#define AT(member) .offset = offsetof(struct enroll_options, member)
static const struct setting enroll_rows[] = {
    {.name = "key-out",
     .letter = 'o',
     .type = SETTING_TEXT,
     .argument = "FILE",
     .min = 1,
     .max = PATH_MAX - 1,
     AT(key_out),
     .help = "Where to write the key, for its owner only; must not exist (default NAME.key)"},
    {.name = "class",
     .type = SETTING_TEXT,
     .argument = "CLASS",
     .max = STORE_CLASS_BYTES - 1,
     AT(device_class),
     .help = "Device class, as runs select by; none: fits runs for any class"},
    {.name = "certificate",
     .type = SETTING_SWITCH,
     AT(certificate),
     .help = "No key is made: the device comes with a certificate for NAME, from the device CA"},
    {.name = "json",
     .letter = 'j',
     .type = SETTING_SWITCH,
     AT(json),
     .help = "Print one JSON object"},
};
#undef AT

const struct setting_list device_enroll_settings = SETTING_LIST(enroll_rows, struct enroll_options);

struct list_options {
    bool json;
};

static const struct setting list_rows[] = {
    {.name = "json", .letter = 'j', .type = SETTING_SWITCH, .help = "Print a JSON array"},
};

const struct setting_list device_list_settings = SETTING_LIST(list_rows, struct list_options);

/* ---- enroll ------------------------------------------------------------------------------- */

static const char *key_path(const struct enroll_options *options, const char *identity,
                            char out[PATH_MAX])
{
    if (options->key_out != NULL) {
        return options->key_out;
    }
    snprintf(out, PATH_MAX, "%s.key", identity);
    return out;
}

static int check_identity(const char *identity, const struct enroll_options *options)
{
    if (store_identity_check(identity) < 0) {
        say_error(
            "'%.80s' cannot be a device's name: 1 to %u printable ASCII characters, no blanks",
            identity, PROTO_IDENTITY_BYTES_MAX);
        return MYCEL_E_INVALID;
    }
    if (options->certificate && options->key_out != NULL) {
        say_error("--certificate makes no key, so --key-out has nothing to write");
        return MYCEL_E_INVALID;
    }
    if (!options->certificate && options->key_out == NULL && strchr(identity, '/') != NULL) {
        say_error("'%s' is no file name: say where the key goes with --key-out", identity);
        return MYCEL_E_INVALID;
    }
    return MYCEL_OK;
}

static int enroll_certificate(struct store *store, const char *identity,
                              const struct enroll_options *options, uint32_t *id)
{
    int result =
        store_device_enroll(store, identity, options->device_class ? options->device_class : "",
                            NULL, 0, state_now_ms(), id);
    return result < 0 ? state_fail(store, result, identity) : EXIT_CODE_OK;
}

/* The file first: a device whose key nobody has would be enrolled for ever. */
static int enroll(struct store *store, const char *identity, const struct enroll_options *options,
                  const char *path, uint32_t *id)
{
    uint8_t key[SECRET_BYTES];
    int result = secret_make(key);
    if (result < 0) {
        say_error("the kernel gives no randomness: %s", strerror(errno));
        return exit_of_error(result);
    }
    result = secret_write(path, key);
    if (result < 0) {
        say_error("%s: %s", path, strerror(errno));
        explicit_bzero(key, sizeof key);
        return exit_of_error(result);
    }
    result =
        store_device_enroll(store, identity, options->device_class ? options->device_class : "",
                            key, sizeof key, state_now_ms(), id);
    explicit_bzero(key, sizeof key);
    if (result < 0) {
        (void)unlink(path);
        return state_fail(store, result, identity);
    }
    return EXIT_CODE_OK;
}

/* What was done. `path` is NULL for a device with a certificate. */
static int say_enrolled(const char *identity, uint32_t id, const char *path, bool json)
{
    if (json) {
        return say_json(json_pack("{s:I, s:s, s:s?}", "id", (json_int_t)id, "name", identity,
                                  "key_file", path));
    }
    if (path != NULL) {
        (void)printf("Enrolled '%s' as device %" PRIu32
                     ". Its key is in %s: move it to the device.\n",
                     identity, id, path);
    } else {
        (void)printf("Enrolled '%s' as device %" PRIu32
                     ". It comes with a certificate whose common name is '%s'.\n",
                     identity, id, identity);
    }
    return EXIT_CODE_OK;
}

int device_enroll_run(const struct invocation *call)
{
    const struct enroll_options *options = call->options;
    const char *identity = call->words[0];
    char buffer[PATH_MAX];
    struct store *store = NULL;
    struct store_device known;
    uint32_t id = 0;
    if (check_identity(identity, options) < 0) {
        return EXIT_CODE_USAGE;
    }
    const char *path = options->certificate ? NULL : key_path(options, identity, buffer);
    int result = state_open(call->config, STATE_CREATE, &store);
    if (result < 0) {
        return exit_of_error(result);
    }
    int code;
    if (store_device_find(store, identity, &known) == MYCEL_OK) {
        say_error("'%s' was enrolled before%s; a name is used once", identity,
                  known.state == STORE_DEVICE_REVOKED ? " and revoked" : "");
        code = EXIT_CODE_REFUSED;
    } else {
        code = options->certificate ? enroll_certificate(store, identity, options, &id)
                                    : enroll(store, identity, options, path, &id);
    }
    store_close(store);
    return code == EXIT_CODE_OK ? say_enrolled(identity, id, path, options->json) : code;
}

/* ---- list --------------------------------------------------------------------------------- */

static const struct say_column list_columns[] = {{"ID", 5},       {"NAME", -20}, {"STATE", -8},
                                                 {"CLASS", -10},  {"KEY", -8},   {"ACCEPTED", 8},
                                                 {"REJECTED", 8}, {"SEEN", -20}, {"ENROLLED", -20}};
#define LIST_COLUMNS (sizeof list_columns / sizeof list_columns[0])

const char *device_state_name(enum store_device_state state)
{
    return state == STORE_DEVICE_ACTIVE ? "active" : "revoked";
}

/* What its key is about: the rotation, if one is under way. */
static const char *key_text(const struct store_device *d)
{
    if (d->rotation.kind != STORE_ROTATION_NONE) {
        return device_rotation_name(&d->rotation);
    }
    if (d->mode == STORE_DEVICE_CERTIFICATE) {
        return "cert";
    }
    return d->key_generation > 0 ? "key" : "-";
}

static int append_device(void *user, const struct store_device *d)
{
    json_t *row = json_pack(
        "{s:I, s:s, s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:o, s:o, s:o}", "id", (json_int_t)d->id,
        "name", d->identity, "state", device_state_name(d->state), "credential",
        d->mode == STORE_DEVICE_CERTIFICATE ? "certificate" : "key", "class", d->device_class,
        "key_since", say_time_json(d->key_since_ms), "rotation", device_rotation_json(&d->rotation),
        "accepted", (json_int_t)d->accepted, "rejected", (json_int_t)d->rejected, "seen",
        say_time_json(d->seen_ms), "enrolled", say_time_json(d->enrolled_ms), "revoked",
        say_time_json(d->revoked_ms));
    return json_array_append_new(user, row) == 0 ? MYCEL_OK : MYCEL_E_NO_MEMORY;
}

static int print_device(void *user, const struct store_device *d)
{
    char id[16], accepted[16], rejected[16], seen[SAY_TIME_BYTES], enrolled[SAY_TIME_BYTES];
    (void)user;
    snprintf(id, sizeof id, "%" PRIu32, d->id);
    snprintf(accepted, sizeof accepted, "%" PRIu32, d->accepted);
    snprintf(rejected, sizeof rejected, "%" PRIu32, d->rejected);
    const char *cells[LIST_COLUMNS] = {id,
                                       d->identity,
                                       device_state_name(d->state),
                                       d->device_class[0] ? d->device_class : "any",
                                       key_text(d),
                                       accepted,
                                       rejected,
                                       say_time(d->seen_ms, seen),
                                       say_time(d->enrolled_ms, enrolled)};
    say_row(list_columns, LIST_COLUMNS, cells);
    return 0;
}

int device_list_run(const struct invocation *call)
{
    const struct list_options *options = call->options;
    struct store *store = NULL;
    int result = state_open(call->config, STATE_READ, &store);
    if (result < 0) {
        return exit_of_error(result);
    }
    json_t *list = options->json ? json_array() : NULL;
    if (!options->json) {
        say_heads(list_columns, LIST_COLUMNS);
    }
    result = store_devices_conduct(store, options->json ? append_device : print_device, list);
    int code = result < 0 ? state_fail(store, result, "devices") : EXIT_CODE_OK;
    store_close(store);
    if (options->json && code == EXIT_CODE_OK) {
        return say_json(list);
    }
    json_decref(list);
    return code;
}

/* ---- revoke ------------------------------------------------------------------------------- */

int device_revoke_run(const struct invocation *call)
{
    const char *identity = call->words[0];
    struct store *store = NULL;
    int result = state_open(call->config, STATE_WRITE, &store);
    if (result < 0) {
        return exit_of_error(result);
    }
    int code = EXIT_CODE_OK;
    result = store_device_revoke(store, identity, state_now_ms());
    if (result == MYCEL_E_NOT_FOUND || result == MYCEL_E_INVALID) {
        say_error("there is no device '%.64s'; 'mycel device list' shows them", identity);
        code = EXIT_CODE_NOT_FOUND;
    } else if (result < 0) {
        code = state_fail(store, result, identity);
    } else {
        (void)printf("Revoked '%s'. A running coordinator ends its session within a second.\n",
                     identity);
    }
    store_close(store);
    return code;
}
