/*
 * The update key: what makes one contribution the same contribution, however often it is sent.
 */
#ifndef MYCEL_ENGINE_KEY_H
#define MYCEL_ENGINE_KEY_H

#include "server/engine/types.h"

/*
 * SHA-256("FLU1" ‖ device ‖ run ‖ round ‖ attempt ‖ base_version), its first 16 bytes; each number as
 * u32 little-endian (PROTOCOL, "Update key"). Reads those fields of the lease and writes its key.
 */
void key_derive(struct engine_lease *lease);

/* A hash of the key for an index: its first eight bytes. */
uint64_t key_hash(const uint8_t key[PROTO_KEY_BYTES]);

bool key_equal(const uint8_t a[PROTO_KEY_BYTES], const uint8_t b[PROTO_KEY_BYTES]);

#endif
