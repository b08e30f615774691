/* A list in order of arrival; a round's part of it is sorted when it is taken out. */
#include "server/daemon/body_cache.h"

#include <stdlib.h>
#include <string.h>

static void entry_free(struct body_cache_entry *entry)
{
    free(entry->body);
    free(entry);
}

static void drop_oldest(struct body_cache *cache)
{
    struct body_cache_entry *entry = cache->first;
    cache->first = entry->next;
    cache->last = cache->first ? cache->last : NULL;
    cache->bytes -= entry->bytes;
    entry_free(entry);
}

void body_cache_put(struct body_cache *cache, const struct body_cache_entry *entry)
{
    struct body_cache_entry *kept = NULL;
    if (entry->bytes <= BODY_CACHE_BYTES_MAX) {
        kept = malloc(sizeof *kept);
    }
    if (!kept) {
        free(entry->body);
        return;
    }
    while (cache->bytes > BODY_CACHE_BYTES_MAX - entry->bytes) {
        drop_oldest(cache);
    }
    *kept = *entry;
    kept->next = NULL;
    if (cache->last) {
        cache->last->next = kept;
    } else {
        cache->first = kept;
    }
    cache->last = kept;
    cache->bytes += kept->bytes;
}

static int by_key(const void *a, const void *b)
{
    const struct body_cache_entry *const *x = a;
    const struct body_cache_entry *const *y = b;
    return memcmp((*x)->key, (*y)->key, PROTO_KEY_BYTES);
}

static uint32_t count_of(const struct body_cache *cache, uint32_t run, uint32_t round)
{
    uint32_t count = 0;
    for (const struct body_cache_entry *e = cache->first; e; e = e->next) {
        count += e->run == run && e->round == round;
    }
    return count;
}

void body_cache_take(struct body_cache *cache, uint32_t run, uint32_t round, struct body_set *out)
{
    struct body_cache all = *cache;
    *out = (struct body_set){0};
    uint32_t count = count_of(cache, run, round);
    if (count > 0) {
        out->entries = calloc(count, sizeof *out->entries);
        if (!out->entries) {
            return;
        }
    }
    *cache = (struct body_cache){0};
    for (struct body_cache_entry *e = all.first, *next; e; e = next) {
        next = e->next;
        e->next = NULL;
        if (e->run == run && e->round == round) {
            out->entries[out->count++] = e;
        } else if (e->run == run && e->round < round) {
            entry_free(e);
        } else {
            cache->bytes += e->bytes;
            *(cache->last ? &cache->last->next : &cache->first) = e;
            cache->last = e;
        }
    }
    if (count > 1) {
        qsort(out->entries, count, sizeof *out->entries, by_key);
    }
}

void body_cache_clear(struct body_cache *cache)
{
    while (cache->first) {
        drop_oldest(cache);
    }
}

uint8_t *body_set_take(struct body_set *set, const uint8_t key[PROTO_KEY_BYTES], size_t *bytes)
{
    uint32_t low = 0;
    uint32_t high = set->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct body_cache_entry *entry = set->entries[middle];
        int order = memcmp(key, entry->key, PROTO_KEY_BYTES);
        if (order == 0) {
            uint8_t *body = entry->body;
            *bytes = entry->bytes;
            entry->body = NULL;
            return body;
        }
        low = order > 0 ? middle + 1 : low;
        high = order > 0 ? high : middle;
    }
    return NULL;
}

void body_set_free(struct body_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        entry_free(set->entries[i]);
    }
    free(set->entries);
    *set = (struct body_set){0};
}
