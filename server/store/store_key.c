/* Reads keys, and what has changed about them. The rotation of keys is in store_rotation.c. It must never
 * put a key into words. */
#include "server/store/internal.h"

#include <string.h>

static void wipe(void *memory, size_t bytes)
{
    explicit_bzero(memory, bytes);
}

int store_key_check(struct store *store, size_t psk_bytes)
{
    if (psk_bytes < PROTO_PSK_BYTES || psk_bytes > PROTO_PSK_BYTES_MAX) {
        return store_fail(store, MYCEL_E_INVALID, "a device key has %u to %u bytes",
                          PROTO_PSK_BYTES, PROTO_PSK_BYTES_MAX);
    }
    return MYCEL_OK;
}

int store_key_first(struct store *store, uint32_t device, const uint8_t *psk, size_t psk_bytes,
                    uint64_t now_ms)
{
    struct query q;
    query_open(&q, store, SQL_KEY_ADD);
    query_u64(&q, device);
    query_u64(&q, now_ms);
    query_bytes(&q, psk, psk_bytes);
    return query_run(&q);
}

int store_key_renew(struct store *store, uint32_t device, const uint8_t psk[PROTO_PSK_BYTES],
                    uint64_t now_ms)
{
    struct query q;
    query_open(&q, store, SQL_KEY_RENEW);
    query_bytes(&q, psk, PROTO_PSK_BYTES);
    query_u64(&q, now_ms);
    query_u64(&q, device);
    int code = query_run(&q);
    return code == MYCEL_OK ? sqlite3_changes(store->db) > 0 : code;
}

int store_key_forget(struct store *store, const char *identity)
{
    static const enum statement steps[] = {SQL_ROTATION_FORGET, SQL_KEY_FORGET};
    int code = MYCEL_OK;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && code == MYCEL_OK; i++) {
        struct query q;
        query_open(&q, store, steps[i]);
        query_text(&q, identity);
        code = query_run(&q);
    }
    return code;
}

void store_rotation_read(struct query *q, struct store_rotation *out)
{
    out->kind = (enum store_rotation_kind)query_get_u32(q);
    out->from_ms = query_get_u64(q);
    out->ends_ms = query_get_u64(q);
    out->made = query_get_u32(q) != 0;
}

/* NULL: no key, which is fine. */
static void read_psk(struct query *q, uint8_t psk[PROTO_PSK_BYTES_MAX], size_t *bytes)
{
    bool has = query_get_has(q);
    size_t length = 0;
    const void *data = query_get_view(q, &length);
    bool fits = data != NULL && length >= PROTO_PSK_BYTES && length <= PROTO_PSK_BYTES_MAX;
    *bytes = 0;
    if (has && !fits) {
        q->code = store_fail(q->store, MYCEL_E_CORRUPT, "a device key is damaged");
    } else if (has) {
        memcpy(psk, data, length);
        *bytes = length;
    }
}

static void read_key(struct query *q, struct store_key *out)
{
    *out = (struct store_key){.device = query_get_u32(q)};
    query_get_text(q, out->identity, sizeof out->identity);
    query_get_text(q, out->device_class, sizeof out->device_class);
    out->state = (enum store_device_state)query_get_u32(q);
    out->mode = (enum store_device_mode)query_get_u32(q);
    out->unconfirmed = query_get_u32(q) != 0;
    out->generation = query_get_u32(q);
    read_psk(q, out->psk, &out->bytes);
    store_rotation_read(q, &out->rotation);
    out->next_generation = query_get_u32(q);
    read_psk(q, out->next, &out->next_bytes);
}

/* The one row of an opened query. */
static int read_one(struct query *q, struct store_key *out)
{
    struct store *store = q->store;
    bool found = query_row(q) == 1;
    *out = (struct store_key){0};
    if (found) {
        read_key(q, out);
    }
    int code = query_close(q);
    if (code == MYCEL_OK && !found) {
        code = store_fail(store, MYCEL_E_NOT_FOUND, "there is no such device");
    }
    if (code != MYCEL_OK) {
        wipe(out, sizeof *out);
    }
    return code;
}

int store_device_key(struct store *store, const char *identity, size_t identity_bytes,
                     struct store_key *out)
{
    struct query q;
    query_open(&q, store, SQL_KEY_BY_IDENTITY);
    query_chars(&q, identity, identity_bytes);
    return read_one(&q, out);
}

int store_key_get(struct store *store, uint32_t device, struct store_key *out)
{
    struct query q;
    query_open(&q, store, SQL_KEY_BY_ID);
    query_u64(&q, device);
    return read_one(&q, out);
}

static int each_key(struct query *q, int (*each)(void *user, const struct store_key *key),
                    void *user)
{
    int result = MYCEL_OK;
    struct store_key key;
    while (result == MYCEL_OK && query_row(q) == 1) {
        read_key(q, &key);
        result = q->code != MYCEL_OK ? q->code : each(user, &key);
        wipe(&key, sizeof key);
    }
    int code = query_close(q);
    return result != MYCEL_OK ? result : code;
}

int store_keys(struct store *store, int (*each)(void *user, const struct store_key *key),
               void *user)
{
    struct query q;
    query_open(&q, store, SQL_KEY_LIST);
    return each_key(&q, each, user);
}

/* --- what has changed ------------------------------------------------------------------------- */

static int change_range(struct store *store, uint64_t *first, uint64_t *last)
{
    struct query q;
    query_open(&q, store, SQL_CHANGE_RANGE);
    if (query_row(&q) == 1) {
        *first = query_get_u64(&q);
        *last = query_get_u64(&q);
    }
    return query_close(&q);
}

int store_change_head(struct store *store, uint64_t *head)
{
    uint64_t first = 0;
    *head = 0;
    return change_range(store, &first, head);
}

int store_change_known(struct store *store, uint64_t since)
{
    uint64_t first = 0;
    uint64_t last = 0;
    int code = change_range(store, &first, &last);
    bool known = since <= last && (last == 0 || since + 1u >= first);
    return code == MYCEL_OK && !known
               ? store_fail(store, MYCEL_E_NOT_FOUND, "too much has changed since")
               : code;
}

int store_keys_changed(struct store *store, uint64_t since,
                       int (*each)(void *user, const struct store_key *key), void *user)
{
    int code = store_change_known(store, since);
    if (code != MYCEL_OK) {
        return code;
    }
    struct query q;
    query_open(&q, store, SQL_KEY_CHANGED);
    query_u64(&q, since);
    return each_key(&q, each, user);
}
