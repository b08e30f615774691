/*
 * Enrolment by a one-time token: what both sides derive from it. A token is PROTO_TOKEN_BYTES random
 * bytes; everything else follows from it by SHA-256 under a label of its own, so that no derived value
 * tells the token or another one. Pure. It must never keep a secret.
 *
 * The coordinator stores identity, key and proof, and never the token: who reads its database can
 * begin a session in the device's place, but has no token to show in it. (docs/PROTOCOL.md section 8)
 */
#ifndef MYCEL_PROTO_ENROL_H
#define MYCEL_PROTO_ENROL_H

#include "proto/limits.h"

#include <stdbool.h>
#include <stdint.h>

#define ENROL_PREFIX "enrol:"    /* begins the PSK identity of a token; no device's name does */
#define ENROL_IDENTITY_BYTES 23u /* the prefix, 16 hexadecimal digits and a NUL */

/* What the PSK identity of a token's session is. */
void enrol_identity(const uint8_t token[PROTO_TOKEN_BYTES], char identity[ENROL_IDENTITY_BYTES]);

/* The key of that session. */
void enrol_psk(const uint8_t token[PROTO_TOKEN_BYTES], uint8_t psk[PROTO_PSK_BYTES]);

/* What the coordinator compares the token that it is shown with. */
void enrol_proof(const uint8_t token[PROTO_TOKEN_BYTES], uint8_t proof[PROTO_SHA256_BYTES]);

/* The device's own key, from the randomness of both: it is as good as the better of the two. */
void enrol_device_key(const uint8_t device_share[PROTO_SHARE_BYTES],
                      const uint8_t coordinator_share[PROTO_SHARE_BYTES],
                      uint8_t key[PROTO_PSK_BYTES]);

/* The same for the next key of a device that has one (docs/PROTOCOL.md section 9). */
void enrol_next_key(const uint8_t device_share[PROTO_SHARE_BYTES],
                    const uint8_t coordinator_share[PROTO_SHARE_BYTES],
                    uint8_t key[PROTO_PSK_BYTES]);

/* Whether a PSK identity is a token's and not a device's. */
bool enrol_is_token(const char *identity);

/* Compares in a time that does not depend on the bytes. */
bool enrol_equal(const uint8_t a[PROTO_SHA256_BYTES], const uint8_t b[PROTO_SHA256_BYTES]);

#endif
