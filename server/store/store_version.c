/* Model versions, and the transaction that ends a round. It must never leave a version without its
 * content, or a round committed without its version. */
#include "server/store/internal.h"

#include <math.h>
#include <string.h>

static void bind_version(struct query *q, const struct store_version *v)
{
    query_u64(q, v->run);
    query_u64(q, v->number);
    query_u64(q, (uint64_t)v->kind);
    query_u64(q, v->source);
    query_u64(q, v->round);
    query_u64(q, v->created_ms);
    query_bytes(q, v->sha256, sizeof v->sha256);
    if (v->has_parent) {
        query_u64(q, v->parent);
    } else {
        query_null(q);
    }
    if (v->has_optimizer) {
        query_bytes(q, v->optimizer_sha256, sizeof v->optimizer_sha256);
    } else {
        query_null(q);
    }
    if (v->has_metrics) {
        query_real(q, v->metrics.accuracy);
        query_real(q, v->metrics.loss);
        query_u64(q, v->metrics.samples);
    } /* else they stay unbound, which is NULL */
}

static void read_version(struct query *q, struct store_version *v)
{
    *v = (struct store_version){.run = query_get_u32(q)};
    v->number = query_get_u32(q);
    v->kind = (enum store_version_kind)query_get_u32(q);
    v->source = query_get_u32(q);
    v->round = query_get_u32(q);
    v->created_ms = query_get_u64(q);
    query_get_bytes(q, v->sha256, sizeof v->sha256);
    v->bytes = query_get_u64(q);
    v->kept = query_get_u32(q) != 0;
    v->has_parent = query_get_has(q);
    v->parent = query_get_u32(q);
    v->has_optimizer = query_get_has(q);
    if (v->has_optimizer) {
        query_get_bytes(q, v->optimizer_sha256, sizeof v->optimizer_sha256);
    } else {
        q->column++;
    }
    v->metrics.accuracy = query_get_real(q);
    v->metrics.loss = query_get_real(q);
    v->has_metrics = query_get_has(q);
    v->metrics.samples = query_get_u32(q);
}

static int add(struct store *store, const struct store_version *version)
{
    struct query q;
    query_open(&q, store, SQL_VERSION_ADD);
    bind_version(&q, version);
    int code = query_run(&q);
    if (code == MYCEL_E_EXISTS) {
        code = store_fail(store, code, "run %u has a version %u already", version->run,
                          version->number);
    }
    return code;
}

int store_version_add(struct store *store, const struct store_version *version)
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    return scope_end(store, &scope, add(store, version));
}

static int no_version(struct store *store, uint32_t run, uint32_t number)
{
    return store_fail(store, MYCEL_E_NOT_FOUND, "run %u has no version %u", run, number);
}

static int measure(struct store *store, uint32_t run, uint32_t number,
                   const struct store_metrics *metrics)
{
    struct query q;
    query_open(&q, store, SQL_VERSION_MEASURED);
    query_real(&q, metrics->accuracy);
    query_real(&q, metrics->loss);
    query_u64(&q, metrics->samples);
    query_u64(&q, run);
    query_u64(&q, number);
    int code = query_run(&q);
    return code == MYCEL_OK && sqlite3_changes(store->db) == 0 ? no_version(store, run, number)
                                                               : code;
}

int store_version_measured(struct store *store, uint32_t run, uint32_t number,
                           const struct store_metrics *metrics)
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    return scope_end(store, &scope, measure(store, run, number, metrics));
}

static int read_one(struct query *q, struct store_version *out, bool *found)
{
    *found = query_row(q) == 1;
    if (*found) {
        read_version(q, out);
    }
    return query_close(q);
}

int store_version_get(struct store *store, uint32_t run, uint32_t number, struct store_version *out)
{
    struct query q;
    bool found;
    query_open(&q, store, SQL_VERSION_GET);
    query_u64(&q, run);
    query_u64(&q, number);
    int code = read_one(&q, out, &found);
    return code == MYCEL_OK && !found ? no_version(store, run, number) : code;
}

int store_version_newest(struct store *store, uint32_t run, struct store_version *out)
{
    struct query q;
    bool found;
    query_open(&q, store, SQL_VERSION_NEWEST);
    query_u64(&q, run);
    int code = read_one(&q, out, &found);
    return code == MYCEL_OK && !found
               ? store_fail(store, MYCEL_E_NOT_FOUND, "run %u has no version", run)
               : code;
}

int store_versions(struct store *store, uint32_t run,
                   int (*each)(void *user, const struct store_version *version), void *user)
{
    struct query q;
    query_open(&q, store, SQL_VERSION_LIST);
    query_u64(&q, run);
    int result = MYCEL_OK;
    while (result == MYCEL_OK && query_row(&q) == 1) {
        struct store_version version;
        read_version(&q, &version);
        result = q.code != MYCEL_OK ? q.code : each(user, &version);
    }
    int code = query_close(&q);
    return result != MYCEL_OK ? result : code;
}

static int publish_parts(struct store *store, const struct store_publish *publish,
                         uint8_t sha256[PROTO_SHA256_BYTES])
{
    struct store_version version = publish->version;
    int code = store_blob_put(store, publish->model, publish->model_bytes, version.sha256);
    version.has_optimizer = publish->optimizer != NULL;
    if (code == MYCEL_OK && version.has_optimizer) {
        code = store_blob_put(store, publish->optimizer, publish->optimizer_bytes,
                              version.optimizer_sha256);
    }
    if (code == MYCEL_OK) {
        code = store_version_add(store, &version);
    }
    if (code == MYCEL_OK && publish->frame != NULL) {
        code = store_downlink_add(store, publish);
    }
    if (code == MYCEL_OK) {
        struct store_round round = publish->round;
        round.state = STORE_ROUND_COMMITTED;
        round.has_version = true;
        round.version = version.number;
        code = store_round_put(store, &round);
    }
    if (code == MYCEL_OK) {
        int dropped = store_spool_drop(store, publish->round.run, publish->round.round);
        code = dropped < 0 ? dropped : MYCEL_OK;
    }
    memcpy(sha256, version.sha256, PROTO_SHA256_BYTES);
    return code;
}

int store_publish(struct store *store, const struct store_publish *publish,
                  uint8_t sha256[PROTO_SHA256_BYTES])
{
    if (publish->version.run != publish->round.run ||
        publish->version.round != publish->round.round) {
        return store_fail(store, MYCEL_E_INVALID, "version and round do not belong together");
    }
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    return scope_end(store, &scope, publish_parts(store, publish, sha256));
}

const char *store_version_kind_name(enum store_version_kind kind)
{
    switch (kind) {
    case STORE_VERSION_INITIAL:
        return "initial";
    case STORE_VERSION_ROUND:
        return "round";
    case STORE_VERSION_ROLLBACK:
        return "rollback";
    case STORE_VERSION_IMPORT:
        return "import";
    case STORE_VERSION_AVERAGE:
        return "average";
    }
    return "unknown";
}
