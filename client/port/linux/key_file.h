/* Reads and writes a device's key file. Owns nothing; never prints what it read. */
#ifndef MYCEL_CLIENT_PORT_LINUX_KEY_FILE_H
#define MYCEL_CLIENT_PORT_LINUX_KEY_FILE_H

#include "proto/limits.h"

#include <stddef.h>
#include <stdint.h>

/* A key, and the name that goes with it if the file has one. Wipe it after use. */
struct key_file {
    uint8_t key[PROTO_PSK_BYTES_MAX];
    size_t key_bytes;
    char identity[PROTO_IDENTITY_BYTES_MAX + 1u]; /* "": the file has none */
};

/* Hexadecimal digits (PROTO_PSK_BYTES … PROTO_PSK_BYTES_MAX bytes), and perhaps the device's name on a
 * second line, in a regular file that nobody but its owner can read. 0; MYCEL_E_NOT_FOUND,
 * MYCEL_E_PERMISSION (also when others may read it), MYCEL_E_MALFORMED, MYCEL_E_IO. */
int key_file_read(const char *path, struct key_file *out);

/* Writes one for its owner only: after a crash at any moment there is the whole file or none. A file of
 * that name is replaced. 0; MYCEL_E_NOT_FOUND (no such folder), MYCEL_E_PERMISSION, MYCEL_E_TOO_LARGE
 * (the path), MYCEL_E_DISK_FULL, MYCEL_E_IO. */
int key_file_write(const char *path, const struct key_file *file);

#endif
