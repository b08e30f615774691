/* Maps the SHA-256 type of our own onto the TLS library's. Owns nothing but the mapping. */
#include "common/crypto/sha256.h"

#include "common/assert.h"

#include <mbedtls/sha256.h>

_Static_assert(sizeof(mbedtls_sha256_context) <= sizeof(struct sha256), "state must fit");

static mbedtls_sha256_context *context_of(struct sha256 *s)
{
    return (mbedtls_sha256_context *)(void *)s->state;
}

void sha256_init(struct sha256 *s)
{
    mbedtls_sha256_init(context_of(s));
    int rc = mbedtls_sha256_starts(context_of(s), 0);
    MYCEL_ASSERT(rc == 0);
}

void sha256_update(struct sha256 *s, const void *data, size_t bytes)
{
    int rc = mbedtls_sha256_update(context_of(s), data, bytes);
    MYCEL_ASSERT(rc == 0);
}

void sha256_final(struct sha256 *s, uint8_t digest[SHA256_BYTES])
{
    int rc = mbedtls_sha256_finish(context_of(s), digest);
    MYCEL_ASSERT(rc == 0);
    mbedtls_sha256_free(context_of(s));
}

void sha256(const void *data, size_t bytes, uint8_t digest[SHA256_BYTES])
{
    struct sha256 s;
    sha256_init(&s);
    sha256_update(&s, data, bytes);
    sha256_final(&s, digest);
}
