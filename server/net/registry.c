/* Implementation of registry.h: chains through the peers themselves, so a claim cannot fail. */
#include "server/net/registry.h"

#include <stdlib.h>
#include <string.h>

#include <mycel/error.h>

int registry_init(struct registry *registry, uint32_t sessions_max, uint64_t secret)
{
    uint32_t buckets = 64;
    while (buckets < sessions_max) {
        buckets *= 2;
    }
    *registry = (struct registry){.bucket_mask = buckets - 1, .secret = secret};
    registry->bucket = calloc(buckets, sizeof *registry->bucket);
    if (registry->bucket == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    if (uv_mutex_init(&registry->lock) != 0) {
        free(registry->bucket);
        registry->bucket = NULL;
        return MYCEL_E_NO_MEMORY;
    }
    return 0;
}

void registry_deinit(struct registry *registry)
{
    if (registry->bucket != NULL) {
        uv_mutex_destroy(&registry->lock);
        free(registry->bucket);
    }
}

/* Where the claim of an identity hangs; *link is NULL when there is none. */
static struct peer **link_of(const struct registry *registry, const char *identity)
{
    uint64_t hash = peer_identity_hash(identity, registry->secret);
    struct peer **link = &registry->bucket[hash & registry->bucket_mask];
    while (*link != NULL && strcmp((*link)->identity, identity) != 0) {
        link = &(*link)->claim_next;
    }
    return link;
}

struct registry_before registry_claim(struct registry *registry, struct peer *peer)
{
    struct registry_before before = {.found = false};
    uv_mutex_lock(&registry->lock);
    struct peer **link = link_of(registry, peer->identity);
    if (*link != NULL) {
        before = (struct registry_before){
            .found = true, .worker = (*link)->cid[0], .claim = (*link)->claim};
        *link = (*link)->claim_next;
        registry->sessions--;
    }
    link = link_of(registry, peer->identity); /* the end of the chain */
    peer->claim = ++registry->claims;
    peer->claim_next = NULL;
    *link = peer;
    registry->sessions++;
    uv_mutex_unlock(&registry->lock);
    return before;
}

void registry_release(struct registry *registry, struct peer *peer)
{
    uv_mutex_lock(&registry->lock);
    struct peer **link = link_of(registry, peer->identity);
    if (*link == peer) {
        *link = peer->claim_next;
        registry->sessions--;
    }
    uv_mutex_unlock(&registry->lock);
}

bool registry_forget(struct registry *registry, const char *identity, const uint32_t *keep)
{
    uv_mutex_lock(&registry->lock);
    struct peer **link = link_of(registry, identity);
    bool found = *link != NULL && !peer_is_kept(*link, keep);
    if (found) {
        *link = (*link)->claim_next;
        registry->sessions--;
    }
    uv_mutex_unlock(&registry->lock);
    return found;
}

uint32_t registry_sessions(struct registry *registry)
{
    uv_mutex_lock(&registry->lock);
    uint32_t sessions = registry->sessions;
    uv_mutex_unlock(&registry->lock);
    return sessions;
}
