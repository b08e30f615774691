/* See pool.h. */
#include "sim/world/pool.h"

#include "common/assert.h"

#include <mycel/error.h>
#include <stdlib.h>

void pool_init(struct pool *pool, size_t record_bytes)
{
    *pool = (struct pool){.record_bytes = record_bytes};
}

void pool_free(struct pool *pool)
{
    for (uint32_t i = 0; i < pool->chunk_count; i++) {
        free(pool->chunks[i]);
    }
    free(pool->chunks);
    free(pool->free);
    pool_init(pool, pool->record_bytes);
}

/* One more chunk, all of it free. */
static int grow(struct pool *pool)
{
    uint32_t first = pool_count(pool);
    unsigned char **chunks = realloc(pool->chunks, (pool->chunk_count + 1u) * sizeof *chunks);
    if (chunks == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    pool->chunks = chunks;
    uint32_t *list = realloc(pool->free, ((size_t)first + POOL_CHUNK) * sizeof *list);
    if (list == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    pool->free = list;
    unsigned char *chunk = calloc(POOL_CHUNK, pool->record_bytes);
    if (chunk == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    chunks[pool->chunk_count++] = chunk;
    for (uint32_t i = POOL_CHUNK; i > 0; i--) {
        pool->free[pool->free_count++] = first + i - 1u;
    }
    return MYCEL_OK;
}

uint32_t pool_take(struct pool *pool)
{
    MYCEL_ASSERT(pool->record_bytes > 0);
    if (pool->free_count == 0 && grow(pool) < 0) {
        return POOL_NONE;
    }
    return pool->free[--pool->free_count];
}

void pool_put(struct pool *pool, uint32_t id)
{
    MYCEL_ASSERT(pool->free_count < pool_count(pool));
    pool->free[pool->free_count++] = id;
}
