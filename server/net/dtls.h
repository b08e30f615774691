/*
 * The TLS configuration that all sessions share: randomness, ciphers, cookies, and the way from an
 * identity to its key. It owns the library's objects; it must never log or keep a key.
 *
 * Ciphers: AES-128-CCM-8, which small devices have in hardware and CoAP makes mandatory (RFC 7252
 * §9.1.3.1); and ephemeral x25519 with ChaCha20-Poly1305 for devices that want forward secrecy, who
 * offer nothing else; and, if the coordinator has a certificate, the one for devices with certificates (RFC
 * 7252 §9.1.3.3). There is no other, so nobody can make the coordinator compute on a large curve. Of a
 * ClientHello that offers several the first of ours is taken: a pre-shared key before a certificate.
 */
#ifndef MYCEL_SERVER_NET_DTLS_H
#define MYCEL_SERVER_NET_DTLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_cookie.h>

#include "server/net/key_choice.h"

#define DTLS_RETRANSMIT_MIN_MS 1000u /* RFC 6347 §4.2.4.1 */
#define DTLS_RETRANSMIT_MAX_MS 3000u /* so often until net_config.handshake_timeout_ms ends it */
#define DTLS_RETRANSMIT_LIMIT_MS (1u << 31) /* the library doubles up to this, then it gives up */
#define DTLS_MTU_BYTES 1280u                /* what every IPv6 path carries */

struct endpoint;

struct dtls {
    struct endpoint *endpoint;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_ssl_cookie_ctx cookie;
    mbedtls_ssl_config config;
    struct certificates *certificates; /* NULL: none */
    struct key_choice *key_choice;     /* the siblings', if there are any */
    uint64_t key_secret;               /* keys the hash of identities in it */
    bool cookie_verified;              /* by the ClientHello being handled */
    const uint8_t *in;                 /* the datagram being handled; NULL when it was taken */
    size_t in_bytes;
};

/* Errors: CRYPTO; those of certificates_open. dtls_close is safe after any outcome. */
int dtls_open(struct dtls *dtls, struct endpoint *endpoint);

/* Every session has to be freed before. */
void dtls_close(struct dtls *dtls);

/* Fills with cryptographic randomness. Errors: CRYPTO. */
int dtls_random(struct dtls *dtls, void *out, size_t bytes);

#endif
