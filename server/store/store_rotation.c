/* From one key to the next: the writing half of store_key.h. Every change is one transaction with its
 * audit entry, so that a crash leaves the keys from before it or those from after it. */
#include "server/store/internal.h"

#include "proto/enrol.h"

#include <stdio.h>
#include <string.h>

static void wipe(void *memory, size_t bytes)
{
    explicit_bzero(memory, bytes);
}

static int note(struct store *store, uint32_t device, uint64_t now_ms, const char *action,
                const char *detail)
{
    struct store_device known;
    int code = store_device_get(store, device, &known);
    return code == MYCEL_OK
               ? store_audit_note(store, now_ms, "store", action, known.identity, detail)
               : code;
}

static int run_for(struct store *store, enum statement statement, uint32_t device)
{
    struct query q;
    query_open(&q, store, statement);
    query_u64(&q, device);
    return query_run(&q);
}

/* --- beginning -------------------------------------------------------------------------------- */

/* Whether this device can be given another key now. */
static int check_free(struct store *store, const char *identity, struct store_key *key)
{
    int code =
        store_device_key(store, identity, strnlen(identity, PROTO_IDENTITY_BYTES_MAX + 1), key);
    const char *why = NULL;
    if (code != MYCEL_OK) {
        return code;
    }
    if (key->state != STORE_DEVICE_ACTIVE) {
        why = "was revoked";
    } else if (key->mode != STORE_DEVICE_PSK || key->bytes == 0) {
        why = "has no pre-shared key";
    } else if (key->unconfirmed) {
        why = "has not come with its first key yet";
    } else if (key->rotation.kind != STORE_ROTATION_NONE) {
        why = "has a rotation under way";
    }
    return why != NULL ? store_fail(store, MYCEL_E_STATE, "device %s %s", key->identity, why)
                       : MYCEL_OK;
}

static int add(struct store *store, uint32_t device, uint64_t from_ms, uint64_t ends_ms,
               const uint8_t *share)
{
    struct query q;
    query_open(&q, store, SQL_ROTATION_ADD);
    query_u64(&q, device);
    query_u64(&q, from_ms);
    if (ends_ms > 0) {
        query_u64(&q, ends_ms);
    } else {
        query_null(&q);
    }
    if (share != NULL) {
        query_bytes(&q, share, PROTO_SHARE_BYTES);
    } else {
        query_null(&q);
    }
    return query_run(&q);
}

/* Every next key has a number that no other key of the device ever has. */
static int put_key(struct store *store, uint32_t device, const uint8_t *psk, size_t psk_bytes)
{
    int code = run_for(store, SQL_KEY_NUMBER, device);
    if (code != MYCEL_OK) {
        return code;
    }
    struct query q;
    query_open(&q, store, SQL_ROTATION_KEY);
    query_bytes(&q, psk, psk_bytes);
    query_u64(&q, device);
    return query_run(&q);
}

static int rotate_file(struct store *store, const char *identity, const uint8_t *psk,
                       size_t psk_bytes, uint64_t now_ms, uint64_t ends_ms)
{
    struct store_key key;
    int code = check_free(store, identity, &key);
    uint32_t device = key.device;
    bool same = key.bytes == psk_bytes && memcmp(key.psk, psk, psk_bytes) == 0;
    wipe(&key, sizeof key);
    if (code != MYCEL_OK) {
        return code;
    }
    if (same) {
        return store_fail(store, MYCEL_E_INVALID, "device %s has this key already", identity);
    }
    code = add(store, device, now_ms, ends_ms, NULL);
    if (code == MYCEL_OK) {
        code = put_key(store, device, psk, psk_bytes);
    }
    char detail[48];
    (void)snprintf(detail, sizeof detail, "file, overlap until %llu", (unsigned long long)ends_ms);
    return code == MYCEL_OK
               ? store_audit_note(store, now_ms, "store", "rotation.start", identity, detail)
               : code;
}

int store_rotate_file(struct store *store, const char *identity, const uint8_t *psk,
                      size_t psk_bytes, uint64_t now_ms, uint64_t ends_ms)
{
    int code = store_key_check(store, psk_bytes);
    if (code != MYCEL_OK) {
        return code;
    }
    if (ends_ms <= now_ms) {
        return store_fail(store, MYCEL_E_INVALID, "the overlap ends before it begins");
    }
    struct scope scope;
    code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    return scope_end(store, &scope, rotate_file(store, identity, psk, psk_bytes, now_ms, ends_ms));
}

static int rotate_air(struct store *store, const char *identity,
                      const uint8_t share[PROTO_SHARE_BYTES], uint64_t now_ms, uint64_t from_ms)
{
    struct store_key key;
    int code = check_free(store, identity, &key);
    if (code == MYCEL_OK) {
        code = add(store, key.device, from_ms, 0, share);
    }
    wipe(&key, sizeof key);
    return code == MYCEL_OK ? store_audit_note(store, now_ms, "store", "rotation.start", identity,
                                               "over the air")
                            : code;
}

int store_rotate_air(struct store *store, const char *identity,
                     const uint8_t share[PROTO_SHARE_BYTES], uint64_t now_ms, uint64_t from_ms)
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    return code == MYCEL_OK
               ? scope_end(store, &scope, rotate_air(store, identity, share, now_ms, from_ms))
               : code;
}

/* --- the device's half ------------------------------------------------------------------------ */

static int find_share(struct store *store, uint32_t device, uint64_t now_ms,
                      uint8_t share[PROTO_SHARE_BYTES])
{
    struct query q;
    query_open(&q, store, SQL_ROTATION_SHARE);
    query_u64(&q, device);
    query_u64(&q, now_ms);
    bool found = query_row(&q) == 1;
    if (found) {
        query_get_bytes(&q, share, PROTO_SHARE_BYTES);
    }
    int code = query_close(&q);
    return code == MYCEL_OK && !found ? store_fail(store, MYCEL_E_NOT_FOUND,
                                                   "device %u is not due for another key", device)
                                      : code;
}

/* 1: this is the next key already. */
static int has_key(struct store *store, uint32_t device, const uint8_t psk[PROTO_PSK_BYTES])
{
    struct query q;
    query_open(&q, store, SQL_ROTATION_HAS);
    query_u64(&q, device);
    query_bytes(&q, psk, PROTO_PSK_BYTES);
    bool same = query_row(&q) == 1;
    int code = query_close(&q);
    return code == MYCEL_OK ? same : code;
}

static int give(struct store *store, uint32_t device, const uint8_t device_share[PROTO_SHARE_BYTES],
                uint64_t now_ms, uint8_t share[PROTO_SHARE_BYTES])
{
    uint8_t psk[PROTO_PSK_BYTES];
    int code = find_share(store, device, now_ms, share);
    if (code != MYCEL_OK) {
        return code;
    }
    enrol_next_key(device_share, share, psk);
    code = has_key(store, device, psk);
    bool same = code == 1;
    if (code == 0) {
        code = put_key(store, device, psk, sizeof psk);
    }
    wipe(psk, sizeof psk);
    if (code < 0 || same) {
        return code < 0 ? code : MYCEL_OK;
    }
    return note(store, device, now_ms, "rotation.key", "");
}

int store_rotate_give(struct store *store, uint32_t device,
                      const uint8_t device_share[PROTO_SHARE_BYTES], uint64_t now_ms,
                      uint8_t share[PROTO_SHARE_BYTES])
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code == MYCEL_OK) {
        code = scope_end(store, &scope, give(store, device, device_share, now_ms, share));
    }
    if (code != MYCEL_OK) {
        wipe(share, PROTO_SHARE_BYTES);
    }
    return code;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* The next key becomes the only one if it is `generation`, or if its time has come. 1: it did. */
static int take_next(struct store *store, uint32_t device, uint32_t generation, uint64_t now_ms,
                     const char *why)
{
    struct query q;
    query_open(&q, store, SQL_ROTATION_TAKE);
    query_u64(&q, now_ms);
    query_u64(&q, device);
    query_u64(&q, generation);
    int code = query_run(&q);
    if (code != MYCEL_OK || sqlite3_changes(store->db) == 0) {
        return code;
    }
    code = run_for(store, SQL_ROTATION_END, device);
    if (code == MYCEL_OK) {
        code = note(store, device, now_ms, "rotation.finish", why);
    }
    return code == MYCEL_OK ? 1 : code;
}

int store_rotate_finish(struct store *store, uint32_t device, uint32_t generation, uint64_t now_ms)
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    return code == MYCEL_OK
               ? scope_end(store, &scope, take_next(store, device, generation, now_ms, "used"))
               : code;
}

/* The device of one rotation that is over, 0: none. */
static int find_due(struct store *store, uint64_t now_ms, uint32_t *device)
{
    struct query q;
    query_open(&q, store, SQL_ROTATION_DUE);
    query_u64(&q, now_ms);
    *device = query_row(&q) == 1 ? query_get_u32(&q) : 0;
    return query_close(&q);
}

static int expire(struct store *store, uint64_t now_ms)
{
    int count = 0;
    uint32_t device = 0;
    int code = find_due(store, now_ms, &device);
    while (code >= 0 && device > 0) {
        code = take_next(store, device, 0, now_ms, "overlap over");
        count++;
        if (code == 0) { /* its device has a key: the foreign key says so */
            return store_fail(store, MYCEL_E_CORRUPT, "the rotation of device %u is damaged",
                              device);
        }
        if (code > 0) {
            code = find_due(store, now_ms, &device);
        }
    }
    return code < 0 ? code : count;
}

int store_rotate_expire(struct store *store, uint64_t now_ms)
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    return code == MYCEL_OK ? scope_end(store, &scope, expire(store, now_ms)) : code;
}

int store_rotate_next_end(struct store *store, uint64_t *ends_ms)
{
    struct query q;
    *ends_ms = UINT64_MAX;
    query_open(&q, store, SQL_ROTATION_NEXT);
    if (query_row(&q) == 1 && query_get_has(&q)) {
        *ends_ms = query_get_u64(&q);
    }
    return query_close(&q);
}

static int give_up(struct store *store, const char *identity, bool force, uint64_t now_ms)
{
    struct store_device device;
    int code = store_device_find(store, identity, &device);
    if (code != MYCEL_OK) {
        return code;
    }
    if (device.rotation.kind == STORE_ROTATION_NONE) {
        return store_fail(store, MYCEL_E_STATE, "device %s has no rotation under way", identity);
    }
    if (device.rotation.kind == STORE_ROTATION_AIR && device.rotation.made && !force) {
        return store_fail(store, MYCEL_E_EXISTS, "device %s may have its next key already",
                          identity);
    }
    code = run_for(store, SQL_ROTATION_END, device.id);
    return code == MYCEL_OK
               ? store_audit_note(store, now_ms, "store", "rotation.abort", identity, "")
               : code;
}

int store_rotate_abort(struct store *store, const char *identity, bool force, uint64_t now_ms)
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    return code == MYCEL_OK ? scope_end(store, &scope, give_up(store, identity, force, now_ms))
                            : code;
}
