/*
 * The table of peers: who is (or wants to be) connected, found in constant time by connection id,
 * by address, by identity, or by a generation-tagged id. It owns the peers' memory and the order in
 * which they give way. It must never send, receive or decide: demux.c and session.c do.
 *
 *              add                  establish              confirm           park
 *   (nothing) -----> HANDSHAKE --------------> SILENT ------------> LIVE <---------> PARKED
 *                        |                        |                 |    unpark       |
 *                        +------------------------+-----------------+------ remove ---+--> (nothing)
 *
 * HANDSHAKE: address verified by cookie and fixed; `identity` may still be empty; not found by it.
 * SILENT:    `identity` authenticated, and the only established peer of that identity; the last
 *            flight may be asked for again, so neither the address moves nor can it be parked.
 * LIVE:      has sent an authentic record; the address follows such records.
 * PARKED:    the same, but the TLS session is a few hundred serialised bytes; `session` is NULL.
 *
 * Of one address at most one half-open and one established peer can be found by it: of the latter the
 * newest, and only as long as it is SILENT or if it has no connection id. So no chain grows, however
 * many devices sit behind one address.
 *
 * Each state has its queue. HANDSHAKE and SILENT: in order of entry. LIVE and PARKED: in order of
 * activity, longest idle first (a peer unparked by a record that proves false comes first).
 */
#ifndef MYCEL_SERVER_NET_PEER_H
#define MYCEL_SERVER_NET_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/limits.h"
#include "server/net/address.h"

#define PEER_CID_BYTES 8u     /* worker (1), slot (3, big-endian), random (4) */
#define PEER_RANDOM_BYTES 32u /* of a ClientHello */
#define PEER_SLOTS_MAX (1u << 24)
#define PEER_HOSTS 4096u /* counters of half-open peers by host; a power of two */
#define PEER_HOST_SHARE                                                                            \
    8u /* a host may have 1/8 of the half-open peers before it displaces itself */
#define PEER_RECENT_MAX 8u /* answered requests remembered for repetitions */

enum peer_state { PEER_HANDSHAKE, PEER_SILENT, PEER_LIVE, PEER_PARKED, PEER_STATES };

/* Generation-tagged: slot in the low 32 bits, generation in the high. 0 is never valid. */
typedef uint64_t peer_id;

/* What became of a request with this message id. */
enum recent_state { RECENT_EMPTY, RECENT_PENDING, RECENT_CACHED, RECENT_REPEATABLE };

struct recent {
    uint16_t mid;
    uint16_t reply_bytes;
    uint8_t state;  /* enum recent_state */
    uint8_t *reply; /* of RECENT_CACHED: the CoAP message that was sent */
};

struct session; /* the TLS side, session.h */

struct peer {
    peer_id id;
    uint8_t cid[PEER_CID_BYTES];
    uint8_t state;   /* enum peer_state */
    bool uses_cid;   /* negotiated: records carry our connection id */
    bool by_address; /* can be found by its address */
    uint8_t pending; /* requests waiting for net_reply */
    uint8_t recent_next;
    uint16_t next_mid; /* of our own messages */
    uint32_t key;      /* number of the key that its handshake is tried with */
    struct address address;
    uint64_t newest_record; /* highest authentic epoch and sequence number */
    uint64_t since_ms;      /* when the state began */
    uint64_t active_ms;     /* last authentic record */
    struct session *session;
    uint8_t *parked; /* PARKED: the session, serialised. Holds keys: wipe before freeing */
    size_t parked_bytes;
    struct recent recent[PEER_RECENT_MAX];
    uint8_t hello_random[PEER_RANDOM_BYTES]; /* tells a repeated ClientHello from a new one */
    char identity[PROTO_IDENTITY_BYTES_MAX + 1];

    struct peer *address_next;  /* hash chains */
    struct peer *identity_next; /* established only */
    struct peer *claim_next;    /* registry.h, as the next */
    uint64_t claim;
    struct peer *older; /* queue of the state */
    struct peer *newer;
};

struct peer_queue {
    struct peer *oldest;
    struct peer *newest;
    uint32_t count;
};

struct peer_slot {
    struct peer *peer;
    uint32_t generation;
    uint32_t next_free;
};

struct peer_table {
    struct peer_queue queue[PEER_STATES];
    struct peer_slot *slot;
    uint32_t slots;
    uint32_t slots_used; /* slots below were used at least once */
    uint32_t free_slot;  /* slots + 1 … 1; 0: none */
    struct peer **by_address;
    struct peer **by_identity;
    uint32_t bucket_mask;
    uint32_t host_half_open[PEER_HOSTS];
    uint64_t secret; /* keys the hashes */
    uint8_t worker;
};

/* A table for at most `peers_max` peers in both states. Errors: NO_MEMORY. */
int peer_table_init(struct peer_table *table, uint32_t peers_max, uint8_t worker, uint64_t secret);

/* Every peer has to be removed before. */
void peer_table_deinit(struct peer_table *table);

/* A new peer in state HANDSHAKE, with a connection id that ends in `random`, not yet findable by
 * address. NULL when the table is full or memory is short. */
struct peer *peer_table_new(struct peer_table *table, const uint8_t random[4]);

/* Makes a new peer findable: its address was verified. */
void peer_table_add(struct peer_table *table, struct peer *peer, const struct address *address,
                    uint64_t now_ms);

/* HANDSHAKE -> SILENT. No other established peer of the identity may exist. */
void peer_table_establish(struct peer_table *table, struct peer *peer, uint64_t now_ms);

/* An authentic record has come: SILENT -> LIVE, and in any case the most recently active one. */
void peer_table_confirm(struct peer_table *table, struct peer *peer, uint64_t now_ms);

/* LIVE -> PARKED: `bytes` at `blob`, from malloc, now belong to the peer. Only the newest cached reply
 * is kept. The session has to be taken away before. */
void peer_table_park(struct peer_table *table, struct peer *peer, uint8_t *blob, size_t bytes);

/* PARKED -> LIVE, as the first to be parked again: nothing is proved yet. */
void peer_table_unpark(struct peer_table *table, struct peer *peer, struct session *session);

/* Takes the peer out of everything and frees it; its id is dead from here on. The session has to be
 * freed before. */
void peer_table_remove(struct peer_table *table, struct peer *peer);

/* Look-ups; NULL when there is none. */
struct peer *peer_table_by_id(const struct peer_table *table, peer_id id);
struct peer *peer_table_by_cid(const struct peer_table *table, const uint8_t cid[PEER_CID_BYTES]);
struct peer *peer_table_by_address(const struct peer_table *table, const struct address *address,
                                   bool established);
struct peer *peer_table_by_identity(const struct peer_table *table, const char *identity);

/* The one that gives way when there are too many; NULL when nobody is established. */
struct peer *peer_table_least(const struct peer_table *table);

/* The half-open peer that gives way to a new one from `from`: the oldest of the same host if that has
 * its share already, else the oldest. So one host that begins handshakes without end pushes out
 * nobody but itself. NULL when there is none. */
struct peer *peer_table_half_open_victim(const struct peer_table *table,
                                         const struct address *from);

/* Peers in any state but HANDSHAKE. */
uint32_t peer_table_established(const struct peer_table *table);

static inline bool peer_is_established(const struct peer *peer)
{
    return peer->state != PEER_HANDSHAKE;
}

/* Whether its handshake was begun with one of the keys numbered in `keep` (two, 0: none), which may be
 * NULL. */
bool peer_is_kept(const struct peer *peer, const uint32_t *keep);

/* Keyed hash of an identity string, for the tables that are keyed by one. */
uint64_t peer_identity_hash(const char *identity, uint64_t secret);

#endif
