/*
 * What one side of a mutual handshake brings along: its certificate chain and private key, the CAs that
 * it trusts, and perhaps their CRLs, parsed from PEM texts. It owns the parsed forms and wipes the key
 * when it is freed. It must never read a file: who may read it is the shell's question.
 *
 * A thread has credentials of its own: the library computes with what is in them.
 */
#ifndef MYCEL_COMMON_CRYPTO_CREDENTIALS_H
#define MYCEL_COMMON_CRYPTO_CREDENTIALS_H

#include "common/crypto/certificate.h"
#include "common/crypto/pem_texts.h"

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>

#define CREDENTIALS_CHAIN_BYTES_MAX 1900u /* what a peer's record of 2,048 bytes takes */
#define CREDENTIALS_CAS_MAX 8u            /* trusted at once */

struct credentials {
    mbedtls_x509_crt own; /* and what stands between it and the root */
    mbedtls_pk_context key;
    mbedtls_x509_crt ca;
    mbedtls_x509_crl crl;
    bool has_crl;
};

/* Which of the four an error is about, and for the own certificate, what is wrong with it. */
enum credentials_part { CREDENTIALS_OWN, CREDENTIALS_KEY, CREDENTIALS_CA, CREDENTIALS_CRL };
struct credentials_problem {
    enum credentials_part part;
    enum certificate_fault fault; /* NONE: cannot be parsed, or is too large */
};

/* Empty ones, which credentials_deinit takes, too. */
void credentials_init(struct credentials *credentials);

/*
 * Parses into empty credentials and checks them: the own certificate is made for `role`, belongs to the
 * key, and its chain fits into a handshake; every CA may sign; every CRL is one of theirs. A
 * certificate that is not valid yet, or not any more, is taken, and problem->fault says so.
 * `name` (CERTIFICATE_NAME_BYTES_MAX + 1 bytes, or NULL) gets a device's name.
 * 0; MALFORMED, INVALID (a fault), TOO_LARGE, NO_MEMORY: *problem says more, the credentials are empty.
 */
int credentials_parse(struct credentials *credentials, const struct pem_texts *texts,
                      enum certificate_role role, uint64_t wall_ms,
                      int (*random)(void *user, unsigned char *out, size_t bytes), void *user,
                      char *name, struct credentials_problem *problem);

void credentials_deinit(struct credentials *credentials);

/* Puts `fresh` in the place of credentials that a TLS configuration uses, between two of its handshake
 * messages; sessions go on. `fresh` has been parsed, and is empty afterwards. */
void credentials_replace(struct credentials *credentials, struct credentials *fresh,
                         mbedtls_ssl_config *config);

/* Makes a TLS configuration present them and demand a certificate of the peer, with the algorithms of
 * certificate.h. They have to outlive it. 0; NO_MEMORY. */
int credentials_configure(struct credentials *credentials, mbedtls_ssl_config *config);

#endif
