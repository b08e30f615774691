/*
 * Device keys on disk: made from the kernel's randomness, written once to a file that only its owner
 * can read. Keys never stand in arguments, the environment, messages or logs.
 *
 * The file holds the key as lower-case hexadecimal digits and a newline.
 */
#ifndef MYCEL_SERVER_CLI_SECRET_H
#define MYCEL_SERVER_CLI_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define SECRET_BYTES PROTO_PSK_BYTES

/* Fills key with getrandom(2), retrying when interrupted. 0 or MYCEL_E_CRYPTO. */
int secret_make(uint8_t key[SECRET_BYTES]);

/* Creates path (0600, must not exist) with the key and syncs both file and folder. 0; MYCEL_E_EXISTS,
 * MYCEL_E_PERMISSION, MYCEL_E_NOT_FOUND (the folder is missing), MYCEL_E_DISK_FULL, MYCEL_E_IO: then
 * there is no file, and errno says more. */
int secret_write(const char *path, const uint8_t key[SECRET_BYTES]);

#endif
