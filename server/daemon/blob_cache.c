/* A handful of reference-counted blobs; the least recently used ones give way. */
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

/* The least recently used entry but `spared`; a free one before all others if `free_too`. NULL: none. */
static struct blob_cache_entry *oldest(struct blob_cache *cache,
                                       const struct blob_cache_entry *spared, bool free_too)
{
    struct blob_cache_entry *best = NULL;
    for (size_t i = 0; i < BLOB_CACHE_ENTRIES; i++) {
        struct blob_cache_entry *entry = &cache->entries[i];
        if (entry != spared && (free_too || entry->blob) && (!best || entry->used < best->used)) {
            best = entry;
        }
    }
    return best;
}

static void drop(struct blob_cache *cache, struct blob_cache_entry *entry)
{
    cache->owned -= entry->owned;
    net_blob_unref(entry->blob);
    memset(entry, 0, sizeof *entry);
}

static struct blob_cache_entry *put(struct blob_cache *cache, const struct blob_cache_entry *what)
{
    struct blob_cache_entry *entry = oldest(cache, NULL, true);
    drop(cache, entry);
    *entry = *what;
    entry->used = ++cache->clock;
    cache->owned += entry->owned;
    while (cache->owned > BLOB_CACHE_BYTES_MAX) {
        struct blob_cache_entry *old = oldest(cache, entry, false);
        if (!old) {
            break;
        }
        drop(cache, old);
    }
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
    struct blob_cache_entry what = {.blob = blob, .data = data, .bytes = bytes, .owned = bytes};
    memcpy(what.sha256, sha256, PROTO_SHA256_BYTES);
    return put(cache, &what);
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
    struct blob_cache_entry what = {.blob = blob, .data = data, .bytes = bytes};
    memcpy(what.sha256, sha256, PROTO_SHA256_BYTES);
    return put(cache, &what);
}

void blob_cache_view(const struct blob_cache *cache, struct blob_views *out)
{
    out->count = 0;
    for (size_t i = 0; i < BLOB_CACHE_ENTRIES; i++) {
        if (cache->entries[i].blob) {
            net_blob_ref(cache->entries[i].blob);
            out->list[out->count++] = cache->entries[i];
        }
    }
}

void blob_views_drop(struct blob_views *views)
{
    for (uint32_t i = 0; i < views->count; i++) {
        net_blob_unref(views->list[i].blob);
    }
    views->count = 0;
}

const struct blob_cache_entry *blob_views_find(const struct blob_views *views,
                                               const uint8_t sha256[PROTO_SHA256_BYTES])
{
    for (uint32_t i = 0; i < views->count; i++) {
        if (memcmp(views->list[i].sha256, sha256, PROTO_SHA256_BYTES) == 0) {
            return &views->list[i];
        }
    }
    return NULL;
}

void blob_cache_clear(struct blob_cache *cache)
{
    for (size_t i = 0; i < BLOB_CACHE_ENTRIES; i++) {
        net_blob_unref(cache->entries[i].blob);
    }
    memset(cache, 0, sizeof *cache);
}
