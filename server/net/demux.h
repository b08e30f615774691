/*
 * Which peer a datagram belongs to. Five rules, each with a test of its own:
 *
 *   1. Cookie before any state: a ClientHello costs memory only after its sender has proved, by
 *      returning a cookie, that it receives at its address.
 *   2. A ClientHello never touches an established peer, whatever address it comes from.
 *   3. Connection id before address: a record with an id is looked up by it and nothing else.
 *   4. The address follows only an authenticated record that is newer than all before.
 *   5. A completed handshake replaces the peer of the same identity, and no other.
 *
 * With several workers on a port the kernel may give one a record that is another's: a connection id
 * names its worker, and a record without one, from an address that is unknown here, goes round.
 *
 * A datagram is judged by its first record. Others in it go to the same peer, whose TLS session
 * judges them again.
 */
#ifndef MYCEL_SERVER_NET_DEMUX_H
#define MYCEL_SERVER_NET_DEMUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/net/address.h"
#include "server/net/peer.h"

#define DEMUX_RECORDS_MAX 16u /* messages taken from one datagram */

enum record_kind {
    RECORD_INVALID,     /* not DTLS 1.2, or not made of whole records */
    RECORD_HELLO,       /* ClientHello, complete, and nothing else in the datagram */
    RECORD_BAD_HELLO,   /* ClientHello that is fragmented, too short or not alone */
    RECORD_HANDSHAKE,   /* other handshake or change of cipher, not encrypted */
    RECORD_PLAIN_ALERT, /* not encrypted: anybody could have sent it */
    RECORD_CID,         /* encrypted, with a connection id */
    RECORD_ENCRYPTED    /* encrypted, found by address */
};

struct endpoint;

struct record {
    enum record_kind kind;
    uint64_t number;       /* epoch (16 bits) and sequence number (48) */
    bool alone;            /* the datagram has no other record */
    const uint8_t *cid;    /* of RECORD_CID */
    const uint8_t *random; /* of RECORD_HELLO: PEER_RANDOM_BYTES */
};

/* Looks at the first record of a datagram. Pure; any bytes are allowed. */
void record_read(struct record *out, const uint8_t *bytes, size_t count);

/* Handles one datagram (`endpoint` is a struct endpoint, as udp.h wants it). */
void demux_datagram(void *endpoint, const struct address *from, const uint8_t *bytes, size_t count);

/* The same for one that a sibling has passed on: `hops` workers had it before and it was not theirs. */
void demux_passed(struct endpoint *endpoint, const struct address *from, const uint8_t *bytes,
                  size_t count, unsigned hops);

/* Retransmissions and deadlines of unfinished handshakes, and sessions that idled for too long. */
void demux_tick(void *endpoint);

#endif
