#include "server/engine/key.h"

#include "common/crypto/sha256.h"

#include <string.h>

#define HASH_BYTES 4u /* of the key; before it stand three numbers */

static uint8_t *put_u32(uint8_t *at, uint32_t value)
{
    for (uint32_t i = 0; i < 4; i++) {
        *at++ = (uint8_t)(value >> (8 * i));
    }
    return at;
}

/* So that keys sort as their numbers do. */
static uint8_t *put_u32_big(uint8_t *at, uint32_t value)
{
    for (uint32_t i = 4; i > 0; i--) {
        *at++ = (uint8_t)(value >> (8 * (i - 1)));
    }
    return at;
}

void key_derive(struct engine_lease *lease)
{
    uint8_t text[24] = {'F', 'L', 'U', '2'};
    uint8_t digest[SHA256_BYTES];
    uint8_t *at = text + 4;

    at = put_u32(at, lease->device);
    at = put_u32(at, lease->run);
    at = put_u32(at, lease->round);
    at = put_u32(at, lease->attempt);
    put_u32(at, lease->base.version);
    sha256(text, sizeof text, digest);
    at = put_u32_big(lease->key, lease->run);
    at = put_u32_big(at, lease->round);
    at = put_u32_big(at, lease->device);
    memcpy(at, digest, HASH_BYTES);
}

uint64_t key_hash(const uint8_t key[PROTO_KEY_BYTES])
{
    uint64_t hash = 0;

    for (uint32_t i = 0; i < 8; i++) {
        hash |= (uint64_t)key[PROTO_KEY_BYTES - 1 - i] << (8 * i);
    }
    return hash;
}

bool key_equal(const uint8_t a[PROTO_KEY_BYTES], const uint8_t b[PROTO_KEY_BYTES])
{
    return memcmp(a, b, PROTO_KEY_BYTES) == 0;
}
