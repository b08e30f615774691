/*
 * A hash index over numbered slots, chained, in memory given once. It owns the chains and nothing
 * else: the caller compares keys, so that it must never look into what it indexes.
 */
#ifndef MYCEL_ENGINE_TABLE_H
#define MYCEL_ENGINE_TABLE_H

#include <stdint.h>

#define TABLE_END UINT32_MAX

struct table {
    uint32_t *heads; /* `buckets` of them */
    uint32_t *next;  /* one for each slot */
    uint32_t buckets;
};

/* The number of buckets for so many slots: the power of two at or above. */
uint32_t table_buckets(uint32_t slots);

/* Empties the index. */
void table_init(struct table *table, uint32_t *heads, uint32_t *next, uint32_t buckets);

/* Slots whose key may have this hash, newest first, until TABLE_END. */
uint32_t table_first(const struct table *table, uint64_t hash);
uint32_t table_next(const struct table *table, uint32_t slot);

/* A slot is in the index at most once; it is taken out with the hash that it was put in with. */
void table_put(struct table *table, uint64_t hash, uint32_t slot);
void table_remove(struct table *table, uint64_t hash, uint32_t slot);

#endif
