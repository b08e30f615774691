/* A model version's bytes by their hash, shared by all who download them. One thread. */
#ifndef MYCEL_SIM_WORLD_BLOB_H
#define MYCEL_SIM_WORLD_BLOB_H

#include "proto/limits.h"

#include <stddef.h>
#include <stdint.h>

struct blob {
    uint32_t refs;
    size_t bytes;
    uint8_t sha256[PROTO_SHA256_BYTES];
    uint8_t data[]; /* aligned as malloc aligns, and by a multiple of 8 */
};

/* Copies and hashes `bytes` bytes; one reference. NULL: no memory. */
struct blob *blob_new(const void *data, size_t bytes);

struct blob *blob_ref(struct blob *blob);
void blob_unref(struct blob *blob); /* NULL is allowed */

#endif
