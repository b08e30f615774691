/*
 * The endpoint as its own files see it: the parts and who holds them. Nothing outside this folder
 * includes it.
 *
 *   udp.c       sockets            address.c   addresses
 *   demux.c     the five rules     peer.c      table of peers
 *   dtls.c      TLS configuration  session.c   one TLS session
 *   parking.c   idle sessions      key_choice.c  two keys of one identity
 *   message.c   CoAP <-> struct    block.c     Block options, blobs
 *   exchange.c  request -> reply   pending.c   requests that wait
 *   upload.c    PUT with Block1    body.c      partial bodies
 *   endpoint.c  opens, ticks, closes
 */
#ifndef MYCEL_SERVER_NET_ENDPOINT_H
#define MYCEL_SERVER_NET_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "server/net/body.h"
#include "server/net/dtls.h"
#include "server/net/net.h"
#include "server/net/peer.h"
#include "server/net/pending.h"
#include "server/net/session.h"
#include "server/net/udp.h"

#define NET_TICK_MS 100u     /* resolution of every deadline here */
#define NET_SILENT_MS 60000u /* a session without any request since its handshake */
#define NET_PLAIN_BYTES_MAX 2048u
#define NET_MESSAGE_BYTES_MAX 1280u /* a CoAP message that we send */
#define NET_BODY_BUSY_S 30          /* Max-Age when the budget of all uploads is used up */

struct message_parser;

struct net {
    uv_loop_t *loop;
    struct net_config config; /* defaults filled in; strings do not outlive net_open */
    struct net_blob *well_known;
    struct net_stats stats;
    struct udp *udp;
    struct dtls dtls;
    struct session_pool spares;
    struct peer_table peers;
    struct peer *listener; /* receives ClientHellos; becomes the peer when the cookie is right */
    struct pending_table pending;
    struct body_table bodies;
    struct message_parser *parser;
    uv_timer_t timer;
    bool closing;
    unsigned closing_parts; /* sockets and timer not yet closed */
    void (*closed)(void *user);
    void *closed_user;
    uint8_t plain[NET_PLAIN_BYTES_MAX]; /* the message being handled */
};

/* Milliseconds of the loop's monotonic clock. */
uint64_t net_now_ms(const struct net *net);

void net_drop(struct net *net, enum net_drop reason);

/* Ends a peer: frees its session and its place in the table. Its pending requests stay until the
 * shell has answered them into the void. */
void net_remove_peer(struct net *net, struct peer *peer, enum net_drop reason);

void net_log(struct net *net, enum net_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
