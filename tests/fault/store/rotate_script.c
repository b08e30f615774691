/* See rotate_script.h. */
#include "rotate_script.h"

#include "proto/enrol.h"

#include <string.h>

#define ENDS_MS (UINT64_C(1) << 40)

static const uint8_t coordinator_share[PROTO_SHARE_BYTES] = {2, 7, 1, 8};
static const uint8_t device_share[PROTO_SHARE_BYTES] = {1, 4, 1, 4};
static const uint8_t third[PROTO_PSK_BYTES] = {3, 3, 3};

/* How far it is, by what the store shows. */
static int look(struct script *s, const char *identity, struct store_key *key,
                enum script_rotation *stage)
{
    uint8_t second[PROTO_PSK_BYTES];
    enrol_next_key(device_share, coordinator_share, second);
    int code = store_device_key(s->store, identity, strlen(identity), key);
    if (code != MYCEL_OK) {
        return code;
    }
    bool started = key->rotation.kind != STORE_ROTATION_NONE;
    bool made = key->next_bytes == sizeof third;
    if (memcmp(key->psk, third, sizeof third) == 0) {
        *stage = SCRIPT_THIRD_KEY;
        s->wrong += started;
    } else if (memcmp(key->psk, second, sizeof second) == 0) {
        *stage = started ? SCRIPT_THIRD_OFFERED : SCRIPT_SECOND_KEY;
        s->wrong += started && (!made || memcmp(key->next, third, sizeof third) != 0);
    } else {
        *stage = made ? SCRIPT_SECOND_OFFERED : started ? SCRIPT_SECOND_DUE : SCRIPT_FIRST_KEY;
        s->wrong += made && memcmp(key->next, second, sizeof second) != 0;
    }
    return MYCEL_OK;
}

/* From one stage to the next. */
static int advance(struct script *s, const char *identity, const struct store_key *key,
                   enum script_rotation stage, uint64_t now_ms)
{
    uint8_t share[PROTO_SHARE_BYTES];
    int code = MYCEL_E_STATE;
    switch (stage) {
    case SCRIPT_FIRST_KEY:
        return store_rotate_air(s->store, identity, coordinator_share, now_ms, now_ms);
    case SCRIPT_SECOND_DUE:
        return store_rotate_give(s->store, key->device, device_share, now_ms, share);
    case SCRIPT_SECOND_OFFERED:
        code = store_rotate_finish(s->store, key->device, key->next_generation, now_ms);
        break;
    case SCRIPT_SECOND_KEY:
        return store_rotate_file(s->store, identity, third, sizeof third, now_ms, ENDS_MS);
    case SCRIPT_THIRD_OFFERED:
        code = store_rotate_expire(s->store, ENDS_MS);
        break;
    case SCRIPT_THIRD_KEY:
        break;
    }
    s->wrong += code == 0; /* one device was due */
    return code > 0 ? MYCEL_OK : code;
}

int rotate_script_run(struct script *s, const char *identity, uint64_t now_ms)
{
    struct store_key key;
    enum script_rotation stage;
    int code = look(s, identity, &key, &stage);
    while (code == MYCEL_OK && stage != SCRIPT_THIRD_KEY) {
        code = advance(s, identity, &key, stage, now_ms);
        if (code == MYCEL_OK) {
            s->rotation = (enum script_rotation)(stage + 1);
            code = look(s, identity, &key, &stage);
        }
    }
    return code;
}

int rotate_script_check(struct script *s, const char *identity)
{
    struct store_key key;
    enum script_rotation stage;
    int code = look(s, identity, &key, &stage);
    if (code == MYCEL_E_NOT_FOUND && s->rotation == SCRIPT_FIRST_KEY) {
        return MYCEL_OK; /* it was never told that it is enrolled */
    }
    s->lost += code == MYCEL_OK && stage < s->rotation;
    return code;
}
