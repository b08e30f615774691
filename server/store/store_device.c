/* Devices: the rules for identities, and what is known of each. Keys are store_key.c's. */
#include "server/store/internal.h"

#include <string.h>

int store_identity_check(const char *identity)
{
    size_t bytes = strnlen(identity, PROTO_IDENTITY_BYTES_MAX + 1);
    if (bytes == 0 || bytes > PROTO_IDENTITY_BYTES_MAX) {
        return MYCEL_E_INVALID;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (identity[i] <= ' ' || identity[i] > '~') {
            return MYCEL_E_INVALID;
        }
    }
    return MYCEL_OK;
}

static int insert(struct store *store, const char *identity, const char *device_class,
                  const uint8_t *psk, size_t psk_bytes, uint64_t now_ms, uint32_t *id)
{
    struct query q;
    query_open(&q, store, SQL_DEVICE_ADD);
    query_text(&q, identity);
    query_text(&q, device_class);
    query_u64(&q, psk != NULL ? STORE_DEVICE_PSK : STORE_DEVICE_CERTIFICATE);
    query_u64(&q, now_ms);
    int code = query_run(&q);
    if (code == MYCEL_E_EXISTS) {
        return store_fail(store, code, "device %s was enrolled before", identity);
    }
    if (code != MYCEL_OK) {
        return code;
    }
    *id = (uint32_t)sqlite3_last_insert_rowid(store->db);
    if (psk != NULL) {
        code = store_key_first(store, *id, psk, psk_bytes, now_ms);
    }
    if (code != MYCEL_OK) {
        return code;
    }
    return store_audit_note(store, now_ms, "store", "device.enroll", identity, device_class);
}

int store_device_check(struct store *store, const char *identity, const char *device_class)
{
    if (store_identity_check(identity) != MYCEL_OK) {
        return store_fail(store, MYCEL_E_INVALID,
                          "a device's name is 1 to %u printable ASCII characters without spaces",
                          PROTO_IDENTITY_BYTES_MAX);
    }
    if (strnlen(device_class, STORE_CLASS_BYTES) >= STORE_CLASS_BYTES) {
        return store_fail(store, MYCEL_E_INVALID, "a device class has at most %d characters",
                          STORE_CLASS_BYTES - 1);
    }
    if (enrol_is_token(identity)) {
        return store_fail(store, MYCEL_E_INVALID, "names that begin with %s are those of tokens",
                          ENROL_PREFIX);
    }
    return MYCEL_OK;
}

int store_device_enroll(struct store *store, const char *identity, const char *device_class,
                        const uint8_t *psk, size_t psk_bytes, uint64_t now_ms, uint32_t *id)
{
    int code = store_device_check(store, identity, device_class);
    if (code != MYCEL_OK) {
        return code;
    }
    if (psk != NULL || psk_bytes > 0) {
        code = store_key_check(store, psk != NULL ? psk_bytes : 0);
    }
    if (code != MYCEL_OK) {
        return code;
    }
    struct scope scope;
    code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    code = insert(store, identity, device_class, psk, psk_bytes, now_ms, id);
    return scope_end(store, &scope, code);
}

static int not_found(struct store *store, const char *identity)
{
    return store_fail(store, MYCEL_E_NOT_FOUND, "there is no device %s", identity);
}

static int no_device(struct store *store, uint32_t id)
{
    return store_fail(store, MYCEL_E_NOT_FOUND, "there is no device %u", id);
}

static int revoke(struct store *store, const char *identity, uint64_t now_ms)
{
    struct query q;
    query_open(&q, store, SQL_DEVICE_REVOKE);
    query_u64(&q, now_ms);
    query_text(&q, identity);
    int code = query_run(&q);
    if (code != MYCEL_OK) {
        return code;
    }
    bool revoked = sqlite3_changes(store->db) > 0;
    int token =
        store_token_revoke(store, identity, now_ms); /* that would make it, or has made it */
    if (token < 0) {
        return token;
    }
    if (!revoked) {
        struct store_device device;
        return token > 0 ? MYCEL_OK : store_device_find(store, identity, &device);
    }
    code = store_key_forget(store, identity);
    if (code != MYCEL_OK) {
        return code;
    }
    return store_audit_note(store, now_ms, "store", "device.revoke", identity, "");
}

int store_device_revoke(struct store *store, const char *identity, uint64_t now_ms)
{
    if (store_identity_check(identity) != MYCEL_OK) {
        return store_fail(store, MYCEL_E_NOT_FOUND, "there is no such device");
    }
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    return scope_end(store, &scope, revoke(store, identity, now_ms));
}

static void read_device(struct query *q, struct store_device *device)
{
    *device = (struct store_device){.accepted = query_get_u32(q)};
    device->rejected = query_get_u32(q);
    device->seen_ms = query_get_u64(q);
    device->id = query_get_u32(q);
    query_get_text(q, device->identity, sizeof device->identity);
    query_get_text(q, device->device_class, sizeof device->device_class);
    device->state = (enum store_device_state)query_get_u32(q);
    device->enrolled_ms = query_get_u64(q);
    device->revoked_ms = query_get_u64(q);
    device->strikes = query_get_u32(q);
    device->quarantine_until_ms = query_get_u64(q);
    device->mode = (enum store_device_mode)query_get_u32(q);
    device->key_generation = query_get_u32(q);
    device->key_since_ms = query_get_u64(q);
    store_rotation_read(q, &device->rotation);
}

/* The one row of an opened query. */
static int read_one(struct query *q, struct store_device *out, bool *found)
{
    *found = query_row(q) == 1;
    if (*found) {
        read_device(q, out);
    }
    return query_close(q);
}

int store_device_find(struct store *store, const char *identity, struct store_device *out)
{
    struct query q;
    bool found;
    query_open(&q, store, SQL_DEVICE_BY_IDENTITY);
    query_text(&q, identity);
    int code = read_one(&q, out, &found);
    return code == MYCEL_OK && !found ? not_found(store, identity) : code;
}

int store_device_get(struct store *store, uint32_t id, struct store_device *out)
{
    struct query q;
    bool found;
    query_open(&q, store, SQL_DEVICE_BY_ID);
    query_u64(&q, id);
    int code = read_one(&q, out, &found);
    return code == MYCEL_OK && !found ? no_device(store, id) : code;
}

static int list(struct store *store, enum statement statement,
                int (*each)(void *user, const struct store_device *device), void *user)
{
    struct query q;
    query_open(&q, store, statement);
    int result = MYCEL_OK;
    while (result == MYCEL_OK && query_row(&q) == 1) {
        struct store_device device;
        read_device(&q, &device);
        result = q.code != MYCEL_OK ? q.code : each(user, &device);
    }
    int code = query_close(&q);
    return result != MYCEL_OK ? result : code;
}

int store_devices(struct store *store, int (*each)(void *user, const struct store_device *device),
                  void *user)
{
    return list(store, SQL_DEVICE_LIST, each, user);
}

int store_devices_conduct(struct store *store,
                          int (*each)(void *user, const struct store_device *device), void *user)
{
    return list(store, SQL_DEVICE_CONDUCT, each, user);
}

static int penalize(struct store *store, uint32_t device, uint32_t strikes,
                    uint64_t quarantine_until_ms)
{
    struct query q;
    query_open(&q, store, SQL_DEVICE_PENALTY);
    query_u64(&q, strikes);
    query_u64(&q, quarantine_until_ms);
    query_u64(&q, device);
    int code = query_run(&q);
    return code == MYCEL_OK && sqlite3_changes(store->db) == 0 ? no_device(store, device) : code;
}

int store_device_penalty(struct store *store, uint32_t device, uint32_t strikes,
                         uint64_t quarantine_until_ms)
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    return scope_end(store, &scope, penalize(store, device, strikes, quarantine_until_ms));
}

int store_device_why(struct store *store, uint32_t device, uint32_t run, uint32_t why,
                     uint64_t now_ms)
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    struct query q;
    query_open(&q, store, SQL_DEVICE_WHY);
    query_u64(&q, device);
    query_u64(&q, run);
    query_u64(&q, why);
    query_u64(&q, now_ms);
    return scope_end(store, &scope, query_run(&q));
}

int store_device_whys(struct store *store, uint32_t device,
                      int (*each)(void *user, const struct store_why *why), void *user)
{
    struct query q;
    query_open(&q, store, SQL_DEVICE_WHYS);
    query_u64(&q, device);
    int result = MYCEL_OK;
    while (result == MYCEL_OK && query_row(&q) == 1) {
        struct store_why why = {.device = query_get_u32(&q)};
        why.run = query_get_u32(&q);
        why.why = query_get_u32(&q);
        why.at_ms = query_get_u64(&q);
        result = q.code != MYCEL_OK ? q.code : each(user, &why);
    }
    int code = query_close(&q);
    return result != MYCEL_OK ? result : code;
}
