/* Implementation of demux.h. */
#include "server/net/demux.h"

#include <string.h>

#include <mycel/error.h>

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

static enum record_kind hello_kind(const uint8_t *bytes, size_t record)
{
    if (record < HELLO_BYTES_MIN) {
        return RECORD_BAD_HELLO;
    }
    const uint8_t *header = bytes + RECORD_HEADER_BYTES;
    uint64_t length = read_be(header + 1, 3);
    uint64_t fragment_offset = read_be(header + 6, 3);
    uint64_t fragment_length = read_be(header + 9, 3);
    bool whole = fragment_offset == 0 && fragment_length == length &&
                 RECORD_HEADER_BYTES + HANDSHAKE_HEADER_BYTES + length <= record;
    return whole ? RECORD_HELLO : RECORD_BAD_HELLO;
}

static enum record_kind plain_kind(const uint8_t *bytes, size_t record)
{
    switch (bytes[0]) {
    case CONTENT_CHANGE_CIPHER:
        return RECORD_HANDSHAKE;
    case CONTENT_ALERT:
        return RECORD_PLAIN_ALERT;
    case CONTENT_HANDSHAKE:
        if (record > RECORD_HEADER_BYTES && bytes[RECORD_HEADER_BYTES] == HANDSHAKE_CLIENT_HELLO) {
            return hello_kind(bytes, record);
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
        out->kind = plain_kind(bytes, record);
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
static bool listener_ready(struct net *net)
{
    uint8_t random[4];
    if (net->listener != NULL) {
        return true;
    }
    if (dtls_random(&net->dtls, random, sizeof random) != 0) {
        return false;
    }
    struct peer *peer = peer_table_new(&net->peers, random);
    if (peer == NULL) {
        return false;
    }
    peer->session = session_new(net, peer);
    if (peer->session == NULL) {
        peer_table_remove(&net->peers, peer);
        return false;
    }
    net->listener = peer;
    return true;
}

/* The cookie was right: the listener becomes a half-open peer. */
static void promote_listener(struct net *net, const struct address *from, const uint8_t *random)
{
    struct peer *peer = net->listener;
    net->listener = NULL;
    struct peer_queue *half_open = &net->peers.queue[PEER_HANDSHAKE];
    struct peer *before = peer_table_by_address(&net->peers, from, false);
    if (before != NULL) { /* the same host has begun anew */
        net_remove_peer(net, before, NET_DROP_HALF_OPEN_EVICTED);
    } else if (half_open->count >= net->config.half_open_max) {
        net_remove_peer(net, peer_table_half_open_victim(&net->peers, from),
                        NET_DROP_HALF_OPEN_EVICTED);
    }
    memcpy(peer->hello_random, random, PEER_RANDOM_BYTES);
    peer_table_add(&net->peers, peer, from, net_now_ms(net));
}

/* The handshake is done and the identity proved. */
static void establish(struct net *net, struct peer *peer)
{
    struct peer *before = peer_table_by_identity(&net->peers, peer->identity);
    if (before != NULL) {
        net_remove_peer(net, before, NET_DROP_SESSION_REPLACED);
    } else if (peer_table_established(&net->peers) >= net->config.peers_max) {
        net_remove_peer(net, peer_table_least(&net->peers), NET_DROP_SESSION_EVICTED);
    }
    peer->uses_cid = session_uses_cid(peer->session);
    (void)dtls_random(&net->dtls, &peer->next_mid, sizeof peer->next_mid);
    peer_table_establish(&net->peers, peer, net_now_ms(net));
    net->stats.handshakes++;
}

static void continue_handshake(struct net *net, struct peer *peer, const uint8_t *bytes,
                               size_t count)
{
    switch (session_handshake(peer->session, bytes, count)) {
    case SESSION_WANT:
        break;
    case SESSION_DONE:
        if (peer->identity[0] == '\0') {
            net_remove_peer(net, peer, NET_DROP_HANDSHAKE_FAILED);
            break;
        }
        establish(net, peer);
        break;
    case SESSION_FAILED:
        net_log(net, NET_LOG_DEBUG, "handshake failed, identity %s",
                peer->identity[0] != '\0' ? peer->identity : "unknown");
        net_remove_peer(net, peer, NET_DROP_HANDSHAKE_FAILED);
        break;
    }
}

static bool same_hello(const struct peer *peer, const struct record *record)
{
    return peer != NULL && memcmp(peer->hello_random, record->random, PEER_RANDOM_BYTES) == 0;
}

static void on_hello(struct net *net, const struct address *from, const struct record *record,
                     const uint8_t *bytes, size_t count)
{
    net->stats.hellos++;
    struct peer *half_open = peer_table_by_address(&net->peers, from, false);
    if (same_hello(half_open, record)) { /* our answer was lost: the session sends it again */
        continue_handshake(net, half_open, bytes, count);
        return;
    }
    struct peer *done = peer_table_by_address(&net->peers, from, true);
    if (same_hello(done, record)) { /* a late copy of what has led to a session already */
        net_drop(net, NET_DROP_RECORD_REJECTED);
        return;
    }
    if (!listener_ready(net)) {
        net_drop(net, NET_DROP_MEMORY);
        return;
    }
    switch (session_hello(net->listener->session, from, bytes, count)) {
    case SESSION_WANT:
        promote_listener(net, from, record->random);
        break;
    case SESSION_DONE:
        break;
    case SESSION_FAILED:
        session_free(net->listener->session);
        net->listener->session = NULL;
        peer_table_remove(&net->peers, net->listener);
        net->listener = NULL;
        break;
    }
}

/* --- Established peers --------------------------------------------------------------------------- */

/* The peer has sent something authentic. A record that others follow in the same datagram proves
 * nothing about the header that we read, so only one that is alone moves the address. */
static void on_authentic(struct net *net, struct peer *peer, const struct address *from,
                         const struct record *record)
{
    peer_table_confirm(&net->peers, peer, net_now_ms(net));
    if (!record->alone || record->number <= peer->newest_record) {
        return;
    }
    peer->newest_record = record->number;
    if (peer->uses_cid && !address_equal(&peer->address, from)) {
        peer->address = *from;
        net->stats.rebinds++;
    }
}

static void on_records(struct net *net, struct peer *peer, const struct address *from,
                       const struct record *record, const uint8_t *bytes, size_t count)
{
    peer_id id = peer->id;
    bool authentic = false;
    session_feed(peer->session, bytes, count);
    for (unsigned i = 0; i < DEMUX_RECORDS_MAX; i++) {
        int length = session_read(peer->session, net->plain, sizeof net->plain);
        if (length == 0) {
            break;
        }
        if (length < 0) {
            net_remove_peer(net, peer, NET_DROP_SESSION_CLOSED);
            return;
        }
        if (!authentic) {
            authentic = true;
            on_authentic(net, peer, from, record);
        }
        exchange_receive(net, peer, net->plain, (size_t)length);
        peer = net->closing ? NULL : peer_table_by_id(&net->peers, id);
        if (peer == NULL) { /* the shell has ended it meanwhile */
            return;
        }
    }
    if (!authentic) {
        net_drop(net, NET_DROP_RECORD_REJECTED);
    }
}

/* --- The rules ----------------------------------------------------------------------------------- */

/* Whom a record without connection id belongs to. While a handshake is under way, to it; just after
 * it the last flight may be asked for again; later only to a peer without connection ids, and only
 * when it is encrypted. */
static struct peer *peer_of_address(struct net *net, const struct address *from,
                                    enum record_kind kind)
{
    struct peer *peer = peer_table_by_address(&net->peers, from, false);
    if (peer != NULL) {
        return peer;
    }
    peer = peer_table_by_address(&net->peers, from, true);
    if (peer == NULL || peer->state == PEER_SILENT) {
        return peer;
    }
    return kind == RECORD_ENCRYPTED ? peer : NULL;
}

/* The address of a handshake is fixed: its cookie was made for it. */
static void to_peer(struct net *net, struct peer *peer, const struct address *from,
                    const struct record *record, const uint8_t *bytes, size_t count)
{
    if (peer_is_established(peer)) {
        if (parking_wake(net, peer)) {
            on_records(net, peer, from, record, bytes, count);
            parking_trim(net);
        }
    } else if (address_equal(&peer->address, from)) {
        continue_handshake(net, peer, bytes, count);
    } else {
        net_drop(net, NET_DROP_RECORD_REJECTED);
    }
}

void demux_datagram(void *user, const struct address *from, const uint8_t *bytes, size_t count)
{
    struct net *net = user;
    struct record record;
    record_read(&record, bytes, count);
    struct peer *peer = NULL;
    switch (record.kind) {
    case RECORD_INVALID:
        net_drop(net, NET_DROP_NOT_DTLS);
        return;
    case RECORD_BAD_HELLO:
        net_drop(net, NET_DROP_HELLO_MALFORMED);
        return;
    case RECORD_PLAIN_ALERT:
        net_drop(net, NET_DROP_RECORD_REJECTED);
        return;
    case RECORD_HELLO:
        on_hello(net, from, &record, bytes, count);
        return;
    case RECORD_CID:
        peer = peer_table_by_cid(&net->peers, record.cid);
        break;
    case RECORD_HANDSHAKE:
    case RECORD_ENCRYPTED:
        peer = peer_of_address(net, from, record.kind);
        break;
    }
    if (peer == NULL) {
        net_drop(net, record.kind == RECORD_CID ? NET_DROP_UNKNOWN_CID : NET_DROP_NO_SESSION);
        return;
    }
    to_peer(net, peer, from, &record, bytes, count);
}

/* --- Time ---------------------------------------------------------------------------------------- */

static void tick_handshakes(struct net *net, uint64_t now_ms)
{
    struct peer *peer = net->peers.queue[PEER_HANDSHAKE].oldest;
    while (peer != NULL) { /* at most half_open_max */
        struct peer *next = peer->newer;
        if (now_ms - peer->since_ms >= net->config.handshake_timeout_ms) {
            net_remove_peer(net, peer, NET_DROP_HANDSHAKE_TIMEOUT);
        } else if (session_timer_expired(peer->session)) {
            continue_handshake(net, peer, NULL, 0);
        }
        peer = next;
    }
}

static void tick_idle(struct net *net, enum peer_state state, uint64_t now_ms, uint64_t limit_ms,
                      enum net_drop reason)
{
    struct peer_queue *queue = &net->peers.queue[state];
    while (queue->oldest != NULL && now_ms - queue->oldest->active_ms >= limit_ms) {
        if (queue->oldest->session != NULL) {
            session_notify_close(queue->oldest->session);
        }
        net_remove_peer(net, queue->oldest, reason);
    }
}

void demux_tick(void *user)
{
    struct net *net = user;
    uint64_t now_ms = net_now_ms(net);
    uint64_t idle_ms = net->config.idle_timeout_ms;
    tick_handshakes(net, now_ms);
    uint64_t silent_ms = idle_ms < NET_SILENT_MS ? idle_ms : NET_SILENT_MS;
    tick_idle(net, PEER_SILENT, now_ms, silent_ms, NET_DROP_SESSION_SILENT);
    tick_idle(net, PEER_LIVE, now_ms, idle_ms, NET_DROP_SESSION_IDLE);
    tick_idle(net, PEER_PARKED, now_ms, idle_ms, NET_DROP_SESSION_IDLE);
}
