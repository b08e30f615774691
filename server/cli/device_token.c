/* `mycel device token` and `device tokens`: secrets with which devices enrol themselves, once. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/cli/device.h"
#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "server/cli/secret.h"
#include "server/cli/state.h"

struct token_options {
    const char *out;
    const char *device_class;
    uint64_t expires_ms;
    bool json;
};

#define AT(member) .offset = offsetof(struct token_options, member)
static const struct setting rows[] = {
    {.name = "token-out",
     .letter = 'o',
     .type = SETTING_TEXT,
     .argument = "FILE",
     .min = 1,
     .max = PATH_MAX - 1,
     AT(out),
     .help = "Write it there, for its owner only, instead of printing it; must not exist"},
    {.name = "class",
     .type = SETTING_TEXT,
     .argument = "CLASS",
     .max = STORE_CLASS_BYTES - 1,
     AT(device_class),
     .help = "Device class, as runs select by; none: fits runs for any class"},
    {.name = "expires",
     .type = SETTING_DURATION,
     .argument = "TIME",
     .fallback = "24h",
     .min = 1000,
     .max = 366 * 86400e3,
     AT(expires_ms),
     .help = "How long it can be used"},
    {.name = "json",
     .letter = 'j',
     .type = SETTING_SWITCH,
     AT(json),
     .help = "Print one JSON object"},
};
#undef AT

const struct setting_list device_token_settings = SETTING_LIST(rows, struct token_options);

/* The two secrets of a token: what the device is given, and the coordinator's half of its key. */
struct secrets {
    uint8_t token[PROTO_TOKEN_BYTES];
    uint8_t share[PROTO_SHARE_BYTES];
};

_Static_assert(PROTO_TOKEN_BYTES == SECRET_BYTES && PROTO_SHARE_BYTES == 2u * SECRET_BYTES,
               "made of secrets");

static int make(struct secrets *s)
{
    int result = secret_make(s->token);
    if (result == MYCEL_OK) {
        result = secret_make(s->share);
    }
    if (result == MYCEL_OK) {
        result = secret_make(s->share + SECRET_BYTES);
    }
    if (result < 0) {
        say_error("the kernel gives no randomness");
    }
    return result;
}

static int say_token(const struct token_options *options, const char *name, const uint8_t *token,
                     uint64_t expires_ms)
{
    char identity[ENROL_IDENTITY_BYTES], expires[SAY_TIME_BYTES];
    char text[2u * PROTO_TOKEN_BYTES + 1u] = "";
    enrol_identity(token, identity);
    (void)say_time(expires_ms, expires);
    if (options->out == NULL) {
        (void)say_hex(token, PROTO_TOKEN_BYTES, text);
    }
    int code = EXIT_CODE_OK;
    if (options->json) {
        const char *secret = options->out == NULL ? "token" : "token_file";
        code = say_json(json_pack("{s:s, s:s, s:s, s:s}", "name", name, "identity", identity,
                                  "expires", expires, secret,
                                  options->out == NULL ? text : options->out));
    } else if (options->out == NULL) {
        (void)printf("%s\n", text);
    } else {
        (void)printf("The token for '%s' is in %s until %s: move it to the device.\n", name,
                     options->out, expires);
    }
    explicit_bzero(text, sizeof text);
    return code;
}

/* The file first: a token that is stored and nobody has is no harm, but no use either. */
static int store_and_say(struct store *store, const char *name, const struct token_options *options,
                         const struct secrets *s)
{
    uint64_t now_ms = state_now_ms();
    uint64_t expires_ms = now_ms + options->expires_ms;
    int result = options->out != NULL ? secret_write(options->out, s->token) : MYCEL_OK;
    if (result < 0) {
        say_error("%s: cannot be written (%s)", options->out, mycel_error_text(result));
        return exit_of_error(result);
    }
    result =
        store_token_add(store, s->token, s->share, name,
                        options->device_class ? options->device_class : "", now_ms, expires_ms);
    if (result < 0 && options->out != NULL) {
        (void)unlink(options->out);
    }
    if (result == MYCEL_E_EXISTS) {
        say_error("'%s' was enrolled before; a name is used once", name);
        return EXIT_CODE_REFUSED;
    }
    if (result == MYCEL_E_INVALID) {
        say_error("%s", store_problem(store));
        return EXIT_CODE_USAGE;
    }
    return result < 0 ? state_fail(store, result, name)
                      : say_token(options, name, s->token, expires_ms);
}

int device_token_run(const struct invocation *call)
{
    struct store *store = NULL;
    struct secrets secrets;
    int result = make(&secrets);
    if (result == MYCEL_OK) {
        result = state_open(call->config, STATE_CREATE, &store);
    }
    int code = result < 0 ? exit_of_error(result)
                          : store_and_say(store, call->words[0], call->options, &secrets);
    explicit_bzero(&secrets, sizeof secrets);
    store_close(store);
    return code;
}

/* ---- list --------------------------------------------------------------------------------- */

struct tokens_options {
    bool json;
};

static const struct setting tokens_rows[] = {
    {.name = "json", .letter = 'j', .type = SETTING_SWITCH, .help = "Print a JSON array"},
};

const struct setting_list device_tokens_settings = SETTING_LIST(tokens_rows, struct tokens_options);

static const struct say_column tokens_columns[] = {
    {"NAME", -20}, {"STATE", -8}, {"CLASS", -10}, {"EXPIRES", -20}, {"IDENTITY", -22}};
#define TOKENS_COLUMNS (sizeof tokens_columns / sizeof tokens_columns[0])

struct tokens_walk {
    json_t *list; /* NULL: print */
    uint64_t now_ms;
};

/* "used": its device has a key and has not come with it yet. */
static const char *token_state(const struct store_token *t, uint64_t now_ms)
{
    if (now_ms >= t->expires_ms) {
        return "expired";
    }
    return t->device > 0 ? "used" : "open";
}

static int visit_token(void *user, const struct store_token *t)
{
    struct tokens_walk *walk = user;
    char expires[SAY_TIME_BYTES];
    const char *state = token_state(t, walk->now_ms);
    (void)say_time(t->expires_ms, expires);
    if (walk->list != NULL) {
        json_t *row =
            json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", t->name, "state", state, "class",
                      t->device_class, "expires", expires, "identity", t->identity);
        return json_array_append_new(walk->list, row) == 0 ? MYCEL_OK : MYCEL_E_NO_MEMORY;
    }
    const char *cells[TOKENS_COLUMNS] = {
        t->name, state, t->device_class[0] ? t->device_class : "any", expires, t->identity};
    say_row(tokens_columns, TOKENS_COLUMNS, cells);
    return MYCEL_OK;
}

int device_tokens_run(const struct invocation *call)
{
    const struct tokens_options *options = call->options;
    struct store *store = NULL;
    int result = state_open(call->config, STATE_READ, &store);
    if (result < 0) {
        return exit_of_error(result);
    }
    struct tokens_walk walk = {.list = options->json ? json_array() : NULL,
                               .now_ms = state_now_ms()};
    if (!options->json) {
        say_heads(tokens_columns, TOKENS_COLUMNS);
    }
    result = store_tokens(store, visit_token, &walk);
    int code = result < 0 ? state_fail(store, result, "tokens") : EXIT_CODE_OK;
    store_close(store);
    if (options->json && code == EXIT_CODE_OK) {
        return say_json(walk.list);
    }
    json_decref(walk.list);
    return code;
}
