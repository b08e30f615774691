/* Implementation of hello.h: RFC 6347 §4.2.1, RFC 5246 §7.4.1.2. */
#include "server/net/hello.h"

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>

/* A suite that is not looked at, but taken by the library, would cost without being counted. */
_Static_assert(2u * HELLO_SUITES_MAX >= MBEDTLS_SSL_IN_CONTENT_LEN, "all suites are looked at");

#define FIXED_BYTES (13u + 12u + 2u + 32u) /* headers of record and handshake, version, random */

/* What is left to read; false: it is shorter than its own lengths say. */
struct reader {
    const uint8_t *at;
    size_t left;
};

static bool skip(struct reader *r, size_t count)
{
    if (r->left < count) {
        return false;
    }
    r->at += count;
    r->left -= count;
    return true;
}

/* A field with its length in the byte before it. Its length, or -1. */
static int skip_field(struct reader *r)
{
    if (r->left < 1) {
        return -1;
    }
    int length = r->at[0];
    return skip(r, 1u + (size_t)length) ? length : -1;
}

/* The list is in *r. */
static bool offers_certificate_only(const struct reader *r)
{
    bool certificate = false;
    for (size_t i = 0; i + 1 < r->left && i / 2 < HELLO_SUITES_MAX; i += 2) {
        switch (r->at[i] << 8 | r->at[i + 1]) {
        case MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8:
        case MBEDTLS_TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256:
            return false;
        case MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8:
            certificate = true;
            break;
        default:
            break;
        }
    }
    return certificate;
}

bool hello_wants_certificate(const uint8_t *bytes, size_t count)
{
    struct reader r = {bytes, count};
    if (!skip(&r, FIXED_BYTES) || skip_field(&r) < 0 /* session */ || skip_field(&r) <= 0) {
        return false; /* the last is the cookie */
    }
    if (r.left < 2) {
        return false;
    }
    size_t listed = (size_t)(r.at[0] << 8 | r.at[1]);
    (void)skip(&r, 2);
    r.left = listed < r.left ? listed : r.left;
    return offers_certificate_only(&r);
}
