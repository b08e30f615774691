/*
 * Decided updates. It owns the promise that one key has one decision, and that one
 * device counts once per round: checked here in words, and by unique indexes if this file is wrong.
 */
#include "server/store/spool.h"

#include <string.h>

static void bind_update(struct query *q, const struct store_update *u)
{
    query_bytes(q, u->key, sizeof u->key);
    query_u64(q, u->device);
    query_u64(q, u->run);
    query_u64(q, u->round);
    query_i32(q, u->status);
    query_u64(q, u->late);
    query_u64(q, u->counted_round);
    query_bytes(q, u->digest, sizeof u->digest);
    query_u64(q, u->received_ms);
    query_u64(q, u->samples);
    query_u64(q, u->steps);
    query_u64(q, u->train_ms);
    query_u64(q, u->codec);
    query_real(q, u->loss_first);
    query_real(q, u->loss_last);
    query_real(q, u->norm);
    query_u64(q, u->weight);
    query_u64(q, u->staleness);
    query_u64(q, u->scale_q16);
    query_bytes(q, u->receipt, u->receipt_bytes);
}

static void bind_place(struct query *q, const struct spool_place *place)
{
    if (place->kept) {
        query_u64(q, place->row);
    } else {
        query_null(q);
    }
    query_u64(q, place->at);
    query_u64(q, place->bytes);
}

static void read_update(struct query *q, struct store_update *u)
{
    *u = (struct store_update){.status = 0};
    query_get_bytes(q, u->key, sizeof u->key);
    u->device = query_get_u32(q);
    u->run = query_get_u32(q);
    u->round = query_get_u32(q);
    u->base_version = query_get_u32(q);
    u->status = query_get_i32(q);
    u->late = query_get_u32(q) != 0;
    u->counted_round = query_get_u32(q);
    query_get_bytes(q, u->digest, sizeof u->digest);
    u->received_ms = query_get_u64(q);
    u->samples = query_get_u32(q);
    u->steps = query_get_u32(q);
    u->train_ms = query_get_u32(q);
    u->codec = query_get_u32(q);
    u->loss_first = query_get_real(q);
    u->loss_last = query_get_real(q);
    u->norm = query_get_real(q);
    u->weight = query_get_u64(q);
    u->staleness = query_get_u32(q);
    u->scale_q16 = query_get_u32(q);
    u->receipt = query_get_view(q, &u->receipt_bytes);
    u->body_bytes = (size_t)query_get_u64(q);
    u->attempt = query_get_u32(q);
}

/* What the key's row says: 0 if it was never decided, else EXISTS or CONFLICT. */
static int check_undecided(struct store *store, const struct store_update *update)
{
    struct query q;
    uint8_t digest[PROTO_SHA256_BYTES];
    query_open(&q, store, SQL_UPDATE_RECEIPT);
    query_bytes(&q, update->key, sizeof update->key);
    bool decided = query_row(&q) == 1;
    if (decided) {
        query_get_bytes(&q, digest, sizeof digest);
    }
    int code = query_close(&q);
    if (code != MYCEL_OK || !decided) {
        return code;
    }
    if (memcmp(digest, update->digest, sizeof digest) == 0) {
        return store_fail(store, MYCEL_E_EXISTS, "this update was decided before");
    }
    return store_fail(store, MYCEL_E_CONFLICT, "the key was used for another update");
}

static int check_lease(struct store *store, const struct store_update *update)
{
    struct store_lease lease;
    int code = store_lease_get(store, update->key, &lease);
    bool fits = code == MYCEL_OK && lease.device == update->device && lease.run == update->run &&
                lease.round == update->round;
    if (code == MYCEL_E_NOT_FOUND || (code == MYCEL_OK && !fits)) {
        return store_fail(store, MYCEL_E_LEASE, "there is no such lease");
    }
    return code;
}

/* Why the row could not be: without a fitting lease it refers to nothing, and each lease has one at most. */
static int explain(struct store *store, const struct store_update *update, int refused)
{
    int code = check_undecided(store, update);
    if (code == MYCEL_OK) {
        code = check_lease(store, update);
    }
    if (code == MYCEL_OK && refused == MYCEL_E_EXISTS) {
        code = store_fail(store, MYCEL_E_CONFLICT, "device %u was counted in round %u already",
                          update->device, update->round);
    }
    return code != MYCEL_OK ? code : refused;
}

/* Nearly always the lease is there, fits and has no decision: that is asked only if the row cannot be. */
static int add(struct store *store, const struct store_update *update)
{
    struct spool_place place;
    int code = spool_reserve(store, update, &place);
    if (code != MYCEL_OK) {
        return code;
    }
    struct query q;
    query_open(&q, store, SQL_UPDATE_ADD);
    bind_update(&q, update);
    bind_place(&q, &place);
    code = query_run(&q);
    if (code == MYCEL_E_EXISTS || code == MYCEL_E_INVALID) {
        return explain(store, update, code);
    }
    return code == MYCEL_OK && place.kept ? spool_add(store, update, &place) : code;
}

int store_update_add(struct store *store, const struct store_update *update)
{
    if (update->body_bytes > PROTO_UPDATE_BYTES_MAX) {
        return store_fail(store, MYCEL_E_TOO_LARGE, "the update has more than %u bytes",
                          PROTO_UPDATE_BYTES_MAX);
    }
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    return scope_end(store, &scope, add(store, update));
}

int store_receipt(struct store *store, const uint8_t key[PROTO_KEY_BYTES], void *receipt,
                  size_t capacity, size_t *bytes, uint8_t digest[PROTO_SHA256_BYTES])
{
    struct query q;
    query_open(&q, store, SQL_UPDATE_RECEIPT);
    query_bytes(&q, key, PROTO_KEY_BYTES);
    *bytes = 0;
    bool found = query_row(&q) == 1;
    if (found) {
        uint8_t stored[PROTO_SHA256_BYTES];
        query_get_bytes(&q, stored, sizeof stored);
        const void *data = query_get_view(&q, bytes);
        if (*bytes > capacity) {
            q.code = store_fail(store, MYCEL_E_NO_MEMORY, "the receipt has %zu bytes", *bytes);
        } else if (*bytes > 0) {
            memcpy(receipt, data, *bytes);
        }
        if (digest != NULL) {
            memcpy(digest, stored, sizeof stored);
        }
    }
    int code = query_close(&q);
    return code == MYCEL_OK && !found
               ? store_fail(store, MYCEL_E_NOT_FOUND, "this key has no receipt")
               : code;
}

/* Gives each row of an opened query to the caller, and closes it. */
static int list(struct query *q, int (*each)(void *user, const struct store_update *update),
                void *user)
{
    int result = MYCEL_OK;
    while (result == MYCEL_OK && query_row(q) == 1) {
        struct store_update update;
        read_update(q, &update);
        result = q->code != MYCEL_OK ? q->code : each(user, &update);
    }
    int code = query_close(q);
    return result != MYCEL_OK ? result : code;
}

int store_updates(struct store *store, uint32_t run, uint32_t round,
                  int (*each)(void *user, const struct store_update *update), void *user)
{
    struct query q;
    query_open(&q, store, SQL_UPDATE_LIST);
    query_u64(&q, run);
    query_u64(&q, round);
    return list(&q, each, user);
}

int store_spooled(struct store *store, uint32_t run, uint32_t counted_round,
                  int (*each)(void *user, const struct store_update *update), void *user)
{
    struct query q;
    query_open(&q, store, SQL_SPOOL_LIST);
    query_u64(&q, run);
    query_u64(&q, counted_round);
    return list(&q, each, user);
}

int store_updates_recent(struct store *store, uint32_t run, uint32_t round, uint32_t before,
                         int (*each)(void *user, const struct store_update *update), void *user)
{
    struct query q;
    query_open(&q, store, SQL_UPDATE_RECENT);
    query_u64(&q, run);
    query_u64(&q, round);
    query_u64(&q, before);
    return list(&q, each, user);
}

int store_updates_refused(struct store *store, uint32_t device, uint32_t newest,
                          int (*each)(void *user, const struct store_update *update), void *user)
{
    struct query q;
    query_open(&q, store, SQL_UPDATE_REFUSED);
    query_u64(&q, device);
    query_u64(&q, newest);
    return list(&q, each, user);
}

int store_shares(struct store *store, uint32_t run,
                 int (*each)(void *user, const struct store_share *share), void *user)
{
    struct query q;
    query_open(&q, store, SQL_SHARE_LIST);
    query_u64(&q, run);
    int result = MYCEL_OK;
    while (result == MYCEL_OK && query_row(&q) == 1) {
        struct store_share share = {.run = run};
        share.device = query_get_u32(&q);
        share.accepted = query_get_u32(&q);
        share.last_round = query_get_u32(&q);
        result = q.code != MYCEL_OK ? q.code : each(user, &share);
    }
    int code = query_close(&q);
    return result != MYCEL_OK ? result : code;
}
