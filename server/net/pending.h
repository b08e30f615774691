/*
 * Requests that wait for the shell's answer: a fixed table with generation-tagged ids and two queues.
 * It must never send anything; exchange.c does.
 *
 *              pending_add              pending_expire
 *  (nothing) --------------> WAITING -------------------> EXPIRED ----> (nothing)
 *                               |                                           ^
 *                               +------------- pending_remove --------------+
 *
 * WAITING: the peer has no answer yet. EXPIRED: it was told 5.03, but the shell still works on the
 * body that it was given, so the body's record has to stay. Both queues are in order of time.
 */
#ifndef MYCEL_SERVER_NET_PENDING_H
#define MYCEL_SERVER_NET_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "server/net/block.h"
#include "server/net/net.h"
#include "server/net/peer.h"

#define PENDING_ABANDON_MS 60000u /* the shell has forgotten an expired request */
#define PENDING_TOKEN_BYTES_MAX 8u

struct body;
struct message;

/* What has to be remembered of a request in order to answer it. */
struct exchange {
    peer_id peer;
    uint16_t mid;
    bool confirmable;
    bool has_block1; /* to be repeated in the answer */
    bool has_etag;   /* a conditional GET */
    uint8_t token_bytes;
    uint8_t token[PENDING_TOKEN_BYTES_MAX];
    uint8_t etag[NET_ETAG_BYTES];
    uint8_t path_bytes; /* of a GET; 0 for other methods */
    char path[NET_PATH_BYTES_MAX];
    struct block block1;
    struct block block2; /* asked for, or the first one */
};

enum pending_state { PENDING_FREE, PENDING_WAITING, PENDING_EXPIRED };

struct pending {
    struct exchange exchange;
    struct body *body;     /* handed over with the request, or NULL */
    struct message *block; /* whose body waits for a verdict: a copy (message.h), or NULL */
    uint64_t since_ms;
    uint32_t generation;
    uint32_t previous; /* index + 1 in the queue of the state; 0: none */
    uint32_t next;     /* also the free list */
    uint8_t state;     /* enum pending_state */
};

struct pending_queue {
    uint32_t first; /* index + 1 */
    uint32_t last;
    uint32_t count;
};

struct pending_table {
    struct pending *slot;
    uint32_t used; /* slots below were used at least once */
    uint32_t free_slot;
    struct pending_queue waiting;
    struct pending_queue expired;
};

/* Errors: NO_MEMORY. */
int pending_table_init(struct pending_table *table);
void pending_table_deinit(struct pending_table *table);

/* A new waiting request; NULL when NET_PENDING_MAX wait already. */
struct pending *pending_add(struct pending_table *table, const struct exchange *exchange,
                            uint64_t now_ms);

net_reply_id pending_id(const struct pending_table *table, const struct pending *pending);

/* NULL for an id that is not in use (any more). */
struct pending *pending_find(const struct pending_table *table, net_reply_id id);

/* The oldest of a state that is at least `age_ms` old, or NULL. */
struct pending *pending_oldest(const struct pending_table *table, enum pending_state state,
                               uint64_t now_ms, uint64_t age_ms);

/* WAITING -> EXPIRED. */
void pending_expire(struct pending_table *table, struct pending *pending, uint64_t now_ms);

void pending_remove(struct pending_table *table, struct pending *pending);

#endif
