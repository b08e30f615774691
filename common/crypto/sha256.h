/*
 * SHA-256 (FIPS 180-4) behind a type of our own, so that no other folder sees the TLS library's
 * headers. No allocation, never blocks, cannot fail.
 */
#ifndef MYCEL_COMMON_CRYPTO_SHA256_H
#define MYCEL_COMMON_CRYPTO_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32

/* Opaque state in the caller's memory. */
struct sha256 {
    uint64_t state[16];
};

void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *data, size_t bytes);
void sha256_final(struct sha256 *s, uint8_t digest[SHA256_BYTES]);

/* All three in one call. */
void sha256(const void *data, size_t bytes, uint8_t digest[SHA256_BYTES]);

#endif
