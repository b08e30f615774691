/* The spool. It owns the table, the bodies gathered for its next row, and the reading of one body out of many. */
#include "server/store/spool.h"

#include <stdlib.h>
#include <string.h>

static int insert(struct store *store, uint64_t row, uint32_t run, uint32_t round, const void *data,
                  size_t bytes)
{
    struct query q;
    query_open(&q, store, SQL_SPOOL_ADD);
    query_u64(&q, row);
    query_u64(&q, run);
    query_u64(&q, round);
    query_bytes(&q, data, bytes);
    return query_run(&q);
}

/* Only in a transaction that is kept or undone as one may a body wait for its end. */
static bool gathers(const struct store *store, const struct store_update *update)
{
    return store->whole && store->marks == 1 && update->body_bytes <= SPOOL_SMALL_BYTES;
}

static bool fits(const struct spool_batch *batch, const struct store_update *update)
{
    return batch->bytes > 0 && batch->run == update->run && batch->round == update->counted_round &&
           update->body_bytes <= SPOOL_BATCH_BYTES - batch->bytes;
}

static int next_row(struct store *store, uint64_t *row)
{
    struct query q;
    query_open(&q, store, SQL_SPOOL_NEXT);
    *row = query_row(&q) == 1 ? query_get_u64(&q) : 0;
    return query_close(&q);
}

int spool_reserve(struct store *store, const struct store_update *update, struct spool_place *place)
{
    *place = (struct spool_place){.kept = update->status == 0 && update->body != NULL &&
                                          update->body_bytes > 0};
    if (!place->kept) {
        return MYCEL_OK;
    }
    place->bytes = update->body_bytes;
    if (gathers(store, update) && fits(&store->spool, update)) {
        place->row = store->spool.row;
        place->at = store->spool.bytes;
        return MYCEL_OK;
    }
    return next_row(store, &place->row);
}

int spool_add(struct store *store, const struct store_update *update,
              const struct spool_place *place)
{
    struct spool_batch *batch = &store->spool;
    if (!gathers(store, update)) {
        return insert(store, place->row, update->run, update->counted_round, update->body,
                      update->body_bytes);
    }
    if (batch->data == NULL) {
        batch->data = malloc(SPOOL_BATCH_BYTES);
        if (batch->data == NULL) {
            return store_fail(store, MYCEL_E_NO_MEMORY, "out of memory");
        }
    }
    if (place->at == 0) {
        int code = spool_flush(store);
        if (code != MYCEL_OK) {
            return code;
        }
        batch->row = place->row;
        batch->run = update->run;
        batch->round = update->counted_round;
    }
    memcpy(batch->data + place->at, update->body, update->body_bytes);
    batch->bytes = (size_t)(place->at + place->bytes);
    return MYCEL_OK;
}

int spool_flush(struct store *store)
{
    struct spool_batch *batch = &store->spool;
    if (batch->bytes == 0) {
        return MYCEL_OK;
    }
    int code = insert(store, batch->row, batch->run, batch->round, batch->data, batch->bytes);
    batch->bytes = 0;
    if (code != MYCEL_OK) {
        store->spoiled = code; /* whoever asked: there are updates without their bodies now */
    }
    return code;
}

void spool_forget(struct store *store)
{
    store->spool.bytes = 0;
}

/* --- reading and dropping ---------------------------------------------------------------------- */

static int find_body(struct store *store, const uint8_t key[PROTO_KEY_BYTES], struct blob *blob)
{
    struct query q;
    *blob = (struct blob){.table = "spool", .column = "bodies"};
    query_open(&q, store, SQL_SPOOL_FIND);
    query_bytes(&q, key, PROTO_KEY_BYTES);
    bool found = query_row(&q) == 1;
    if (found) {
        blob->row = (int64_t)query_get_u64(&q);
        blob->stored = query_get_u64(&q);
        blob->at = query_get_u64(&q);
        blob->bytes = query_get_u64(&q);
        query_get_bytes(&q, blob->sha256, sizeof blob->sha256);
    }
    int code = query_close(&q);
    if (code == MYCEL_OK && !found) {
        return store_fail(store, MYCEL_E_NOT_FOUND, "this update is not spooled (any more)");
    }
    if (code == MYCEL_OK && (blob->at > blob->stored || blob->bytes > blob->stored - blob->at)) {
        return store_fail(store, MYCEL_E_CORRUPT, "a body lies outside its row");
    }
    return code;
}

int store_body_size(struct store *store, const uint8_t key[PROTO_KEY_BYTES], uint64_t *bytes)
{
    struct blob blob;
    int code = find_body(store, key, &blob);
    *bytes = blob.bytes;
    return code;
}

int store_body_load(struct store *store, const uint8_t key[PROTO_KEY_BYTES], void *data,
                    size_t capacity, size_t *bytes)
{
    struct blob blob;
    *bytes = 0;
    int code = find_body(store, key, &blob);
    return code != MYCEL_OK ? code : blob_load(store, &blob, data, capacity, bytes);
}

int store_spool_drop(struct store *store, uint32_t run, uint32_t counted_round)
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    if (store->spool.run == run && store->spool.round == counted_round) {
        spool_forget(store);
    }
    struct query q;
    query_open(&q, store, SQL_SPOOL_DROP);
    query_u64(&q, run);
    query_u64(&q, counted_round);
    code = query_run(&q);
    return scope_end(store, &scope, code != MYCEL_OK ? code : sqlite3_changes(store->db));
}
