/*
 * A device that proves itself with a certificate, and demands one of its coordinator: loads both sides'
 * files, and makes libcoap's TLS sessions use and check them. libcoap 4.3.5 has an interface of its own for
 * that, which asks nobody about the name in a valid chain; here the handshake fails for every rule of
 * common/crypto/certificate.h that is broken, so that no request leaves for an impostor.
 *
 * It must never send anything, and never decide when to try again.
 */
#ifndef MYCEL_CLIENT_PORT_LINUX_DEVICE_CERTIFICATE_H
#define MYCEL_CLIENT_PORT_LINUX_DEVICE_CERTIFICATE_H

#include "client/port/linux/pem_file.h"

#define DEVICE_CERTIFICATE_PROBLEM_BYTES 256u

struct device_certificate;

struct device_certificate_config {
    struct pem_files
        files;        /* the device's certificate and key, the coordinator's CA, its CRL or NULL */
    const char *name; /* the coordinator's: host name or numeric address. Kept by pointer */
};

/* Reads and checks all of it; `problem` says what is wrong, "" nothing is: a certificate that is not valid
 * yet, or not any more, is no error. 0; as pem_files_read and credentials_parse.
 * Blocks on the files. */
int device_certificate_open(struct device_certificate **out,
                            const struct device_certificate_config *config,
                            char problem[DEVICE_CERTIFICATE_PROBLEM_BYTES]);

/* Wipes the key and frees; NULL is harmless. Its sessions have to be gone. */
void device_certificate_close(struct device_certificate *device);

/* The name that the device goes by: what its certificate says. */
const char *device_certificate_identity(const struct device_certificate *device);

/* Takes over a session's handshake (an mbedtls_ssl_context of a client) that has sent its first flight
 * and has read no answer yet. 0; NO_MEMORY: the session must not go on. */
int device_certificate_take(struct device_certificate *device, void *ssl);

/* Why the latest session's coordinator was refused; NULL: it was not. */
const char *device_certificate_refusal(const struct device_certificate *device);

#endif
