/*
 * Another key for a running client: a half of it from the kernel's randomness, the whole to the key file
 * and to the transport. It must never print one.
 */
#ifndef MYCEL_CLIENT_PORT_LINUX_KEYRING_H
#define MYCEL_CLIENT_PORT_LINUX_KEYRING_H

#include "client/port/linux/coap_transport.h"
#include "client/port/linux/key_file.h"

#include <stdbool.h>

struct keyring {
    const char *path;     /* of the key file */
    const char *identity; /* goes into it */
    struct coap_transport *transport;
    uint8_t share[MYCEL_SHARE_BYTES];
    bool has_share;
};

/* Its functions, for a struct keyring. share: MYCEL_E_PERMISSION when the key file cannot be replaced,
 * MYCEL_E_CRYPTO. replace: as key_file_write. */
extern const struct mycel_keyring keyring_table;

#endif
