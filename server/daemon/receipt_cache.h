/*
 * Old receipts that were looked up in the store. Admission is answered on the loop at once, a look-up
 * is not: the first question is answered "not ready", the second finds the result here.
 */
#ifndef MYCEL_SERVER_DAEMON_RECEIPT_CACHE_H
#define MYCEL_SERVER_DAEMON_RECEIPT_CACHE_H

#include "proto/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECEIPT_CACHE_ENTRIES 64
#define RECEIPT_CACHE_MS 10000u /* a "no such receipt" is not believed for longer */

struct receipt_entry {
    bool used;
    uint32_t device;
    uint8_t key[PROTO_KEY_BYTES];
    uint64_t at_ms;
    size_t bytes; /* 0: the store knows none */
    uint8_t receipt[PROTO_MESSAGE_BYTES_MAX];
};

struct receipt_cache {
    struct receipt_entry entries[RECEIPT_CACHE_ENTRIES];
    uint32_t next;
};

/* The result of a recent look-up, or NULL. */
const struct receipt_entry *receipt_cache_find(const struct receipt_cache *cache, uint32_t device,
                                               const uint8_t key[PROTO_KEY_BYTES], uint64_t now_ms);

void receipt_cache_put(struct receipt_cache *cache, uint32_t device,
                       const uint8_t key[PROTO_KEY_BYTES], const void *receipt, size_t bytes,
                       uint64_t now_ms);

#endif
