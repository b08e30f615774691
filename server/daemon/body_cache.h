/*
 * Bodies of counted updates that are on the disk, kept in memory until their round is summed: they were
 * verified in this process, so they need not be read back and hashed once more. Bounded; what has no
 * room, or was counted before a restart, comes from the store. It must never hold what is not durable.
 */
#ifndef MYCEL_SERVER_DAEMON_BODY_CACHE_H
#define MYCEL_SERVER_DAEMON_BODY_CACHE_H

#include "proto/limits.h"

#include <stddef.h>
#include <stdint.h>

#define BODY_CACHE_BYTES_MAX (64u << 20)

struct body_cache_entry {
    struct body_cache_entry *next;
    uint8_t key[PROTO_KEY_BYTES]; /* of the update */
    uint32_t run;
    uint32_t round; /* whose sum it enters */
    uint8_t *body;
    size_t bytes;
};

struct body_cache {
    struct body_cache_entry *first; /* oldest */
    struct body_cache_entry *last;
    size_t bytes;
};

/* The bodies of one round. */
struct body_set {
    struct body_cache_entry **entries; /* by key */
    uint32_t count;
};

/* Takes the body over, in any case; the oldest ones give way to it. */
void body_cache_put(struct body_cache *cache, const struct body_cache_entry *entry);

/* Moves what is kept for a round into *out, and forgets what is left of the run's earlier rounds. Without
 * memory for that, everything stays and *out is empty. */
void body_cache_take(struct body_cache *cache, uint32_t run, uint32_t round, struct body_set *out);

void body_cache_clear(struct body_cache *cache);

/* The body of an update, which is the caller's from now on; NULL: not here. */
uint8_t *body_set_take(struct body_set *set, const uint8_t key[PROTO_KEY_BYTES], size_t *bytes);

void body_set_free(struct body_set *set);

#endif
