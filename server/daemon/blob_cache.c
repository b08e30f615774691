/* A handful of reference-counted blobs; the least recently used one gives way. */
#include "server/daemon/blob_cache.h"

#include <stdlib.h>
#include <string.h>

const struct blob_cache_entry *blob_cache_find(struct blob_cache *cache,
                                               const uint8_t sha256[PROTO_SHA256_BYTES])
{
    for (size_t i = 0; i < BLOB_CACHE_ENTRIES; i++) {
        struct blob_cache_entry *entry = &cache->entries[i];
        if (entry->blob && memcmp(entry->sha256, sha256, PROTO_SHA256_BYTES) == 0) {
            entry->used = ++cache->clock;
            return entry;
        }
    }
    return NULL;
}

static void release(void *user, void *data)
{
    (void)user;
    free(data);
}

static struct blob_cache_entry *oldest(struct blob_cache *cache)
{
    struct blob_cache_entry *best = &cache->entries[0];
    for (size_t i = 1; i < BLOB_CACHE_ENTRIES; i++) {
        if (cache->entries[i].used < best->used) {
            best = &cache->entries[i];
        }
    }
    return best;
}

static const struct blob_cache_entry *put(struct blob_cache *cache, struct net_blob *blob,
                                          const uint8_t sha256[PROTO_SHA256_BYTES], void *data,
                                          size_t bytes)
{
    struct blob_cache_entry *entry = oldest(cache);
    net_blob_unref(entry->blob);
    memcpy(entry->sha256, sha256, PROTO_SHA256_BYTES);
    entry->blob = blob;
    entry->data = data;
    entry->bytes = bytes;
    entry->used = ++cache->clock;
    return entry;
}

const struct blob_cache_entry *blob_cache_put(struct blob_cache *cache,
                                              const uint8_t sha256[PROTO_SHA256_BYTES], void *data,
                                              size_t bytes)
{
    const struct blob_cache_entry *known = blob_cache_find(cache, sha256);
    struct net_blob *blob = known ? NULL : net_blob_new(data, bytes, sha256, release, NULL);
    if (!blob) {
        free(data);
        return known;
    }
    return put(cache, blob, sha256, data, bytes);
}

static void release_end(void *user, void *data)
{
    (void)data;
    net_blob_unref(user);
}

const struct blob_cache_entry *blob_cache_put_end(struct blob_cache *cache,
                                                  const uint8_t sha256[PROTO_SHA256_BYTES],
                                                  const struct blob_cache_entry *whole,
                                                  size_t offset)
{
    uint8_t *data = (uint8_t *)whole->data + offset;
    size_t bytes = whole->bytes - offset;
    struct net_blob *parent = net_blob_ref(whole->blob);
    struct net_blob *blob = net_blob_new(data, bytes, sha256, release_end, parent);
    if (!blob) {
        net_blob_unref(parent);
        return NULL;
    }
    return put(cache, blob, sha256, data, bytes);
}

void blob_cache_clear(struct blob_cache *cache)
{
    for (size_t i = 0; i < BLOB_CACHE_ENTRIES; i++) {
        net_blob_unref(cache->entries[i].blob);
    }
    memset(cache, 0, sizeof *cache);
}
