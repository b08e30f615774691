/*
 * The endpoint's UDP sockets: batches in, batches out, every byte counted. It must never look into
 * a datagram.
 *
 * Sending only queues. What is queued leaves when the batch is full, and whenever the loop is about
 * to sleep or has just polled, so that the replies of one group commit share a system call.
 */
#ifndef MYCEL_SERVER_NET_UDP_H
#define MYCEL_SERVER_NET_UDP_H

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "server/net/address.h"
#include "server/net/net.h"

#define UDP_DATAGRAM_BYTES_MAX 2304u /* a full record (2,048) and its headers */
#define UDP_RECEIVE_BATCH 32u
#define UDP_SEND_BATCH 64u
#define UDP_BATCHES_PER_WAKE 8u            /* then other work of the loop has its turn */
#define UDP_RECEIVE_BUFFER_BYTES (4 << 20) /* asked of the kernel, which may give less */

typedef void (*udp_receive_fn)(void *user, const struct address *from, const uint8_t *bytes,
                               size_t count);

struct udp;

/* Opens one socket for each address of the configuration and reports datagrams to `receive`.
 * `stats` is counted into and has to outlive the sockets. Errors as net_open. */
int udp_open(struct udp **out, uv_loop_t *loop, const struct net_config *config,
             struct net_stats *stats, udp_receive_fn receive, void *user);

/* Stops receiving, sends what is queued, and calls `closed(user)` from the loop when the last handle
 * is gone and the memory of `udp` is freed. */
void udp_close(struct udp *udp, void (*closed)(void *user), void *user);

uint16_t udp_port(const struct udp *udp);

/* Queues one datagram (copied). An oversized or unsendable one is counted and dropped: UDP. */
void udp_send(struct udp *udp, const struct address *to, const uint8_t *bytes, size_t count);

#endif
