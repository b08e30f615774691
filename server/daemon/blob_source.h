/*
 * Content by its hash for jobs on the pool: what the blob cache held when the job began, else the store. Which of
 * the two it was changes nothing, since a hash has one content.
 */
#ifndef MYCEL_SERVER_DAEMON_BLOB_SOURCE_H
#define MYCEL_SERVER_DAEMON_BLOB_SOURCE_H

#include "server/daemon/blob_cache.h"
#include "server/store/store.h"

struct blob_source {
    struct store *reader;
    const struct blob_views *views; /* NULL: the store only */
};

struct blob_content {
    const void *data; /* as long as the views live, and until blob_content_free */
    size_t bytes;
    void *owned; /* data, if it was read for this */
};

/* 0, NOT_FOUND, CORRUPT (the store has something else under that hash), NO_MEMORY, or the store's errors; nothing is
 * to be freed then. Blocks. */
int blob_source_get(const struct blob_source *source, const uint8_t sha256[PROTO_SHA256_BYTES],
                    struct blob_content *out);
void blob_content_free(struct blob_content *content);

#endif
