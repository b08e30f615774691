/*
 * Exact reads and digests of what the store holds. It owns the running hash; it must never trust that
 * an area is as long as it should be.
 */
#include "client/runtime/internal.h"

#include <string.h>

#define AREA_PIECE_BYTES 4096u

_Static_assert(MYCEL_CLIENT_SCRATCH_BYTES >= AREA_PIECE_BYTES, "pieces are hashed in scratch");
_Static_assert(sizeof(float) == 4, "parameters are IEEE-754 binary32");

int area_read(struct client *c, enum mycel_area area, uint32_t offset, void *data, size_t bytes)
{
    int n = c->port->store->read(c->port->store_ctx, area, offset, data, bytes);
    if (n < 0) {
        return n;
    }
    return (size_t)n == bytes ? MYCEL_OK : MYCEL_E_CORRUPT;
}

int area_read_params(struct client *c, enum mycel_area area, uint32_t first, float *values,
                     uint32_t count)
{
    int rc = area_read(c, area, first * 4u, values, count * sizeof *values);
    if (rc < 0) {
        return rc;
    }
    const uint8_t *bytes = (const uint8_t *)values;
    for (uint32_t i = 0; i < count; i++, bytes += 4) {
        uint32_t bits = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                        (uint32_t)bytes[3] << 24;
        memcpy(&values[i], &bits, sizeof bits);
    }
    return MYCEL_OK;
}

int area_write_params(struct client *c, enum mycel_area area, uint32_t first, float *values,
                      uint32_t count)
{
    uint8_t *bytes = (uint8_t *)values;
    for (uint32_t i = 0; i < count; i++, bytes += 4) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        bytes[0] = (uint8_t)bits;
        bytes[1] = (uint8_t)(bits >> 8);
        bytes[2] = (uint8_t)(bits >> 16);
        bytes[3] = (uint8_t)(bits >> 24);
    }
    return c->port->store->write(c->port->store_ctx, area, first * 4u, values,
                                 count * sizeof *values);
}

void area_hash_begin(struct client *c)
{
    sha256_init(&c->sha);
    c->hashed = 0;
}

int area_hash(struct client *c, enum mycel_area area, uint32_t bytes, uint8_t digest[SHA256_BYTES])
{
    for (unsigned i = 0; i < CLIENT_CHUNKS_PER_POLL && c->hashed < bytes; i++) {
        uint32_t left = bytes - c->hashed;
        uint32_t piece = left < AREA_PIECE_BYTES ? left : AREA_PIECE_BYTES;
        int rc = area_read(c, area, c->hashed, c->config->scratch, piece);
        if (rc < 0) {
            return rc;
        }
        sha256_update(&c->sha, c->config->scratch, piece);
        c->hashed += piece;
    }
    if (c->hashed < bytes) {
        return 1;
    }
    sha256_final(&c->sha, digest);
    return 0;
}
