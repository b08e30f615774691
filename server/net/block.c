/* Implementation of block.h, and the reference-counted blobs of net.h that it slices. */
#include "server/net/block.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/assert.h"

struct net_blob {
    atomic_uint references;
    uint8_t *data;
    size_t bytes;
    uint8_t etag[NET_ETAG_BYTES];
    void (*release)(void *user, void *data);
    void *user;
};

bool block_decode(struct block *out, uint32_t value)
{
    *out = (struct block){.number = value >> 4, .more = (value & 8u) != 0, .szx = value & 7u};
    return out->szx <= PROTO_BLOCK_SZX_MAX;
}

uint32_t block_encode(const struct block *block)
{
    return block->number << 4 | (block->more ? 8u : 0u) | block->szx;
}

bool block_slice(struct block *block, const struct net_blob *blob, const uint8_t **bytes,
                 uint32_t *count)
{
    uint64_t offset = block_offset(block);
    if (offset >= blob->bytes && offset > 0) {
        return false;
    }
    uint64_t left = blob->bytes - offset;
    block->more = left > block_bytes(block);
    *bytes = blob->data + offset;
    *count = block->more ? block_bytes(block) : (uint32_t)left;
    return true;
}

struct net_blob *net_blob_new(void *data, size_t bytes, const uint8_t etag[NET_ETAG_BYTES],
                              void (*release)(void *user, void *data), void *user)
{
    struct net_blob *blob = malloc(sizeof *blob);
    if (blob == NULL) {
        return NULL;
    }
    atomic_init(&blob->references, 1);
    blob->data = data;
    blob->bytes = bytes;
    memcpy(blob->etag, etag, NET_ETAG_BYTES);
    blob->release = release;
    blob->user = user;
    return blob;
}

struct net_blob *net_blob_ref(struct net_blob *blob)
{
    unsigned before = atomic_fetch_add(&blob->references, 1);
    MYCEL_ASSERT(before > 0);
    return blob;
}

void net_blob_unref(struct net_blob *blob)
{
    if (blob == NULL) {
        return;
    }
    unsigned before = atomic_fetch_sub(&blob->references, 1);
    MYCEL_ASSERT(before > 0);
    if (before == 1) {
        if (blob->release != NULL) {
            blob->release(blob->user, blob->data);
        }
        free(blob);
    }
}

uint64_t blob_bytes(const struct net_blob *blob)
{
    return blob->bytes;
}

const uint8_t *blob_etag(const struct net_blob *blob)
{
    return blob->etag;
}
