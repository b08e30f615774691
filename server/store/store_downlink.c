/* What devices hold of versions: a frame each. It must never give a chain with a gap. */
#include "server/store/internal.h"

#include <string.h>

_Static_assert(STORE_CHAIN_FRAMES_MAX == 32, "BLOB_RETAIN and DOWNLINK_LIST look back 31 versions");

int store_downlink_add(struct store *store, const struct store_publish *publish)
{
    uint8_t frame[PROTO_SHA256_BYTES];
    int code = store_blob_put(store, publish->frame, publish->frame_bytes, frame);
    if (code != MYCEL_OK) {
        return code;
    }
    struct query q;
    query_open(&q, store, SQL_DOWNLINK_ADD);
    query_u64(&q, publish->version.run);
    query_u64(&q, publish->version.number);
    query_u64(&q, publish->frame_key);
    query_bytes(&q, publish->held_sha256, sizeof publish->held_sha256);
    query_bytes(&q, frame, sizeof frame);
    return query_run(&q);
}

static void read_downlink(struct query *q, struct store_downlink *out)
{
    out->run = query_get_u32(q);
    out->version = query_get_u32(q);
    out->key = query_get_u32(q) != 0;
    query_get_bytes(q, out->held_sha256, sizeof out->held_sha256);
    query_get_bytes(q, out->frame_sha256, sizeof out->frame_sha256);
}

/* Newest first, down to the key frame. */
static int list_back(struct store *store, uint32_t run, uint32_t version,
                     struct store_downlink rows[STORE_CHAIN_FRAMES_MAX])
{
    struct query q;
    int count = 0;
    bool whole = false, gap = false;
    query_open(&q, store, SQL_DOWNLINK_LIST);
    query_u64(&q, run);
    query_u64(&q, version);
    while (!whole && !gap && query_row(&q) == 1) {
        read_downlink(&q, &rows[count]);
        gap = rows[count].version != version - (uint32_t)count;
        whole = rows[count].key;
        count++;
    }
    int code = query_close(&q);
    if (code != MYCEL_OK) {
        return code;
    }
    if (count == 0 || (gap && count == 1)) {
        return MYCEL_E_NOT_FOUND;
    }
    return gap || !whole
               ? store_fail(store, MYCEL_E_CORRUPT, "a frame before version %u is missing", version)
               : count;
}

int store_chain(struct store *store, uint32_t run, uint32_t version,
                struct store_downlink rows[STORE_CHAIN_FRAMES_MAX])
{
    int count = list_back(store, run, version, rows);
    for (int i = 0; i < count / 2; i++) {
        struct store_downlink swapped = rows[i];
        rows[i] = rows[count - 1 - i];
        rows[count - 1 - i] = swapped;
    }
    return count;
}

/* The bytes of all frames together. */
static int measure(struct store *store, const struct store_downlink *rows, int count, size_t *bytes)
{
    int code = MYCEL_OK;
    *bytes = 0;
    for (int i = 0; i < count && code == MYCEL_OK; i++) {
        uint64_t frame = 0;
        code = store_blob_size(store, rows[i].frame_sha256, &frame);
        *bytes += (size_t)frame;
    }
    return code;
}

int store_chain_load(struct store *store, uint32_t run, uint32_t version, void *data,
                     size_t capacity, size_t *bytes)
{
    struct store_downlink rows[STORE_CHAIN_FRAMES_MAX];
    *bytes = 0;
    int count = store_chain(store, run, version, rows);
    if (count < 0 || data == NULL) {
        return count < 0 ? count : measure(store, rows, count, bytes);
    }
    int code = MYCEL_OK;
    for (int i = 0; i < count && code == MYCEL_OK; i++) {
        size_t frame = 0;
        code = store_blob_load(store, rows[i].frame_sha256, (uint8_t *)data + *bytes,
                               capacity - *bytes, &frame);
        *bytes += code == MYCEL_OK ? frame : 0;
    }
    return code;
}
