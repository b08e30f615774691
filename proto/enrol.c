/* Implementation of enrol.h: one hash with five labels. */
#include "proto/enrol.h"

#include "common/crypto/sha256.h"

#include <string.h>

#define PUBLIC_BYTES 8u

/* SHA-256(label ‖ 0 ‖ secret); labels are prefix-free thanks to the zero. */
static void derive(const char *label, const uint8_t *secret, size_t bytes,
                   uint8_t out[PROTO_SHA256_BYTES])
{
    struct sha256 hash;
    sha256_init(&hash);
    sha256_update(&hash, label, strlen(label) + 1u);
    sha256_update(&hash, secret, bytes);
    sha256_final(&hash, out);
}

void enrol_identity(const uint8_t token[PROTO_TOKEN_BYTES], char identity[ENROL_IDENTITY_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[PROTO_SHA256_BYTES];
    derive("mycel enrol identity", token, PROTO_TOKEN_BYTES, digest);
    size_t at = sizeof ENROL_PREFIX - 1u;
    memcpy(identity, ENROL_PREFIX, at);
    for (unsigned i = 0; i < PUBLIC_BYTES; i++) {
        identity[at++] = digits[digest[i] >> 4];
        identity[at++] = digits[digest[i] & 15u];
    }
    identity[at] = '\0';
}

void enrol_psk(const uint8_t token[PROTO_TOKEN_BYTES], uint8_t psk[PROTO_PSK_BYTES])
{
    uint8_t digest[PROTO_SHA256_BYTES];
    derive("mycel enrol psk", token, PROTO_TOKEN_BYTES, digest);
    memcpy(psk, digest, PROTO_PSK_BYTES);
}

void enrol_proof(const uint8_t token[PROTO_TOKEN_BYTES], uint8_t proof[PROTO_SHA256_BYTES])
{
    derive("mycel enrol proof", token, PROTO_TOKEN_BYTES, proof);
}

/* Both halves under a label, cut to the length of a key. */
static void derive_key(const char *label, const uint8_t device_share[PROTO_SHARE_BYTES],
                       const uint8_t coordinator_share[PROTO_SHARE_BYTES],
                       uint8_t key[PROTO_PSK_BYTES])
{
    uint8_t both[2u * PROTO_SHARE_BYTES];
    uint8_t digest[PROTO_SHA256_BYTES];
    memcpy(both, device_share, PROTO_SHARE_BYTES);
    memcpy(both + PROTO_SHARE_BYTES, coordinator_share, PROTO_SHARE_BYTES);
    derive(label, both, sizeof both, digest);
    memcpy(key, digest, PROTO_PSK_BYTES);
}

void enrol_device_key(const uint8_t device_share[PROTO_SHARE_BYTES],
                      const uint8_t coordinator_share[PROTO_SHARE_BYTES],
                      uint8_t key[PROTO_PSK_BYTES])
{
    derive_key("mycel device key", device_share, coordinator_share, key);
}

void enrol_next_key(const uint8_t device_share[PROTO_SHARE_BYTES],
                    const uint8_t coordinator_share[PROTO_SHARE_BYTES],
                    uint8_t key[PROTO_PSK_BYTES])
{
    derive_key("mycel next key", device_share, coordinator_share, key);
}

bool enrol_is_token(const char *identity)
{
    return strncmp(identity, ENROL_PREFIX, sizeof ENROL_PREFIX - 1u) == 0;
}

bool enrol_equal(const uint8_t a[PROTO_SHA256_BYTES], const uint8_t b[PROTO_SHA256_BYTES])
{
    uint8_t difference = 0;
    for (unsigned i = 0; i < PROTO_SHA256_BYTES; i++) {
        difference |= (uint8_t)(a[i] ^ b[i]);
    }
    return difference == 0;
}
