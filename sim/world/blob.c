/* See blob.h. */
#include "sim/world/blob.h"

#include "common/crypto/sha256.h"

#include <stdlib.h>
#include <string.h>

struct blob *blob_new(const void *data, size_t bytes)
{
    struct blob *blob = malloc(sizeof *blob + bytes);
    if (blob == NULL) {
        return NULL;
    }
    blob->refs = 1;
    blob->bytes = bytes;
    memcpy(blob->data, data, bytes);
    sha256(blob->data, bytes, blob->sha256);
    return blob;
}

struct blob *blob_ref(struct blob *blob)
{
    blob->refs++;
    return blob;
}

void blob_unref(struct blob *blob)
{
    if (blob != NULL && --blob->refs == 0) {
        free(blob);
    }
}
