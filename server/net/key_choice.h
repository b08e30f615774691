/*
 * Which of an identity's keys to try next. While a key is being rotated two are valid, but a server
 * learns only from the end of a handshake whether the one it chose was right. So the choice changes
 * with every failure and stays with every success: a device with the other key is in at its second
 * try, and at the first from then on. It must never let anybody in: it only picks the lock to test.
 */
#ifndef MYCEL_SERVER_NET_KEY_CHOICE_H
#define MYCEL_SERVER_NET_KEY_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

/* Identities in rotation that are remembered; two that share a place only cost each other a try. */
#define KEY_CHOICE_PLACES 1024u

struct key_choice {
    uv_mutex_t lock; /* of those that are in rotation; the workers share one table */
    uint64_t identity[KEY_CHOICE_PLACES]; /* keyed hash (peer_identity_hash); 0: empty */
    uint8_t index[KEY_CHOICE_PLACES];
};

/* An empty table; NULL when there is no memory. */
struct key_choice *key_choice_new(void);
void key_choice_free(struct key_choice *choice);

/* The key to try, below `count`. */
unsigned key_choice_next(struct key_choice *choice, uint64_t identity, unsigned count);

/* How the handshake with key `index` of `count` ended. */
void key_choice_result(struct key_choice *choice, uint64_t identity, unsigned index, unsigned count,
                       bool worked);

#endif
