/* Rounds of a run. It owns two rules: a round that is committed stays as it is, and one that was abandoned keeps
 * no bodies. */
#include "server/store/internal.h"

static void bind_round(struct query *q, const struct store_round *round)
{
    query_u64(q, round->run);
    query_u64(q, round->round);
    query_u64(q, round->attempt);
    query_u64(q, (uint64_t)round->state);
    query_u64(q, round->base_version);
    query_u64(q, round->granted);
    query_u64(q, round->accepted);
    query_u64(q, round->rejected);
    query_u64(q, round->samples);
    query_u64(q, round->started_ms);
    query_u64(q, round->closed_ms);
    if (round->has_version) {
        query_u64(q, round->version);
    } else {
        query_null(q);
    }
}

static int put(struct store *store, const struct store_round *round)
{
    struct query q;
    query_open(&q, store, SQL_ROUND_PUT);
    bind_round(&q, round);
    int code = query_run(&q);
    if (code == MYCEL_OK && sqlite3_changes(store->db) == 0) {
        code = store_fail(store, MYCEL_E_STATE, "round %u of run %u is committed", round->round,
                          round->run);
    }
    if (code == MYCEL_OK && round->state == STORE_ROUND_ABANDONED) {
        int dropped = store_spool_drop(store, round->run, round->round);
        code = dropped < 0 ? dropped : MYCEL_OK;
    }
    return code;
}

int store_round_put(struct store *store, const struct store_round *round)
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    return scope_end(store, &scope, put(store, round));
}

static void read_round(struct query *q, struct store_round *round)
{
    *round = (struct store_round){.run = query_get_u32(q)};
    round->round = query_get_u32(q);
    round->attempt = query_get_u32(q);
    round->state = (enum store_round_state)query_get_u32(q);
    round->base_version = query_get_u32(q);
    round->granted = query_get_u32(q);
    round->accepted = query_get_u32(q);
    round->rejected = query_get_u32(q);
    round->samples = query_get_u64(q);
    round->started_ms = query_get_u64(q);
    round->closed_ms = query_get_u64(q);
    round->has_version = query_get_has(q);
    round->version = query_get_u32(q);
}

int store_round_get(struct store *store, uint32_t run, uint32_t round, struct store_round *out)
{
    struct query q;
    query_open(&q, store, SQL_ROUND_GET);
    query_u64(&q, run);
    query_u64(&q, round);
    bool found = query_row(&q) == 1;
    if (found) {
        read_round(&q, out);
    }
    int code = query_close(&q);
    return code == MYCEL_OK && !found
               ? store_fail(store, MYCEL_E_NOT_FOUND, "run %u has no round %u", run, round)
               : code;
}

int store_rounds(struct store *store, uint32_t run, bool open_only,
                 int (*each)(void *user, const struct store_round *round), void *user)
{
    struct query q;
    query_open(&q, store, SQL_ROUND_LIST);
    query_u64(&q, run);
    query_u64(&q, open_only);
    int result = MYCEL_OK;
    while (result == MYCEL_OK && query_row(&q) == 1) {
        struct store_round round;
        read_round(&q, &round);
        result = q.code != MYCEL_OK ? q.code : each(user, &round);
    }
    int code = query_close(&q);
    return result != MYCEL_OK ? result : code;
}

const char *store_round_state_name(enum store_round_state state)
{
    static const char *const names[] = {"idle",    "select",    "report",   "aggregate",
                                        "publish", "committed", "abandoned"};
    size_t index = (size_t)state;
    return index < sizeof names / sizeof names[0] ? names[index] : "unknown";
}
