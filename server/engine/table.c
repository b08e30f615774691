#include "server/engine/table.h"

#include "common/assert.h"

uint32_t table_buckets(uint32_t slots)
{
    uint32_t buckets = 1;

    while (buckets < slots) {
        buckets <<= 1;
    }
    return buckets;
}

void table_init(struct table *table, uint32_t *heads, uint32_t *next, uint32_t buckets)
{
    table->heads = heads;
    table->next = next;
    table->buckets = buckets;
    for (uint32_t i = 0; i < buckets; i++) {
        heads[i] = TABLE_END;
    }
}

static uint32_t *head(const struct table *table, uint64_t hash)
{
    return &table->heads[hash & (table->buckets - 1u)];
}

uint32_t table_first(const struct table *table, uint64_t hash)
{
    return *head(table, hash);
}

uint32_t table_next(const struct table *table, uint32_t slot)
{
    return table->next[slot];
}

void table_put(struct table *table, uint64_t hash, uint32_t slot)
{
    uint32_t *first = head(table, hash);

    table->next[slot] = *first;
    *first = slot;
}

void table_remove(struct table *table, uint64_t hash, uint32_t slot)
{
    uint32_t *link = head(table, hash);

    while (*link != slot) {
        MYCEL_ASSERT(*link != TABLE_END);
        link = &table->next[*link];
    }
    *link = table->next[slot];
}
