/*
 * The update key: what makes one contribution the same contribution, however often it is sent.
 */
#ifndef MYCEL_ENGINE_KEY_H
#define MYCEL_ENGINE_KEY_H

#include "server/engine/types.h"

/*
 * run ‖ round ‖ device as u32 big-endian, then the first 4 bytes of SHA-256("FLU2" ‖ device ‖ run ‖ round ‖
 * attempt ‖ base_version), each number as u32 little-endian (PROTOCOL, section 6). So the keys of a round are
 * neighbours in an index, and what is written together lies together. Reads those fields of the lease and
 * writes its key.
 */
void key_derive(struct engine_lease *lease);

/* A hash of the key for an index in memory: the bytes in which the keys of a round differ, from the last. */
uint64_t key_hash(const uint8_t key[PROTO_KEY_BYTES]);

bool key_equal(const uint8_t a[PROTO_KEY_BYTES], const uint8_t b[PROTO_KEY_BYTES]);

#endif
