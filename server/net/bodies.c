/* Implementation of bodies.h. */
#include "server/net/bodies.h"

#include <stdlib.h>

#include <uv.h>

#include "server/net/peer.h"

struct shard {
    struct body_table table; /* first: bodies_unlock finds the lock beside it */
    uv_mutex_t lock;
};

struct bodies {
    uint64_t secret;
    _Atomic uint64_t reserved_bytes; /* of all tables */
    unsigned shards;
    struct shard shard[];
};

struct bodies *bodies_new(const struct body_limits *limits, uint64_t secret, unsigned shards)
{
    struct bodies *bodies = calloc(1, sizeof *bodies + shards * sizeof bodies->shard[0]);
    if (bodies == NULL) {
        return NULL;
    }
    bodies->secret = secret;
    for (unsigned i = 0; i < shards; i++) {
        struct shard *shard = &bodies->shard[i];
        bool locks = uv_mutex_init(&shard->lock) == 0;
        if (!locks || body_table_init(&shard->table, limits, secret + 1) != 0) {
            if (locks) {
                uv_mutex_destroy(&shard->lock);
            }
            bodies_free(bodies);
            return NULL;
        }
        shard->table.all_reserved_bytes = &bodies->reserved_bytes;
        bodies->shards++;
    }
    return bodies;
}

void bodies_free(struct bodies *bodies)
{
    if (bodies == NULL) {
        return;
    }
    for (unsigned i = 0; i < bodies->shards; i++) {
        body_table_deinit(&bodies->shard[i].table);
        uv_mutex_destroy(&bodies->shard[i].lock);
    }
    free(bodies);
}

struct body_table *bodies_lock(struct bodies *bodies, const char *identity)
{
    struct shard *shard =
        &bodies->shard[peer_identity_hash(identity, bodies->secret) % bodies->shards];
    uv_mutex_lock(&shard->lock);
    return &shard->table;
}

void bodies_unlock(struct bodies *bodies, struct body_table *table)
{
    (void)bodies;
    uv_mutex_unlock(&((struct shard *)(void *)table)->lock);
}

void bodies_remove(struct bodies *bodies, struct body *body)
{
    struct body_table *table = bodies_lock(bodies, body->identity);
    body_table_remove(table, body);
    bodies_unlock(bodies, table);
}

void bodies_return(struct bodies *bodies, struct body *body, uint8_t *data, uint64_t now_ms)
{
    struct body_table *table = bodies_lock(bodies, body->identity);
    body_return(table, body, data, now_ms);
    bodies_unlock(bodies, table);
}

void bodies_forget(struct bodies *bodies, const char *identity)
{
    struct body_table *table = bodies_lock(bodies, identity);
    body_table_forget(table, identity);
    bodies_unlock(bodies, table);
}

unsigned bodies_expire(struct bodies *bodies, uint64_t now_ms)
{
    unsigned expired = 0;
    for (unsigned i = 0; i < bodies->shards; i++) {
        uv_mutex_lock(&bodies->shard[i].lock);
        expired += body_table_expire(&bodies->shard[i].table, now_ms);
        uv_mutex_unlock(&bodies->shard[i].lock);
    }
    return expired;
}

void bodies_gauge(struct bodies *bodies, uint32_t *partial, uint64_t *reserved_bytes)
{
    *partial = 0;
    *reserved_bytes = bodies->reserved_bytes;
    for (unsigned i = 0; i < bodies->shards; i++) {
        uv_mutex_lock(&bodies->shard[i].lock);
        *partial += bodies->shard[i].table.partial;
        uv_mutex_unlock(&bodies->shard[i].lock);
    }
}
