/*
 * The endpoint as its own files see it: the parts and who holds them. Nothing outside this folder
 * includes it.
 *
 *   udp.c       datagrams          address.c   addresses
 *   udp_socket.c  sockets          udp_local.c  which of our addresses
 *   demux.c     the five rules     peer.c      table of peers
 *   dtls.c      TLS configuration  session.c   one TLS session
 *   parking.c   idle sessions      key_choice.c  two keys of one identity
 *   hello.c     ClientHello        certificates.c  devices with certificates
 *   allowance.c so many a second
 *   message.c   CoAP <-> struct    block.c     Block options, blobs
 *   exchange.c  request -> reply   pending.c   requests that wait
 *   shelf.c     blobs in demand    turn.c      once a turn of the loop
 *   upload.c    PUT with Block1    body.c, bodies.c  partial bodies
 *   endpoint.c  opens, ticks, closes
 *
 * An endpoint runs on one loop. Several of them on one port are workers (worker.c), which tell each
 * other and the shell by letters (letter.c, mailbox.c, siblings.c) what a record, a handshake or an
 * answer means for them; registry.c knows who has whose session. net.c is one or many of them.
 */
#ifndef MYCEL_SERVER_NET_ENDPOINT_H
#define MYCEL_SERVER_NET_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "server/net/bodies.h"
#include "server/net/dtls.h"
#include "server/net/net.h"
#include "server/net/peer.h"
#include "server/net/pending.h"
#include "server/net/session.h"
#include "server/net/shelf.h"
#include "server/net/siblings.h"
#include "server/net/udp.h"

#define NET_TICK_MS 100u     /* resolution of every deadline here */
#define NET_SILENT_MS 60000u /* a session without any request since its handshake */
#define NET_PLAIN_BYTES_MAX 2048u
#define NET_MESSAGE_BYTES_MAX 1280u /* a CoAP message that we send */
#define NET_BODY_BUSY_S 30          /* Max-Age when the budget of all uploads is used up */

/* What body_admit returns between an endpoint and its worker: the verdict comes with endpoint_admit. */
#define ENDPOINT_ADMIT_LATER (-1)

struct message_parser;

struct endpoint {
    uv_loop_t *loop;
    struct net_config config; /* complete; strings do not outlive endpoint_open */
    struct net_blob *well_known;
    struct net_stats stats;
    struct udp *udp;
    struct dtls dtls;
    struct session_pool spares;
    struct peer_table peers;
    struct peer *listener; /* receives ClientHellos; becomes the peer when the cookie is right */
    struct pending_table pending;
    struct shelf shelf;
    struct bodies *bodies;     /* the siblings', if there are any */
    struct siblings *siblings; /* NULL: alone on its port */
    struct message_parser *parser;
    uv_timer_t timer;
    bool closing;
    unsigned closing_parts; /* sockets and timer not yet closed */
    void (*closed)(void *user);
    void *closed_user;
    uint8_t plain[NET_PLAIN_BYTES_MAX]; /* the message being handled */
};

/* As the functions of net.h, for one endpoint. The configuration has to be complete (net.c); with
 * siblings the handler's request ids are to be given to endpoint_reply and endpoint_admit. */
int endpoint_open(struct endpoint **out, uv_loop_t *loop, const struct net_config *config,
                  struct siblings *siblings);
void endpoint_close(struct endpoint *endpoint, void (*closed)(void *user), void *user);
uint16_t endpoint_port(const struct endpoint *endpoint);
int endpoint_reply(struct endpoint *endpoint, net_reply_id id, const struct net_response *response);
int endpoint_kick(struct endpoint *endpoint, const char *identity, const uint32_t *keep);
void endpoint_kick_all(struct endpoint *endpoint);
void endpoint_stats(const struct endpoint *endpoint, struct net_stats *out);

/* The verdict that ENDPOINT_ADMIT_LATER has promised: NULL to go on. Nothing happens when nobody waits
 * for it any more. */
void endpoint_admit(struct endpoint *endpoint, net_reply_id id, const struct net_response *refusal);

/* A sibling has made a newer claim to the identity than `claim`: ends the session that made it. */
void endpoint_replaced(struct endpoint *endpoint, const char *identity, uint64_t claim);

/* Milliseconds of the loop's monotonic clock. */
uint64_t endpoint_now_ms(const struct endpoint *endpoint);

void endpoint_drop(struct endpoint *endpoint, enum net_drop reason);

/* Ends a peer: frees its session and its place in the table. Its pending requests stay until the
 * shell has answered them into the void. */
void endpoint_remove_peer(struct endpoint *endpoint, struct peer *peer, enum net_drop reason);

void endpoint_log(struct endpoint *endpoint, enum net_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
