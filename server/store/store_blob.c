/* Content by its hash. It owns the reading and checking of everything large: blobs, and the spool's
 * bodies through blob_load(). */
#include "server/store/blob.h"

#include "common/crypto/sha256.h"

#include <limits.h>
#include <string.h>

int store_blob_put(struct store *store, const void *data, size_t bytes,
                   uint8_t sha256_out[PROTO_SHA256_BYTES])
{
    if (bytes == 0) {
        return store_fail(store, MYCEL_E_INVALID, "there is no content to store");
    }
    if (bytes > STORE_BLOB_BYTES_MAX) {
        return store_fail(store, MYCEL_E_TOO_LARGE, "the content has more than %u bytes",
                          STORE_BLOB_BYTES_MAX);
    }
    sha256(data, bytes, sha256_out);
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    struct query q;
    query_open(&q, store, SQL_BLOB_PUT);
    query_bytes(&q, sha256_out, PROTO_SHA256_BYTES);
    query_u64(&q, bytes);
    query_bytes(&q, data, bytes);
    return scope_end(store, &scope, query_run(&q));
}

static int find(struct store *store, const uint8_t sha256_name[PROTO_SHA256_BYTES],
                struct blob *blob)
{
    struct query q;
    *blob = (struct blob){.table = "blobs", .column = "data"};
    query_open(&q, store, SQL_BLOB_FIND);
    query_bytes(&q, sha256_name, PROTO_SHA256_BYTES);
    bool found = query_row(&q) == 1;
    if (found) {
        blob->row = (int64_t)query_get_u64(&q);
        blob->bytes = query_get_u64(&q);
        blob->stored = blob->bytes;
        memcpy(blob->sha256, sha256_name, PROTO_SHA256_BYTES);
    }
    int code = query_close(&q);
    return code == MYCEL_OK && !found
               ? store_fail(store, MYCEL_E_NOT_FOUND, "this content is not stored (any more)")
               : code;
}

int store_blob_size(struct store *store, const uint8_t sha256_name[PROTO_SHA256_BYTES],
                    uint64_t *bytes)
{
    struct blob blob;
    int code = find(store, sha256_name, &blob);
    *bytes = blob.bytes;
    return code;
}

int store_blob_load(struct store *store, const uint8_t sha256_name[PROTO_SHA256_BYTES], void *data,
                    size_t capacity, size_t *bytes)
{
    struct blob blob;
    *bytes = 0;
    int code = find(store, sha256_name, &blob);
    return code != MYCEL_OK ? code : blob_load(store, &blob, data, capacity, bytes);
}

static int read_part(struct store *store, const struct blob *blob, uint64_t offset, void *data,
                     size_t bytes)
{
    sqlite3_blob *handle = NULL;
    int rc = sqlite3_blob_open(store->db, "main", blob->table, blob->column, blob->row, 0, &handle);
    if (rc == SQLITE_OK && (uint64_t)sqlite3_blob_bytes(handle) != blob->stored) {
        rc = SQLITE_CORRUPT;
    }
    /* Both fit an int: SQLite holds no value above INT_MAX, and bytes lies within it. */
    if (rc == SQLITE_OK && bytes > 0) {
        rc = sqlite3_blob_read(handle, data, (int)bytes, (int)(blob->at + offset));
    }
    int code = rc == SQLITE_OK ? MYCEL_OK : store_fail_sqlite(store, rc);
    (void)sqlite3_blob_close(handle);
    return code;
}

int blob_load(struct store *store, const struct blob *blob, void *data, size_t capacity,
              size_t *bytes)
{
    *bytes = (size_t)blob->bytes;
    if (blob->bytes > capacity) {
        return store_fail(store, MYCEL_E_NO_MEMORY,
                          "the content has %llu bytes, there is room for %zu",
                          (unsigned long long)blob->bytes, capacity);
    }
    int code = read_part(store, blob, 0, data, (size_t)blob->bytes);
    if (code != MYCEL_OK) {
        return code;
    }
    uint8_t found[SHA256_BYTES];
    sha256(data, (size_t)blob->bytes, found);
    if (memcmp(found, blob->sha256, sizeof found) != 0) {
        return store_fail(store, MYCEL_E_CORRUPT, "stored content does not match its SHA-256");
    }
    return MYCEL_OK;
}

/* Hashes a blob in pieces, so that checking needs no memory of the model's size. */
static int check(struct store *store, const struct blob *blob)
{
    struct sha256 s;
    sha256_init(&s);
    uint8_t piece[BLOB_PIECE_BYTES];
    uint64_t offset = 0;
    int code = MYCEL_OK;
    while (code == MYCEL_OK && offset < blob->bytes) {
        uint64_t left = blob->bytes - offset;
        size_t bytes = left < sizeof piece ? (size_t)left : sizeof piece;
        code = read_part(store, blob, offset, piece, bytes);
        if (code == MYCEL_OK) {
            sha256_update(&s, piece, bytes);
        }
        offset += bytes;
    }
    uint8_t found[SHA256_BYTES];
    sha256_final(&s, found);
    if (code == MYCEL_OK && memcmp(found, blob->sha256, sizeof found) != 0) {
        code = store_fail(store, MYCEL_E_CORRUPT, "blob %lld does not match its SHA-256",
                          (long long)blob->row);
    }
    return code;
}

int blob_check_all(struct store *store)
{
    struct query q;
    query_open(&q, store, SQL_BLOB_LIST);
    int code = MYCEL_OK;
    while (code == MYCEL_OK && query_row(&q) == 1) {
        struct blob blob = {.table = "blobs", .column = "data"};
        blob.row = (int64_t)query_get_u64(&q);
        blob.bytes = query_get_u64(&q);
        blob.stored = blob.bytes;
        query_get_bytes(&q, blob.sha256, sizeof blob.sha256);
        code = q.code != MYCEL_OK ? q.code : check(store, &blob);
    }
    int closed = query_close(&q);
    return code != MYCEL_OK ? code : closed;
}
