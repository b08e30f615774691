/* Leases: who was given which work, until when. It owns one rule: a lease whose update was decided is
 * never opened again. */
#include "server/store/internal.h"

static void bind_lease(struct query *q, const struct store_lease *lease)
{
    query_bytes(q, lease->key, sizeof lease->key);
    query_u64(q, lease->device);
    query_u64(q, lease->run);
    query_u64(q, lease->round);
    query_u64(q, lease->attempt);
    query_u64(q, lease->base_version);
    query_u64(q, lease->codec);
    query_bits(q, lease->seed);
    query_u64(q, lease->issued_ms);
    query_u64(q, lease->deadline_ms);
    query_u64(q, (uint64_t)lease->state);
}

static void read_lease(struct query *q, struct store_lease *lease)
{
    query_get_bytes(q, lease->key, sizeof lease->key);
    lease->device = query_get_u32(q);
    lease->run = query_get_u32(q);
    lease->round = query_get_u32(q);
    lease->attempt = query_get_u32(q);
    lease->base_version = query_get_u32(q);
    lease->codec = query_get_u32(q);
    lease->seed = query_get_bits(q);
    lease->issued_ms = query_get_u64(q);
    lease->deadline_ms = query_get_u64(q);
    lease->state = (enum store_lease_state)query_get_u32(q);
    query_get_bytes(q, lease->base_sha256, sizeof lease->base_sha256);
}

static int put(struct store *store, const struct store_lease *lease)
{
    struct query q;
    query_open(&q, store, SQL_LEASE_ADD);
    bind_lease(&q, lease);
    int code = query_run(&q);
    if (code == MYCEL_OK && sqlite3_changes(store->db) == 0) {
        code = store_fail(store, MYCEL_E_CONFLICT, "this lease was used, or is somebody else's");
    }
    return code;
}

int store_lease_put(struct store *store, const struct store_lease *lease)
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    return scope_end(store, &scope, put(store, lease));
}

int store_lease_get(struct store *store, const uint8_t key[PROTO_KEY_BYTES],
                    struct store_lease *out)
{
    struct query q;
    query_open(&q, store, SQL_LEASE_GET);
    query_bytes(&q, key, PROTO_KEY_BYTES);
    bool found = query_row(&q) == 1;
    if (found) {
        read_lease(&q, out);
    }
    int code = query_close(&q);
    return code == MYCEL_OK && !found
               ? store_fail(store, MYCEL_E_NOT_FOUND, "there is no such lease")
               : code;
}

int store_leases_undecided(struct store *store, uint32_t run, uint32_t round_from,
                           int (*each)(void *user, const struct store_lease *lease), void *user)
{
    struct query q;
    query_open(&q, store, SQL_LEASE_UNDECIDED);
    query_u64(&q, run);
    query_u64(&q, round_from);
    int result = MYCEL_OK;
    while (result == MYCEL_OK && query_row(&q) == 1) {
        struct store_lease lease;
        read_lease(&q, &lease);
        result = q.code != MYCEL_OK ? q.code : each(user, &lease);
    }
    int code = query_close(&q);
    return result != MYCEL_OK ? result : code;
}
