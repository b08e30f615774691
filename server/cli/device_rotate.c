/* `mycel device rotate`: another key for a device or a fleet, without a round lost. Over the air the
 * device and the coordinator make it; else it goes into a file that somebody brings to the device. */
#include "server/cli/device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "server/cli/secret.h"
#include "server/cli/state.h"

/* A running coordinator waits for the database no longer than one of these takes. */
#define BATCH_DEVICES 256u

struct rotate_options {
    const char *key_out;
    const char *device_class;
    uint64_t overlap_ms;
    uint64_t spread_ms;
    bool all;
    bool abort;
    bool force;
    bool json;
};

#define AT(member) .offset = offsetof(struct rotate_options, member)
static const struct setting rows[] = {
    {.name = "key-out",
     .letter = 'o',
     .type = SETTING_TEXT,
     .argument = "FILE",
     .min = 1,
     .max = PATH_MAX - 1,
     AT(key_out),
     .help = "Write the next key there, to be brought to the device, instead of making it over the "
             "air; must not exist"},
    {.name = "overlap",
     .type = SETTING_DURATION,
     .argument = "TIME",
     .fallback = "7d",
     .min = 1000,
     .max = 366 * 86400e3,
     AT(overlap_ms),
     .help = "With --key-out: the present key ends after that time, used or not"},
    {.name = "all", .type = SETTING_SWITCH, AT(all), .help = "Every device with a pre-shared key"},
    {.name = "class",
     .type = SETTING_TEXT,
     .argument = "CLASS",
     .min = 1,
     .max = STORE_CLASS_BYTES - 1,
     AT(device_class),
     .help = "Every one that was enrolled for this class"},
    {.name = "spread",
     .type = SETTING_DURATION,
     .argument = "TIME",
     .fallback = "1h",
     .max = 366 * 86400e3,
     AT(spread_ms),
     .help = "With --all or --class: ask them one after the other over that time"},
    {.name = "abort", .type = SETTING_SWITCH, AT(abort), .help = "Withdraw the next key"},
    {.name = "force",
     .type = SETTING_SWITCH,
     AT(force),
     .help = "With --abort: although a device may have no other key by now"},
    {.name = "json",
     .letter = 'j',
     .type = SETTING_SWITCH,
     AT(json),
     .help = "Print one JSON object"},
};
#undef AT

const struct setting_list device_rotate_settings = SETTING_LIST(rows, struct rotate_options);

/* ---- what lists show ------------------------------------------------------------------------ */

const char *device_rotation_name(const struct store_rotation *rotation)
{
    switch (rotation->kind) {
    case STORE_ROTATION_FILE:
        return "overlap"; /* both keys are valid */
    case STORE_ROTATION_AIR:
        return rotation->made ? "offered" : "due";
    default:
        return "none";
    }
}

json_t *device_rotation_json(const struct store_rotation *rotation)
{
    char from[SAY_TIME_BYTES], ends[SAY_TIME_BYTES];
    if (rotation->kind == STORE_ROTATION_NONE) {
        return json_null();
    }
    return json_pack("{s:s, s:s, s:s, s:o}", "state", device_rotation_name(rotation), "way",
                     rotation->kind == STORE_ROTATION_FILE ? "file" : "air", "from",
                     say_time(rotation->from_ms, from), "ends",
                     rotation->ends_ms ? json_string(say_time(rotation->ends_ms, ends))
                                       : json_null());
}

/* ---- one device ----------------------------------------------------------------------------- */

static int refuse(struct store *store, int error, const char *identity)
{
    if (error == MYCEL_E_NOT_FOUND) {
        say_error("there is no device '%.64s'; 'mycel device list' shows them", identity);
        return EXIT_CODE_NOT_FOUND;
    }
    if (error == MYCEL_E_EXISTS) {
        say_error("'%s' may have its next key already, and nothing else: wait, or --force",
                  identity);
        return EXIT_CODE_REFUSED;
    }
    return state_fail(store, error, identity);
}

static int say_one(const struct rotate_options *o, const char *identity, const char *state,
                   const char *words)
{
    if (o->json) {
        return say_json(o->key_out != NULL
                            ? json_pack("{s:s, s:s, s:s}", "name", identity, "state", state,
                                        "key_file", o->key_out)
                            : json_pack("{s:s, s:s}", "name", identity, "state", state));
    }
    (void)printf("%s\n", words);
    return EXIT_CODE_OK;
}

/* The file first: a key that nobody has would shut the device out when the overlap is over. */
static int rotate_file(struct store *store, const struct rotate_options *o, const char *identity)
{
    uint8_t key[SECRET_BYTES];
    char words[3 * SAY_TIME_BYTES + PATH_MAX], ends[SAY_TIME_BYTES];
    uint64_t now_ms = state_now_ms();
    int result = secret_make(key);
    if (result == MYCEL_OK) {
        result = secret_write(o->key_out, key);
    }
    if (result < 0) {
        say_error("%s: %s", o->key_out, strerror(errno));
        explicit_bzero(key, sizeof key);
        return exit_of_error(result);
    }
    result = store_rotate_file(store, identity, key, sizeof key, now_ms, now_ms + o->overlap_ms);
    explicit_bzero(key, sizeof key);
    if (result < 0) {
        (void)unlink(o->key_out);
        return refuse(store, result, identity);
    }
    (void)snprintf(words, sizeof words,
                   "The next key of '%.64s' is in %s: move it to the device.\n"
                   "The present one ends when the next one is used, or on %s.",
                   identity, o->key_out, say_time(now_ms + o->overlap_ms, ends));
    return say_one(o, identity, "overlap", words);
}

static int rotate_air(struct store *store, const char *identity, uint64_t from_ms)
{
    uint8_t share[PROTO_SHARE_BYTES];
    _Static_assert(sizeof share == 2u * SECRET_BYTES, "made of secrets");
    int result = secret_make(share);
    if (result == MYCEL_OK) {
        result = secret_make(share + SECRET_BYTES);
    }
    if (result == MYCEL_OK) {
        result = store_rotate_air(store, identity, share, state_now_ms(), from_ms);
    }
    explicit_bzero(share, sizeof share);
    return result;
}

static int run_one(struct store *store, const struct rotate_options *o, const char *identity)
{
    char words[256];
    int result;
    if (store_identity_check(identity) < 0) {
        return refuse(store, MYCEL_E_NOT_FOUND, identity);
    }
    if (o->abort) {
        result = store_rotate_abort(store, identity, o->force, state_now_ms());
        (void)snprintf(words, sizeof words, "'%s' keeps its key.", identity);
        return result < 0 ? refuse(store, result, identity) : say_one(o, identity, "none", words);
    }
    if (o->key_out != NULL) {
        return rotate_file(store, o, identity);
    }
    result = rotate_air(store, identity, state_now_ms());
    (void)snprintf(words, sizeof words,
                   "'%s' makes its next key at its next check-in; until it uses that, the present "
                   "one stays.",
                   identity);
    return result < 0 ? refuse(store, result, identity) : say_one(o, identity, "due", words);
}

/* ---- a fleet -------------------------------------------------------------------------------- */

struct fleet {
    const struct rotate_options *options;
    char (*names)[PROTO_IDENTITY_BYTES_MAX + 1];
    size_t count;
    size_t capacity;
    size_t seen; /* of the class */
    size_t done;
};

static int add_name(struct fleet *f, const char *identity)
{
    if (f->count == f->capacity) {
        size_t larger = f->capacity ? 2u * f->capacity : 256u;
        void *names = realloc(f->names, larger * sizeof *f->names);
        if (names == NULL) {
            return MYCEL_E_NO_MEMORY;
        }
        f->names = names;
        f->capacity = larger;
    }
    memcpy(f->names[f->count++], identity, strlen(identity) + 1u);
    return MYCEL_OK;
}

/* Those that can be given another key, or whose next one can be withdrawn. */
static int visit(void *user, const struct store_key *key)
{
    struct fleet *f = user;
    const struct rotate_options *o = f->options;
    if (key->state != STORE_DEVICE_ACTIVE || key->mode != STORE_DEVICE_PSK ||
        (o->device_class != NULL && strcmp(key->device_class, o->device_class) != 0)) {
        return MYCEL_OK;
    }
    f->seen++;
    bool rotating = key->rotation.kind != STORE_ROTATION_NONE;
    bool fits = o->abort ? rotating : !rotating && !key->unconfirmed;
    return fits ? add_name(f, key->identity) : MYCEL_OK;
}

/* STATE and EXISTS: it is not what it was a moment ago, or has its next key: it is left as it is. */
static int change(struct store *store, struct fleet *f, size_t i, uint64_t now_ms)
{
    const struct rotate_options *o = f->options;
    uint64_t from_ms = now_ms + (uint64_t)((double)o->spread_ms * (double)i / (double)f->count);
    int result = o->abort ? store_rotate_abort(store, f->names[i], o->force, now_ms)
                          : rotate_air(store, f->names[i], from_ms);
    f->done += result == MYCEL_OK;
    return result == MYCEL_E_STATE || result == MYCEL_E_EXISTS ? MYCEL_OK : result;
}

static int change_batch(struct store *store, struct fleet *f, size_t first, uint64_t now_ms)
{
    int result = store_begin(store);
    if (result < 0) {
        return result;
    }
    for (size_t i = first; i < f->count && i < first + BATCH_DEVICES && result == MYCEL_OK; i++) {
        result = change(store, f, i, now_ms);
    }
    if (result < 0) {
        store_rollback(store);
        return result;
    }
    return store_commit(store);
}

static int run_fleet(struct store *store, const struct rotate_options *o)
{
    struct fleet f = {.options = o};
    uint64_t now_ms = state_now_ms();
    int result = store_keys(store, visit, &f);
    for (size_t i = 0; i < f.count && result == MYCEL_OK; i += BATCH_DEVICES) {
        result = change_batch(store, &f, i, now_ms);
    }
    free(f.names);
    if (result < 0) {
        return state_fail(store, result, "devices");
    }
    if (f.seen == 0) {
        say_error("there is no such device with a pre-shared key");
        return EXIT_CODE_NOT_FOUND;
    }
    if (o->json) {
        return say_json(json_pack("{s:I, s:I}", o->abort ? "aborted" : "due", (json_int_t)f.done,
                                  "skipped", (json_int_t)(f.seen - f.done)));
    }
    (void)printf("%zu devices %s, %zu are left as they are.\n", f.done,
                 o->abort ? "keep their keys" : "make their next keys", f.seen - f.done);
    return EXIT_CODE_OK;
}

/* ---- the command ---------------------------------------------------------------------------- */

static const char *misuse(const struct rotate_options *o, bool has_name)
{
    bool fleet = o->all || o->device_class != NULL;
    if (fleet == has_name) {
        return "name a device, or --all or --class for many";
    }
    if (o->key_out != NULL && (fleet || o->abort)) {
        return "--key-out is for the next key of one device";
    }
    return o->force && !o->abort ? "--force goes with --abort" : NULL;
}

int device_rotate_run(const struct invocation *call)
{
    const struct rotate_options *o = call->options;
    const char *wrong = misuse(o, call->words_count > 0);
    if (wrong != NULL) {
        say_error("%s", wrong);
        return EXIT_CODE_USAGE;
    }
    struct store *store = NULL;
    int result = state_open(call->config, STATE_WRITE, &store);
    if (result < 0) {
        return exit_of_error(result);
    }
    int code = call->words_count > 0 ? run_one(store, o, call->words[0]) : run_fleet(store, o);
    store_close(store);
    return code;
}
