/*
 * Arithmetic of the Block1 and Block2 options (RFC 7959 §2.2) and slicing of blobs. Pure.
 */
#ifndef MYCEL_SERVER_NET_BLOCK_H
#define MYCEL_SERVER_NET_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "server/net/net.h"

struct block {
    uint32_t number;
    bool more;
    uint8_t szx; /* 0 … 6 */
};

static inline uint32_t block_bytes(const struct block *block)
{
    return 16u << block->szx;
}

static inline uint64_t block_offset(const struct block *block)
{
    return (uint64_t)block->number << (block->szx + 4u);
}

/* Reads an option's value; false for the reserved size 7. */
bool block_decode(struct block *out, uint32_t value);

uint32_t block_encode(const struct block *block);

/* The bytes of `blob` that `block` asks for; sets block->more. False when it starts behind the end
 * (an empty blob has one empty block). */
bool block_slice(struct block *block, const struct net_blob *blob, const uint8_t **bytes,
                 uint32_t *count);

/* What this folder may know of a blob. */
uint64_t blob_bytes(const struct net_blob *blob);
const uint8_t *blob_etag(const struct net_blob *blob);

#endif
