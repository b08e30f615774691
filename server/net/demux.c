/* Implementation of demux.h. */
#include "server/net/demux.h"

#include <string.h>

#include <mycel/error.h>

#include "server/net/certificates.h"
#include "server/net/endpoint.h"
#include "server/net/exchange.h"
#include "server/net/parking.h"
#include "server/net/session.h"

/* Record and handshake headers of RFC 6347 §4.1 and §4.2.2, and RFC 9146 §4. */
#define CONTENT_CHANGE_CIPHER 20u
#define CONTENT_ALERT 21u
#define CONTENT_HANDSHAKE 22u
#define CONTENT_APPLICATION 23u
#define CONTENT_CID 25u
#define RECORD_HEADER_BYTES 13u
#define HANDSHAKE_HEADER_BYTES 12u
#define HANDSHAKE_CLIENT_HELLO 1u
#define HELLO_RANDOM_OFFSET (RECORD_HEADER_BYTES + HANDSHAKE_HEADER_BYTES + 2u)
#define HELLO_BYTES_MIN (HELLO_RANDOM_OFFSET + PEER_RANDOM_BYTES + 1u)

/* --- Reading ------------------------------------------------------------------------------------- */

static uint64_t read_be(const uint8_t *bytes, unsigned count)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < count; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/* Bytes of the record at the front, or 0 when its header is incomplete or it reaches over the end. */
static size_t record_bytes(const uint8_t *bytes, size_t count)
{
    size_t header = RECORD_HEADER_BYTES;
    if (count > 0 && bytes[0] == CONTENT_CID) {
        header += PEER_CID_BYTES;
    }
    if (count < header) {
        return 0;
    }
    size_t whole = header + (size_t)read_be(bytes + header - 2, 2);
    return whole <= count ? whole : 0;
}

/* Whether the datagram consists of whole records. The library gives a session up when some bytes are
 * left behind a record that it ignores; anybody could send that, so it must never see one. */
static bool is_framed(const uint8_t *bytes, size_t count)
{
    while (count > 0) {
        size_t whole = record_bytes(bytes, count);
        if (whole == 0) {
            return false;
        }
        bytes += whole;
        count -= whole;
    }
    return true;
}

/* A client that has not heard us has nothing to say behind its ClientHello. What came there would be
 * handled before there is a peer, and before anybody has counted what the handshake costs. */
static enum record_kind hello_kind(const uint8_t *bytes, size_t record, bool alone)
{
    if (record < HELLO_BYTES_MIN || !alone) {
        return RECORD_BAD_HELLO;
    }
    const uint8_t *header = bytes + RECORD_HEADER_BYTES;
    uint64_t length = read_be(header + 1, 3);
    uint64_t fragment_offset = read_be(header + 6, 3);
    uint64_t fragment_length = read_be(header + 9, 3);
    bool whole = fragment_offset == 0 && fragment_length == length &&
                 RECORD_HEADER_BYTES + HANDSHAKE_HEADER_BYTES + length == record;
    return whole ? RECORD_HELLO : RECORD_BAD_HELLO;
}

static enum record_kind plain_kind(const uint8_t *bytes, size_t record, bool alone)
{
    switch (bytes[0]) {
    case CONTENT_CHANGE_CIPHER:
        return RECORD_HANDSHAKE;
    case CONTENT_ALERT:
        return RECORD_PLAIN_ALERT;
    case CONTENT_HANDSHAKE:
        if (record > RECORD_HEADER_BYTES && bytes[RECORD_HEADER_BYTES] == HANDSHAKE_CLIENT_HELLO) {
            return hello_kind(bytes, record, alone);
        }
        return RECORD_HANDSHAKE;
    default:
        return RECORD_INVALID;
    }
}

void record_read(struct record *out, const uint8_t *bytes, size_t count)
{
    *out = (struct record){.kind = RECORD_INVALID};
    size_t record = record_bytes(bytes, count);
    if (record == 0 || !is_framed(bytes, count) || bytes[1] != 0xFE ||
        (bytes[2] != 0xFD && bytes[2] != 0xFF)) {
        return;
    }
    out->number = read_be(bytes + 3, 8);
    out->alone = record == count;
    bool encrypted = out->number >> 48 != 0;
    if (bytes[0] == CONTENT_CID) {
        out->kind = encrypted ? RECORD_CID : RECORD_INVALID;
        out->cid = bytes + 11;
    } else if (!encrypted) {
        out->kind = plain_kind(bytes, record, out->alone);
    } else if (bytes[0] >= CONTENT_CHANGE_CIPHER && bytes[0] <= CONTENT_APPLICATION) {
        out->kind = RECORD_ENCRYPTED;
    }
    if (out->kind == RECORD_HELLO) {
        out->random = bytes + HELLO_RANDOM_OFFSET;
    }
}

/* --- Handshakes ---------------------------------------------------------------------------------- */

/* Makes the peer whose session waits for ClientHellos. Without memory there is none, and the next
 * ClientHello tries again. */
static bool listener_ready(struct endpoint *endpoint)
{
    uint8_t random[4];
    if (endpoint->listener != NULL) {
        return true;
    }
    if (dtls_random(&endpoint->dtls, random, sizeof random) != 0) {
        return false;
    }
    struct peer *peer = peer_table_new(&endpoint->peers, random);
    if (peer == NULL) {
        return false;
    }
    peer->session = session_new(endpoint, peer);
    if (peer->session == NULL) {
        peer_table_remove(&endpoint->peers, peer);
        return false;
    }
    endpoint->listener = peer;
    return true;
}

/* The cookie was right: the listener becomes a half-open peer. */
static void promote_listener(struct endpoint *endpoint, const struct address *from,
                             const uint8_t *random)
{
    struct peer *peer = endpoint->listener;
    endpoint->listener = NULL;
    struct peer_queue *half_open = &endpoint->peers.queue[PEER_HANDSHAKE];
    struct peer *before = peer_table_by_address(&endpoint->peers, from, false);
    if (before != NULL) { /* the same host has begun anew */
        endpoint_remove_peer(endpoint, before, NET_DROP_HALF_OPEN_EVICTED);
    } else if (half_open->count >= endpoint->config.half_open_max) {
        endpoint_remove_peer(endpoint, peer_table_half_open_victim(&endpoint->peers, from),
                             NET_DROP_HALF_OPEN_EVICTED);
    }
    memcpy(peer->hello_random, random, PEER_RANDOM_BYTES);
    peer_table_add(&endpoint->peers, peer, from, endpoint_now_ms(endpoint));
}

/* On all workers. */
static uint32_t sessions(const struct endpoint *endpoint)
{
    return endpoint->siblings != NULL ? registry_sessions(&endpoint->siblings->registry)
                                      : peer_table_established(&endpoint->peers);
}

/* Rule 5 across workers: the one that has the identity's earlier session is told. Without memory for
 * the letter that session lives on until it idles; its device has forgotten its keys. */
static void claim(struct endpoint *endpoint, struct peer *peer)
{
    struct siblings *siblings = endpoint->siblings;
    struct registry_before before = registry_claim(&siblings->registry, peer);
    if (!before.found) {
        return;
    }
    struct letter *letter = letter_identity(LETTER_REPLACED, peer->identity, before.claim);
    if (letter != NULL) {
        siblings_write(siblings, endpoint->config.worker, before.worker, letter);
    } else {
        endpoint_drop(endpoint, NET_DROP_MEMORY);
    }
}

/* The handshake is done and the identity proved. */
static void establish(struct endpoint *endpoint, struct peer *peer)
{
    struct peer *before = peer_table_by_identity(&endpoint->peers, peer->identity);
    if (before != NULL) {
        endpoint_remove_peer(endpoint, before, NET_DROP_SESSION_REPLACED);
    } else if (sessions(endpoint) >= endpoint->config.peers_max &&
               peer_table_least(&endpoint->peers) != NULL) {
        endpoint_remove_peer(endpoint, peer_table_least(&endpoint->peers),
                             NET_DROP_SESSION_EVICTED);
    }
    peer->uses_cid = session_uses_cid(peer->session);
    (void)dtls_random(&endpoint->dtls, &peer->next_mid, sizeof peer->next_mid);
    peer_table_establish(&endpoint->peers, peer, endpoint_now_ms(endpoint));
    if (endpoint->siblings != NULL) {
        claim(endpoint, peer);
    }
    endpoint->stats.handshakes++;
}

static void continue_handshake(struct endpoint *endpoint, struct peer *peer, const uint8_t *bytes,
                               size_t count)
{
    switch (session_handshake(peer->session, bytes, count)) {
    case SESSION_WANT:
        break;
    case SESSION_DONE:
        if (peer->identity[0] == '\0') {
            endpoint_remove_peer(endpoint, peer, NET_DROP_HANDSHAKE_FAILED);
            break;
        }
        establish(endpoint, peer);
        break;
    case SESSION_FAILED:
        endpoint_log(endpoint, NET_LOG_DEBUG, "handshake failed, identity %s",
                     peer->identity[0] != '\0' ? peer->identity : "unknown");
        endpoint_remove_peer(endpoint, peer, NET_DROP_HANDSHAKE_FAILED);
        break;
    }
}

static bool same_hello(const struct peer *peer, const struct record *record)
{
    return peer != NULL && memcmp(peer->hello_random, record->random, PEER_RANDOM_BYTES) == 0;
}

static void on_hello(struct endpoint *endpoint, const struct address *from,
                     const struct record *record, const uint8_t *bytes, size_t count)
{
    endpoint->stats.hellos++;
    struct peer *half_open = peer_table_by_address(&endpoint->peers, from, false);
    if (same_hello(half_open, record)) { /* our answer was lost: the session sends it again */
        continue_handshake(endpoint, half_open, bytes, count);
        return;
    }
    struct peer *done = peer_table_by_address(&endpoint->peers, from, true);
    if (same_hello(done, record)) { /* a late copy of what has led to a session already */
        endpoint_drop(endpoint, NET_DROP_RECORD_REJECTED);
        return;
    }
    if (certificates_must_wait(endpoint, from, bytes, count)) {
        endpoint_drop(endpoint, NET_DROP_CERTIFICATE_BUDGET);
        return;
    }
    if (!listener_ready(endpoint)) {
        endpoint_drop(endpoint, NET_DROP_MEMORY);
        return;
    }
    switch (session_hello(endpoint->listener->session, from, bytes, count)) {
    case SESSION_WANT:
        certificates_begin(endpoint, from, bytes, count);
        promote_listener(endpoint, from, record->random);
        break;
    case SESSION_DONE:
        break;
    case SESSION_FAILED:
        session_free(endpoint->listener->session);
        endpoint->listener->session = NULL;
        peer_table_remove(&endpoint->peers, endpoint->listener);
        endpoint->listener = NULL;
        break;
    }
}

/* --- Established peers --------------------------------------------------------------------------- */

/* The peer has sent something authentic. A record that others follow in the same datagram proves
 * nothing about the header that we read, so only one that is alone moves the address. */
static void on_authentic(struct endpoint *endpoint, struct peer *peer, const struct address *from,
                         const struct record *record)
{
    peer_table_confirm(&endpoint->peers, peer, endpoint_now_ms(endpoint));
    if (!record->alone || record->number <= peer->newest_record) {
        return;
    }
    peer->newest_record = record->number;
    if (peer->uses_cid && !address_equal(&peer->address, from)) {
        peer->address = *from;
        endpoint->stats.rebinds++;
    }
}

static void on_records(struct endpoint *endpoint, struct peer *peer, const struct address *from,
                       const struct record *record, const uint8_t *bytes, size_t count)
{
    peer_id id = peer->id;
    bool authentic = false;
    session_feed(peer->session, bytes, count);
    for (unsigned i = 0; i < DEMUX_RECORDS_MAX; i++) {
        int length = session_read(peer->session, endpoint->plain, sizeof endpoint->plain);
        if (length == 0) {
            break;
        }
        if (length < 0) {
            endpoint_remove_peer(endpoint, peer, NET_DROP_SESSION_CLOSED);
            return;
        }
        if (!authentic) {
            authentic = true;
            on_authentic(endpoint, peer, from, record);
        }
        exchange_receive(endpoint, peer, endpoint->plain, (size_t)length);
        peer = endpoint->closing ? NULL : peer_table_by_id(&endpoint->peers, id);
        if (peer == NULL) { /* the shell has ended it meanwhile */
            return;
        }
    }
    if (!authentic) {
        endpoint_drop(endpoint, NET_DROP_RECORD_REJECTED);
    }
}

/* --- The rules ----------------------------------------------------------------------------------- */

/* Whom a record without connection id belongs to. While a handshake is under way, to it; just after
 * it the last flight may be asked for again; later only to a peer without connection ids, and only
 * when it is encrypted. */
static struct peer *peer_of_address(struct endpoint *endpoint, const struct address *from,
                                    enum record_kind kind)
{
    struct peer *peer = peer_table_by_address(&endpoint->peers, from, false);
    if (peer != NULL) {
        return peer;
    }
    peer = peer_table_by_address(&endpoint->peers, from, true);
    if (peer == NULL || peer->state == PEER_SILENT) {
        return peer;
    }
    return kind == RECORD_ENCRYPTED ? peer : NULL;
}

/* The address of a handshake is fixed: its cookie was made for it. */
static void to_peer(struct endpoint *endpoint, struct peer *peer, const struct address *from,
                    const struct record *record, const uint8_t *bytes, size_t count)
{
    if (peer_is_established(peer)) {
        if (parking_wake(endpoint, peer)) {
            on_records(endpoint, peer, from, record, bytes, count);
            parking_trim(endpoint);
        }
    } else if (address_equal(&peer->address, from)) {
        continue_handshake(endpoint, peer, bytes, count);
    } else {
        endpoint_drop(endpoint, NET_DROP_RECORD_REJECTED);
    }
}

/* Whether the record went to the worker that it belongs to, or to the next that may know its address. */
static bool pass_on(struct endpoint *endpoint, const struct address *from,
                    const struct record *record, const uint8_t *bytes, size_t count, unsigned hops)
{
    struct siblings *siblings = endpoint->siblings;
    if (siblings == NULL || hops + 1 >= siblings->workers) {
        return false;
    }
    unsigned self = endpoint->config.worker;
    unsigned to = record->kind == RECORD_CID ? record->cid[0] : (self + 1) % siblings->workers;
    if (to == self || to >= siblings->workers) {
        return false;
    }
    struct letter *letter = letter_datagram(from, bytes, count, hops + 1);
    if (letter == NULL) {
        return false;
    }
    siblings_write(siblings, self, to, letter);
    endpoint->stats.passed_on++;
    return true;
}

void demux_datagram(void *user, const struct address *from, const uint8_t *bytes, size_t count)
{
    demux_passed(user, from, bytes, count, 0);
}

void demux_passed(struct endpoint *endpoint, const struct address *from, const uint8_t *bytes,
                  size_t count, unsigned hops)
{
    struct record record;
    record_read(&record, bytes, count);
    struct peer *peer = NULL;
    switch (record.kind) {
    case RECORD_INVALID:
        endpoint_drop(endpoint, NET_DROP_NOT_DTLS);
        return;
    case RECORD_BAD_HELLO:
        endpoint_drop(endpoint, NET_DROP_HELLO_MALFORMED);
        return;
    case RECORD_PLAIN_ALERT:
        endpoint_drop(endpoint, NET_DROP_RECORD_REJECTED);
        return;
    case RECORD_HELLO:
        on_hello(endpoint, from, &record, bytes, count);
        return;
    case RECORD_CID:
        peer = peer_table_by_cid(&endpoint->peers, record.cid);
        break;
    case RECORD_HANDSHAKE:
    case RECORD_ENCRYPTED:
        peer = peer_of_address(endpoint, from, record.kind);
        break;
    }
    if (peer == NULL && pass_on(endpoint, from, &record, bytes, count, hops)) {
        return;
    }
    if (peer == NULL) {
        endpoint_drop(endpoint,
                      record.kind == RECORD_CID ? NET_DROP_UNKNOWN_CID : NET_DROP_NO_SESSION);
        return;
    }
    to_peer(endpoint, peer, from, &record, bytes, count);
}

/* --- Time ---------------------------------------------------------------------------------------- */

static void tick_handshakes(struct endpoint *endpoint, uint64_t now_ms)
{
    struct peer *peer = endpoint->peers.queue[PEER_HANDSHAKE].oldest;
    while (peer != NULL) { /* at most half_open_max */
        struct peer *next = peer->newer;
        if (now_ms - peer->since_ms >= endpoint->config.handshake_timeout_ms) {
            endpoint_remove_peer(endpoint, peer, NET_DROP_HANDSHAKE_TIMEOUT);
        } else if (session_timer_expired(peer->session)) {
            continue_handshake(endpoint, peer, NULL, 0);
        }
        peer = next;
    }
}

static void tick_idle(struct endpoint *endpoint, enum peer_state state, uint64_t now_ms,
                      uint64_t limit_ms, enum net_drop reason)
{
    struct peer_queue *queue = &endpoint->peers.queue[state];
    while (queue->oldest != NULL && now_ms - queue->oldest->active_ms >= limit_ms) {
        if (queue->oldest->session != NULL) {
            session_notify_close(queue->oldest->session);
        }
        endpoint_remove_peer(endpoint, queue->oldest, reason);
    }
}

void demux_tick(void *user)
{
    struct endpoint *endpoint = user;
    uint64_t now_ms = endpoint_now_ms(endpoint);
    uint64_t idle_ms = endpoint->config.idle_timeout_ms;
    tick_handshakes(endpoint, now_ms);
    uint64_t silent_ms = idle_ms < NET_SILENT_MS ? idle_ms : NET_SILENT_MS;
    tick_idle(endpoint, PEER_SILENT, now_ms, silent_ms, NET_DROP_SESSION_SILENT);
    tick_idle(endpoint, PEER_LIVE, now_ms, idle_ms, NET_DROP_SESSION_IDLE);
    tick_idle(endpoint, PEER_PARKED, now_ms, idle_ms, NET_DROP_SESSION_IDLE);
}
