/* Reads a device's key from its file. Owns nothing; never prints what it read. */
#ifndef MYCEL_CLIENT_PORT_LINUX_KEY_FILE_H
#define MYCEL_CLIENT_PORT_LINUX_KEY_FILE_H

#include "proto/limits.h"

#include <stddef.h>
#include <stdint.h>

/* Hexadecimal digits (PROTO_PSK_BYTES … PROTO_PSK_BYTES_MAX bytes) and at most one newline, in a
 * regular file that nobody but its owner can read. 0 and *bytes; MYCEL_E_NOT_FOUND,
 * MYCEL_E_PERMISSION (also when others may read it), MYCEL_E_MALFORMED, MYCEL_E_IO. */
int key_file_read(const char *path, uint8_t key[PROTO_PSK_BYTES_MAX], size_t *bytes);

#endif
