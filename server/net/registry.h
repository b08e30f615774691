/*
 * Which worker has the session of an identity. A handshake that ends on one worker makes the session
 * that the identity had on another one obsolete: the newest claim wins. One lock for all, which only
 * the beginning and the end of a session take. It must never touch a peer beyond its own fields.
 */
#ifndef MYCEL_SERVER_NET_REGISTRY_H
#define MYCEL_SERVER_NET_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "server/net/peer.h"

struct registry {
    uv_mutex_t lock;
    struct peer **bucket;
    uint32_t bucket_mask;
    uint32_t sessions;
    uint64_t claims; /* made so far */
    uint64_t secret; /* keys the hash */
};

/* Whose claim was replaced; worker and number of it. */
struct registry_before {
    bool found;
    uint8_t worker;
    uint64_t claim;
};

/* Errors: NO_MEMORY. */
int registry_init(struct registry *registry, uint32_t sessions_max, uint64_t secret);
void registry_deinit(struct registry *registry);

/* `peer` has the session of its identity now. Claims are numbered from 1 in the order in which they
 * are made. */
struct registry_before registry_claim(struct registry *registry, struct peer *peer);

/* Before an established peer is freed; harmless when its claim was replaced. */
void registry_release(struct registry *registry, struct peer *peer);

/* Whether the identity had a session that was not begun with one of the keys numbered in `keep`
 * (NET_KEYS_MAX, or NULL: none stays); from here on it has none. */
bool registry_forget(struct registry *registry, const char *identity, const uint32_t *keep);
uint32_t registry_sessions(struct registry *registry);

#endif
