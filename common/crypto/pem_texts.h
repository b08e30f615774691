/*
 * The PEM texts that credentials are made of (credentials.h), for those who only hand them over: no
 * header of the TLS library is seen here.
 */
#ifndef MYCEL_COMMON_CRYPTO_PEM_TEXTS_H
#define MYCEL_COMMON_CRYPTO_PEM_TEXTS_H

#include <stddef.h>

#define PEM_TEXT_BYTES_MAX 262144u /* of each, with its NUL */

/* `bytes` includes the NUL at its end. */
struct pem_text {
    const unsigned char *text; /* NULL: none, which only the CRL may be */
    size_t bytes;
};

struct pem_texts {
    struct pem_text own; /* certificate, and what stands between it and the root */
    struct pem_text key;
    struct pem_text ca; /* those that are trusted */
    struct pem_text crl;
};

#endif
