#include "server/engine/key.h"

#include "common/crypto/sha256.h"

#include <string.h>

static uint8_t *put_u32(uint8_t *at, uint32_t value)
{
    for (uint32_t i = 0; i < 4; i++) {
        *at++ = (uint8_t)(value >> (8 * i));
    }
    return at;
}

void key_derive(struct engine_lease *lease)
{
    uint8_t text[24] = {'F', 'L', 'U', '1'};
    uint8_t digest[SHA256_BYTES];
    uint8_t *at = text + 4;

    at = put_u32(at, lease->device);
    at = put_u32(at, lease->run);
    at = put_u32(at, lease->round);
    at = put_u32(at, lease->attempt);
    put_u32(at, lease->base.version);
    sha256(text, sizeof text, digest);
    memcpy(lease->key, digest, PROTO_KEY_BYTES);
}

uint64_t key_hash(const uint8_t key[PROTO_KEY_BYTES])
{
    uint64_t hash = 0;

    for (uint32_t i = 0; i < 8; i++) {
        hash |= (uint64_t)key[i] << (8 * i);
    }
    return hash;
}

bool key_equal(const uint8_t a[PROTO_KEY_BYTES], const uint8_t b[PROTO_KEY_BYTES])
{
    return memcmp(a, b, PROTO_KEY_BYTES) == 0;
}
