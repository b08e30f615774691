/*
 * What makes a certificate good enough for Mycel, on both sides: the checks that the TLS library leaves
 * to whoever calls it, and those that libcoap leaves out. It owns the rules; it must never read a file
 * or a clock, and never decide who is enrolled.
 *
 * The library builds the chain and verifies its signatures; then it shows the links from the root down
 * to the peer's own certificate. Rules (RFC 7925 §4.4, RFC 5280 §4.2.1):
 *
 *   each link           ECDSA with P-256 and SHA-256; valid now; not on the CRL, if there is one
 *   above the first     a CA that may sign certificates (basicConstraints, keyUsage: keyCertSign)
 *   the first           no CA; keyUsage with digitalSignature; extendedKeyUsage with clientAuth (device)
 *                       or serverAuth (coordinator), in so many words
 *   chain               ends in one of the CAs given, at most one certificate between it and the first
 *   device's name       the only common name of the subject: 1 … 64 printable characters without spaces
 *   coordinator's name  one of the dNSName or iPAddress entries of subjectAltName is the name expected,
 *                       without wildcards; common names do not count
 */
#ifndef MYCEL_COMMON_CRYPTO_CERTIFICATE_H
#define MYCEL_COMMON_CRYPTO_CERTIFICATE_H

#include <mbedtls/x509_crt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CERTIFICATE_DEPTH_MAX 2u /* of the root: one certificate may stand in between */
#define CERTIFICATE_NAME_BYTES_MAX 64u
#define CERTIFICATE_ADDRESS_BYTES_MAX 16u

/* X(name, what to tell the operator) */
#define CERTIFICATE_FAULT_TABLE(X)                                                                 \
    X(NONE, "nothing")                                                                             \
    X(UNTRUSTED, "not signed by the CA")                                                           \
    X(CHAIN, "chain too long")                                                                     \
    X(ALGORITHM, "not ECDSA with P-256 and SHA-256")                                               \
    X(EXPIRED, "expired")                                                                          \
    X(EARLY, "not valid yet")                                                                      \
    X(REVOKED, "on the CRL")                                                                       \
    X(CRL, "the CRL cannot be used, or is out of date")                                            \
    X(USAGE, "not made for this use")                                                              \
    X(NAME, "without a name that can be used")                                                     \
    X(OTHER_NAME, "another's")                                                                     \
    X(NOT_ENROLLED, "no active device that comes with a certificate")                              \
    X(KEY, "does not belong to the key")

enum certificate_fault {
#define CERTIFICATE_FAULT_ENUM(name, text) CERTIFICATE_##name,
    CERTIFICATE_FAULT_TABLE(CERTIFICATE_FAULT_ENUM)
#undef CERTIFICATE_FAULT_ENUM
};

/* Words for a person. Static storage. */
const char *certificate_fault_text(enum certificate_fault fault);

enum certificate_role { CERTIFICATE_OF_DEVICE, CERTIFICATE_OF_COORDINATOR };

/* One verification. Zero it, fill the first part in, show it every link. */
struct certificate_check {
    enum certificate_role role;
    uint64_t wall_ms;           /* since 1970 */
    const mbedtls_x509_crt *ca; /* that the library was given; may be NULL */
    const char *name; /* a coordinator's: what it has to be called. NULL: whatever it is called */
    const uint8_t *address; /* … or its address, network order; NULL: none */
    size_t address_bytes;

    enum certificate_fault fault; /* the first, from the root down; later ones do not change it */
    unsigned links;
    char identity[CERTIFICATE_NAME_BYTES_MAX + 1]; /* a device's name, also of a refused one; "" */
};

/* Algorithms that the library is to accept at all (mbedtls_ssl_conf_cert_profile). */
extern const mbedtls_x509_crt_profile certificate_profile;

/* The library's verification callback hands one link over: `depth` counts down to 0, which completes the
 * check; `flags` are the library's findings. Whether the chain is good is in check->fault then. */
void certificate_check_link(struct certificate_check *check, const mbedtls_x509_crt *link,
                            int depth, uint32_t flags);

/* The rules of a CA, but for time: for those that are going to be trusted. */
enum certificate_fault certificate_ca_fault(const mbedtls_x509_crt *ca);

/* The rules of the first link only: for a certificate of one's own, before it is used. */
void certificate_check_first(struct certificate_check *check, const mbedtls_x509_crt *first);

#endif
