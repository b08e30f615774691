/* Reads PEM files: certificates, and private keys, which nobody but their owner may be able to read. It
 * owns the texts until they are given back; what is in them is for common/crypto/credentials.h. */
#ifndef MYCEL_CLIENT_PORT_LINUX_PEM_FILE_H
#define MYCEL_CLIENT_PORT_LINUX_PEM_FILE_H

#include "common/crypto/pem_texts.h"

#include <stdbool.h>

/* Where the four are; the CRL may be NULL. */
struct pem_files {
    const char *own;
    const char *key;
    const char *ca;
    const char *crl;
};

/* Reads all of them; *failed is the path of the one that an error is about. 0; NOT_FOUND, PERMISSION (also:
 * others may read the key), TOO_LARGE (above PEM_TEXT_BYTES_MAX), IO, NO_MEMORY: there are no texts then.
 * Blocks on the files. */
int pem_files_read(const struct pem_files *files, struct pem_texts *out, const char **failed);

/* Wipes and frees; may be called twice. */
void pem_texts_free(struct pem_texts *texts);

#endif
