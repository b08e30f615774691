/* A ring: the oldest look-up gives way. */
#include "server/daemon/receipt_cache.h"

#include <string.h>

const struct receipt_entry *receipt_cache_find(const struct receipt_cache *cache, uint32_t device,
                                               const uint8_t key[PROTO_KEY_BYTES], uint64_t now_ms)
{
    for (size_t i = 0; i < RECEIPT_CACHE_ENTRIES; i++) {
        const struct receipt_entry *entry = &cache->entries[i];
        if (entry->used && entry->device == device && now_ms - entry->at_ms < RECEIPT_CACHE_MS &&
            memcmp(entry->key, key, PROTO_KEY_BYTES) == 0) {
            return entry;
        }
    }
    return NULL;
}

void receipt_cache_put(struct receipt_cache *cache, uint32_t device,
                       const uint8_t key[PROTO_KEY_BYTES], const void *receipt, size_t bytes,
                       uint64_t now_ms)
{
    struct receipt_entry *entry = &cache->entries[cache->next];
    cache->next = (cache->next + 1) % RECEIPT_CACHE_ENTRIES;
    entry->used = true;
    entry->device = device;
    memcpy(entry->key, key, PROTO_KEY_BYTES);
    entry->at_ms = now_ms;
    entry->bytes = bytes <= sizeof entry->receipt ? bytes : 0;
    if (entry->bytes > 0) {
        memcpy(entry->receipt, receipt, entry->bytes);
    }
}
