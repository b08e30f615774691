/*
 * Records of one size that are taken and put back all the time, named by number: devices that are awake,
 * requests under way. It owns their memory, which grows by chunks and never moves; it must never clear a
 * record that is taken again: whoever owns what lies in it does.
 */
#ifndef MYCEL_SIM_WORLD_POOL_H
#define MYCEL_SIM_WORLD_POOL_H

#include <stddef.h>
#include <stdint.h>

#define POOL_CHUNK 256u
#define POOL_NONE UINT32_MAX

struct pool {
    size_t record_bytes;
    unsigned char **chunks;
    uint32_t *free; /* numbers of the records that nobody has; the last is taken first */
    uint32_t chunk_count;
    uint32_t free_count;
};

/* Empty; takes no memory yet. Records begin at multiples of record_bytes, which sizeof makes right. */
void pool_init(struct pool *pool, size_t record_bytes);
void pool_free(struct pool *pool);

/* A record: zeros the first time, then as it was put back. POOL_NONE: no memory. */
uint32_t pool_take(struct pool *pool);
void pool_put(struct pool *pool, uint32_t id);

/* Every record below this number exists, taken or not. */
static inline uint32_t pool_count(const struct pool *pool)
{
    return pool->chunk_count * POOL_CHUNK;
}

static inline void *pool_at(const struct pool *pool, uint32_t id)
{
    return pool->chunks[id / POOL_CHUNK] + id % POOL_CHUNK * pool->record_bytes;
}

#endif
