/*
 * The models and patches that are being downloaded, in memory once, however many devices fetch them.
 * Content never changes under a hash, so nothing here can be stale.
 */
#ifndef MYCEL_SERVER_DAEMON_BLOB_CACHE_H
#define MYCEL_SERVER_DAEMON_BLOB_CACHE_H

#include "proto/limits.h"
#include "server/net/net.h"

#define BLOB_CACHE_ENTRIES 16u
#define BLOB_CACHE_BYTES_MAX                                                                       \
    (64u << 20) /* kept, beside the newest entry and what is being downloaded */

struct blob_cache_entry {
    uint8_t sha256[PROTO_SHA256_BYTES];
    struct net_blob *blob; /* NULL: free */
    void *data;            /* the blob's */
    size_t bytes;
    size_t owned;  /* bytes that are its own, not another entry's */
    uint64_t used; /* when last asked for, in a count of its own */
};

struct blob_cache {
    struct blob_cache_entry entries[BLOB_CACHE_ENTRIES];
    size_t owned; /* by all of them */
    uint64_t clock;
};

/* What the cache held at some moment, for a thread of the pool: content stays as long as this does. */
struct blob_views {
    struct blob_cache_entry list[BLOB_CACHE_ENTRIES];
    uint32_t count;
};

/* The blob of that hash, or NULL. Borrowed until the next put. */
const struct blob_cache_entry *blob_cache_find(struct blob_cache *cache,
                                               const uint8_t sha256[PROTO_SHA256_BYTES]);

/* Takes `data` (from malloc, which is freed when the last download is done) under its hash; the
 * least recently used entry gives way. Returns the entry, or NULL without memory: `data` is
 * freed then. A hash that is there already keeps its content. */
const struct blob_cache_entry *blob_cache_put(struct blob_cache *cache,
                                              const uint8_t sha256[PROTO_SHA256_BYTES], void *data,
                                              size_t bytes);

/* Puts the end of an entry's content, from `offset` on, under a hash of its own; it shares the memory, which
 * lives as long as either does. NULL without memory. `whole` may be gone from the cache afterwards. */
const struct blob_cache_entry *blob_cache_put_end(struct blob_cache *cache,
                                                  const uint8_t sha256[PROTO_SHA256_BYTES],
                                                  const struct blob_cache_entry *whole,
                                                  size_t offset);

/* All there is now; dropped by whoever took them, on any thread. */
void blob_cache_view(const struct blob_cache *cache, struct blob_views *out);
void blob_views_drop(struct blob_views *views);
/* NULL: it was not there. */
const struct blob_cache_entry *blob_views_find(const struct blob_views *views,
                                               const uint8_t sha256[PROTO_SHA256_BYTES]);

void blob_cache_clear(struct blob_cache *cache);

#endif
