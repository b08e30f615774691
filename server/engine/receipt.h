/*
 * The verdicts given last, by key, so that the same upload gets the same answer. A cache of bounded
 * size: what has dropped out of it the store still has (ENGINE_ACTION_LOOKUP_RECEIPT).
 */
#ifndef MYCEL_ENGINE_RECEIPT_H
#define MYCEL_ENGINE_RECEIPT_H

#include "server/engine/internal.h"

/* NULL: not in the cache. The pointer is good until the next receipt_keep(). */
const struct receipt_slot *receipt_find(const struct engine *e, const uint8_t key[PROTO_KEY_BYTES]);

/* Takes a verdict in, in place of the oldest one if need be; `batch` stores it. */
void receipt_keep(struct engine *e, const struct engine_receipt *receipt, uint64_t batch);

#endif
