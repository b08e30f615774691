/*
 * Devices that prove who they are with a certificate: what the coordinator shows them, which of theirs it
 * takes, and how many such handshakes it begins in a second. It owns the credentials and both limits; the
 * rules for a certificate are those of common/crypto/certificate.h, and who is enrolled is the shell's.
 *
 * Such a handshake costs some milliseconds on the loop, tens of times what one with a pre-shared key
 * does. So it takes three things: a right cookie; room in the second's budget, of which one host has half
 * (beyond it ClientHellos are dropped, and their senders repeat them); and no more than one try, for a
 * certificate that is refused ends the handshake. A chain that is longer than any good one is charged to its
 * host afterwards, for what it can have cost.
 *
 * Whatever is wrong, the peer hears one alert, access_denied. Certificates travel in clear, so anybody may
 * come with anybody's: whether a name is enrolled shall be known only to who has its key. So a
 * certificate that is refused for what it says, or for who signed it, is not answered before its key was proved, and then
 * like one whose proof is wrong. Only what no coordinator would take (algorithms, uses) is answered at
 * once. The operator hears why, in so many lines a second.
 */
#ifndef MYCEL_SERVER_NET_CERTIFICATES_H
#define MYCEL_SERVER_NET_CERTIFICATES_H

#include <mbedtls/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/crypto/credentials.h"
#include "server/net/address.h"
#include "server/net/allowance.h"

#define CERTIFICATES_BURST_MS                                                                      \
    100u /* of the budget may be spent at once: what the loop can stall for */
#define CERTIFICATES_HOSTS 256u    /* told apart, by a keyed hash; a power of two */
#define CERTIFICATES_HOST_SHARE 2u /* a host may have half of the budget: it may be a NAT */
#define CERTIFICATES_CHAIN 3u      /* with the root: what one handshake of the budget stands for */
#define CERTIFICATES_CHAIN_MAX 8u  /* as many as a record holds */
#define CERTIFICATES_LINES_PER_S 5u
#define CERTIFICATES_LINES_BURST 20u

struct endpoint;
struct net_callbacks;
struct session;

struct certificates {
    struct credentials credentials;
    struct certificate_check check; /* of the chain being verified; no link yet: all zero */
    struct allowance handshakes;
    struct allowance hosts[CERTIFICATES_HOSTS];
    struct allowance lines;
    uint32_t unsaid; /* lines since the latest */
};

/* Opens what the endpoint's configuration asks for and puts it into the TLS configuration; *out is NULL
 * when it asks for none. Errors: INVALID, MALFORMED, TOO_LARGE (the texts; a line in the log says which),
 * CRYPTO, NO_MEMORY. */
int certificates_open(struct certificates **out, struct endpoint *endpoint);

/* Takes others instead of those it was opened with, from the next handshake on. Errors as above; it goes on
 * with what it has then. */
int certificates_renew(struct endpoint *endpoint, const struct pem_texts *texts);

/* Whether certificates_renew would take them; errors and log as there. For a thread that has no endpoint. */
int certificates_try(const struct net_callbacks *callbacks, const struct pem_texts *texts);

/* Wipes and frees; NULL is allowed. The TLS configuration has to be freed before. */
void certificates_close(struct certificates *certificates);

/* Whether this ClientHello has to wait for the next second. */
bool certificates_must_wait(struct endpoint *endpoint, const struct address *from,
                            const uint8_t *hello, size_t count);

/* It did not have to, and its cookie was right. */
void certificates_begin(struct endpoint *endpoint, const struct address *from, const uint8_t *hello,
                        size_t count);

/* The library's verification callback, for one link of a peer's chain. Gives the session its identity if
 * the whole chain is good, else refuses it. Returns 0. */
int certificates_verify(struct endpoint *endpoint, struct session *session,
                        const mbedtls_x509_crt *link, int depth, uint32_t *flags);

/* The library has given up a chain, without a callback: it leads on and on. */
void certificates_given_up(struct endpoint *endpoint, const struct session *session);

/* A good certificate, of `identity`, came with a wrong proof. */
void certificates_unproved(struct endpoint *endpoint, const char *identity);

#endif
