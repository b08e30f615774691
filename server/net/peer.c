/* Implementation of peer.h. Hash chains are short because there are as many buckets as slots. */
#include "server/net/peer.h"

#include <stdlib.h>
#include <string.h>

#include <mycel/error.h>

#include "common/assert.h"
#include "common/rng.h"

static uint32_t peer_slot_of(peer_id id)
{
    return (uint32_t)id;
}

bool peer_is_kept(const struct peer *peer, const uint32_t *keep)
{
    return keep != NULL && peer->key != 0 && (peer->key == keep[0] || peer->key == keep[1]);
}

uint64_t peer_identity_hash(const char *identity, uint64_t secret)
{
    uint64_t hash = secret;
    size_t length = strnlen(identity, PROTO_IDENTITY_BYTES_MAX);
    for (size_t i = 0; i < length; i += sizeof hash) {
        uint64_t word = 0;
        memcpy(&word, identity + i, length - i < sizeof word ? length - i : sizeof word);
        hash = rng_mix64(hash ^ word);
    }
    return rng_mix64(hash ^ length);
}

static struct peer **address_bucket(const struct peer_table *table, const struct address *address)
{
    return &table->by_address[address_hash(address, table->secret) & table->bucket_mask];
}

static struct peer **identity_bucket(const struct peer_table *table, const char *identity)
{
    return &table->by_identity[peer_identity_hash(identity, table->secret) & table->bucket_mask];
}

/* --- Queues: oldest gives way first ------------------------------------------------------------- */

static void queue_append(struct peer_queue *queue, struct peer *peer)
{
    peer->newer = NULL;
    peer->older = queue->newest;
    if (queue->newest != NULL) {
        queue->newest->newer = peer;
    } else {
        queue->oldest = peer;
    }
    queue->newest = peer;
    queue->count++;
}

static void queue_prepend(struct peer_queue *queue, struct peer *peer)
{
    peer->older = NULL;
    peer->newer = queue->oldest;
    if (queue->oldest != NULL) {
        queue->oldest->older = peer;
    } else {
        queue->newest = peer;
    }
    queue->oldest = peer;
    queue->count++;
}

static void queue_take(struct peer_queue *queue, struct peer *peer)
{
    if (peer->older != NULL) {
        peer->older->newer = peer->newer;
    } else {
        queue->oldest = peer->newer;
    }
    if (peer->newer != NULL) {
        peer->newer->older = peer->older;
    } else {
        queue->newest = peer->older;
    }
    peer->older = NULL;
    peer->newer = NULL;
    queue->count--;
}

/* Whether `to` may follow `from`: the diagram in peer.h. */
static bool may_follow(enum peer_state from, enum peer_state to)
{
    switch (from) {
    case PEER_HANDSHAKE:
        return to == PEER_SILENT;
    case PEER_SILENT:
    case PEER_PARKED:
        return to == PEER_LIVE;
    case PEER_LIVE:
        return to == PEER_PARKED || to == PEER_LIVE;
    case PEER_STATES:
        break;
    }
    return false;
}

static uint32_t host_of(const struct peer_table *table, const struct address *address)
{
    return (uint32_t)(address_host_hash(address, table->secret) & (PEER_HOSTS - 1));
}

/* Out of the queue of its state. */
static void leave_state(struct peer_table *table, struct peer *peer)
{
    queue_take(&table->queue[peer->state], peer);
    if (peer->state == PEER_HANDSHAKE) {
        table->host_half_open[host_of(table, &peer->address)]--;
    }
}

/* Leaves the queue of its state; the caller puts it into the one of the new state. */
static void set_state(struct peer_table *table, struct peer *peer, enum peer_state state)
{
    MYCEL_ASSERT(may_follow((enum peer_state)peer->state, state));
    leave_state(table, peer);
    peer->state = (uint8_t)state;
}

/* --- Hash chains --------------------------------------------------------------------------------- */

static void address_insert(struct peer_table *table, struct peer *peer)
{
    struct peer **bucket = address_bucket(table, &peer->address);
    peer->address_next = *bucket;
    *bucket = peer;
    peer->by_address = true;
}

static void address_take(struct peer_table *table, struct peer *peer)
{
    if (!peer->by_address) {
        return;
    }
    struct peer **link = address_bucket(table, &peer->address);
    while (*link != peer) {
        MYCEL_ASSERT(*link != NULL);
        link = &(*link)->address_next;
    }
    *link = peer->address_next;
    peer->address_next = NULL;
    peer->by_address = false;
}

static void identity_take(struct peer_table *table, struct peer *peer)
{
    struct peer **link = identity_bucket(table, peer->identity);
    while (*link != peer) {
        MYCEL_ASSERT(*link != NULL);
        link = &(*link)->identity_next;
    }
    *link = peer->identity_next;
    peer->identity_next = NULL;
}

/* --- Life ---------------------------------------------------------------------------------------- */

int peer_table_init(struct peer_table *table, uint32_t peers_max, uint8_t worker, uint64_t secret)
{
    MYCEL_ASSERT(peers_max > 0 && peers_max < PEER_SLOTS_MAX);
    memset(table, 0, sizeof *table);
    uint32_t buckets = 64;
    while (buckets < peers_max) {
        buckets *= 2;
    }
    table->slots = peers_max;
    table->bucket_mask = buckets - 1;
    table->worker = worker;
    table->secret = secret;
    table->slot = calloc(peers_max, sizeof *table->slot);
    table->by_address = calloc(buckets, sizeof *table->by_address);
    table->by_identity = calloc(buckets, sizeof *table->by_identity);
    if (table->slot == NULL || table->by_address == NULL || table->by_identity == NULL) {
        peer_table_deinit(table);
        return MYCEL_E_NO_MEMORY;
    }
    return 0;
}

void peer_table_deinit(struct peer_table *table)
{
    for (unsigned i = 0; i < PEER_STATES; i++) {
        MYCEL_ASSERT(table->queue[i].count == 0);
    }
    free(table->slot);
    free(table->by_address);
    free(table->by_identity);
    memset(table, 0, sizeof *table);
}

/* Index of a free slot, or table->slots when there is none. */
static uint32_t slot_take(struct peer_table *table)
{
    if (table->free_slot != 0) {
        uint32_t slot = table->free_slot - 1;
        table->free_slot = table->slot[slot].next_free;
        return slot;
    }
    return table->slots_used < table->slots ? table->slots_used++ : table->slots;
}

static void slot_give_back(struct peer_table *table, uint32_t slot)
{
    table->slot[slot].peer = NULL;
    table->slot[slot].next_free = table->free_slot;
    table->free_slot = slot + 1;
}

struct peer *peer_table_new(struct peer_table *table, const uint8_t random[4])
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) {
        return NULL;
    }
    uint32_t slot = slot_take(table);
    if (slot == table->slots) {
        free(peer);
        return NULL;
    }
    struct peer_slot *s = &table->slot[slot];
    s->peer = peer;
    s->generation++;
    if (s->generation == 0) {
        s->generation = 1;
    }
    peer->id = (peer_id)s->generation << 32 | slot;
    peer->state = PEER_HANDSHAKE;
    peer->cid[0] = table->worker;
    peer->cid[1] = (uint8_t)(slot >> 16);
    peer->cid[2] = (uint8_t)(slot >> 8);
    peer->cid[3] = (uint8_t)slot;
    memcpy(peer->cid + 4, random, 4);
    return peer;
}

/* A peer that was made but never added is in no queue and no chain: its family is still 0. */
static bool peer_is_added(const struct peer *peer)
{
    return peer->address.family != 0;
}

void peer_table_add(struct peer_table *table, struct peer *peer, const struct address *address,
                    uint64_t now_ms)
{
    MYCEL_ASSERT(!peer_is_added(peer) && address->family != 0);
    peer->address = *address;
    peer->since_ms = now_ms;
    peer->active_ms = now_ms;
    address_insert(table, peer);
    queue_append(&table->queue[PEER_HANDSHAKE], peer);
    table->host_half_open[host_of(table, address)]++;
}

void peer_table_establish(struct peer_table *table, struct peer *peer, uint64_t now_ms)
{
    MYCEL_ASSERT(peer_is_added(peer) && peer->identity[0] != '\0');
    struct peer *shadowed = peer_table_by_address(table, &peer->address, true);
    if (shadowed != NULL) {
        address_take(table, shadowed);
    }
    set_state(table, peer, PEER_SILENT);
    peer->since_ms = now_ms;
    peer->active_ms = now_ms;
    queue_append(&table->queue[PEER_SILENT], peer);
    struct peer **bucket = identity_bucket(table, peer->identity);
    peer->identity_next = *bucket;
    *bucket = peer;
    address_take(table,
                 peer); /* back in front: among the peers of one address the newest is found */
    address_insert(table, peer);
}

void peer_table_confirm(struct peer_table *table, struct peer *peer, uint64_t now_ms)
{
    peer->active_ms = now_ms;
    if (peer->uses_cid) { /* from here on the connection id alone says who it is */
        address_take(table, peer);
    }
    if (table->queue[PEER_LIVE].newest != peer) {
        set_state(table, peer, PEER_LIVE);
        queue_append(&table->queue[PEER_LIVE], peer);
    }
}

/* Forgets all cached replies but the newest: a device that idles will hardly repeat older ones. */
static void recent_shrink(struct peer *peer)
{
    unsigned newest = (peer->recent_next + PEER_RECENT_MAX - 1u) % PEER_RECENT_MAX;
    for (unsigned i = 0; i < PEER_RECENT_MAX; i++) {
        if (i != newest) {
            free(peer->recent[i].reply);
            peer->recent[i] = (struct recent){.state = RECENT_EMPTY};
        }
    }
}

void peer_table_park(struct peer_table *table, struct peer *peer, uint8_t *blob, size_t bytes)
{
    MYCEL_ASSERT(peer->session == NULL && peer->parked == NULL && peer->pending == 0);
    set_state(table, peer, PEER_PARKED);
    queue_append(&table->queue[PEER_PARKED], peer);
    peer->parked = blob;
    peer->parked_bytes = bytes;
    recent_shrink(peer);
}

/* A copy that is restored twice would use its nonces twice, and it holds the keys. */
static void parked_wipe(struct peer *peer)
{
    if (peer->parked != NULL) {
        explicit_bzero(peer->parked, peer->parked_bytes);
        free(peer->parked);
        peer->parked = NULL;
    }
}

void peer_table_unpark(struct peer_table *table, struct peer *peer, struct session *session)
{
    set_state(table, peer, PEER_LIVE);
    queue_prepend(&table->queue[PEER_LIVE], peer);
    parked_wipe(peer);
    peer->session = session;
}

void peer_table_remove(struct peer_table *table, struct peer *peer)
{
    MYCEL_ASSERT(peer->session == NULL);
    if (peer_is_added(peer)) {
        leave_state(table, peer);
        address_take(table, peer);
    }
    if (peer_is_established(peer)) {
        identity_take(table, peer);
    }
    parked_wipe(peer);
    slot_give_back(table, peer_slot_of(peer->id));
    for (unsigned i = 0; i < PEER_RECENT_MAX; i++) {
        free(peer->recent[i].reply);
    }
    free(peer);
}

/* --- Look-ups ------------------------------------------------------------------------------------ */

struct peer *peer_table_by_id(const struct peer_table *table, peer_id id)
{
    uint32_t slot = peer_slot_of(id);
    if (id == 0 || slot >= table->slots_used) {
        return NULL;
    }
    struct peer *peer = table->slot[slot].peer;
    return peer != NULL && peer->id == id ? peer : NULL;
}

struct peer *peer_table_by_cid(const struct peer_table *table, const uint8_t cid[PEER_CID_BYTES])
{
    uint32_t slot = (uint32_t)cid[1] << 16 | (uint32_t)cid[2] << 8 | cid[3];
    if (slot >= table->slots_used) {
        return NULL;
    }
    struct peer *peer = table->slot[slot].peer;
    bool match = peer != NULL && memcmp(peer->cid, cid, PEER_CID_BYTES) == 0;
    return match && peer_is_added(peer) ? peer : NULL;
}

struct peer *peer_table_by_address(const struct peer_table *table, const struct address *address,
                                   bool established)
{
    struct peer *peer = *address_bucket(table, address);
    while (peer != NULL &&
           !(peer_is_established(peer) == established && address_equal(&peer->address, address))) {
        peer = peer->address_next;
    }
    return peer;
}

struct peer *peer_table_by_identity(const struct peer_table *table, const char *identity)
{
    struct peer *peer = *identity_bucket(table, identity);
    while (peer != NULL && strcmp(peer->identity, identity) != 0) {
        peer = peer->identity_next;
    }
    return peer;
}

uint32_t peer_table_established(const struct peer_table *table)
{
    return table->queue[PEER_SILENT].count + table->queue[PEER_LIVE].count +
           table->queue[PEER_PARKED].count;
}

struct peer *peer_table_least(const struct peer_table *table)
{
    static const enum peer_state order[] = {PEER_PARKED, PEER_LIVE, PEER_SILENT};
    for (unsigned i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (table->queue[order[i]].oldest != NULL) {
            return table->queue[order[i]].oldest;
        }
    }
    return NULL;
}

struct peer *peer_table_half_open_victim(const struct peer_table *table, const struct address *from)
{
    const struct peer_queue *queue = &table->queue[PEER_HANDSHAKE];
    uint32_t host = host_of(table, from);
    struct peer *peer = queue->oldest;
    if (table->host_half_open[host] < queue->count / PEER_HOST_SHARE) {
        return peer;
    }
    while (peer != NULL && host_of(table, &peer->address) != host) { /* one in eight is */
        peer = peer->newer;
    }
    return peer != NULL ? peer : queue->oldest;
}
