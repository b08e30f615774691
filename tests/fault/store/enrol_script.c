/* See enrol_script.h. */
#include "enrol_script.h"

#include <string.h>

#define EXPIRES_MS (UINT64_C(1) << 40)

static const uint8_t token[PROTO_TOKEN_BYTES] = {3, 1, 4, 1, 5, 9, 2, 6};
static const uint8_t coordinator_share[PROTO_SHARE_BYTES] = {2, 7, 1, 8};
static const uint8_t device_share[PROTO_SHARE_BYTES] = {1, 4, 1, 4};

static int count_token(void *user, const struct store_token *t)
{
    (void)t;
    ++*(unsigned *)user;
    return MYCEL_OK;
}

/* What the store shows: tokens (at most one), and the device. */
struct shown {
    unsigned tokens;
    bool has_device;
};

static int look(struct store *store, const char *identity, struct shown *shown)
{
    struct store_device device;
    *shown = (struct shown){0};
    int code = store_tokens(store, count_token, &shown->tokens);
    if (code != MYCEL_OK) {
        return code;
    }
    code = store_device_find(store, identity, &device);
    shown->has_device = code == MYCEL_OK;
    return code == MYCEL_E_NOT_FOUND ? MYCEL_OK : code;
}

static int use(struct store *store, uint64_t now_ms, struct store_enrolment *out)
{
    char name[ENROL_IDENTITY_BYTES];
    enrol_identity(token, name);
    return store_token_use(store, name, token, device_share, now_ms, out);
}

int enrol_script_run(struct script *s, const char *identity, uint64_t now_ms)
{
    struct shown shown;
    struct store_enrolment enrolment;
    int code = look(s->store, identity, &shown);
    if (code != MYCEL_OK || (shown.has_device && shown.tokens == 0)) {
        return code; /* spent already */
    }
    if (shown.tokens == 0) {
        code =
            store_token_add(s->store, token, coordinator_share, identity, "", now_ms, EXPIRES_MS);
    }
    if (code == MYCEL_OK) {
        s->enrolment = s->enrolment > SCRIPT_TOKEN ? s->enrolment : SCRIPT_TOKEN;
        code = use(s->store, now_ms, &enrolment);
    }
    if (code == MYCEL_OK) {
        s->enrolment = SCRIPT_ENROLLED;
        code = store_token_spend(s->store, enrolment.device, now_ms);
    }
    s->enrolment = code == MYCEL_OK ? SCRIPT_SPENT : s->enrolment;
    return code;
}

static int check_key(struct script *s, const char *identity)
{
    struct store_key key;
    uint8_t expected[PROTO_PSK_BYTES];
    enrol_device_key(device_share, coordinator_share, expected);
    int code = store_device_key(s->store, identity, strlen(identity), &key);
    s->wrong += code == MYCEL_OK && memcmp(key.psk, expected, sizeof expected) != 0;
    return code;
}

int enrol_script_check(struct script *s, const char *identity)
{
    struct shown shown;
    int code = look(s->store, identity, &shown);
    if (code != MYCEL_OK) {
        return code;
    }
    s->lost += s->enrolment >= SCRIPT_TOKEN && shown.tokens == 0 && !shown.has_device;
    s->lost += s->enrolment >= SCRIPT_ENROLLED && !shown.has_device;
    s->doubled += s->enrolment == SCRIPT_SPENT && shown.tokens > 0;
    return shown.has_device ? check_key(s, identity) : MYCEL_OK;
}
