/*
 * Which of this host's addresses a datagram was sent to, and from which one the answer goes: a socket
 * that is bound to all of them would answer from the one that its route prefers, and no device behind
 * a NAT or with a connected socket would take that. Sockets bound to one address need nothing of it.
 * (RFC 3542 §6, ip(7) IP_PKTINFO.)
 */
#ifndef MYCEL_SERVER_NET_UDP_LOCAL_H
#define MYCEL_SERVER_NET_UDP_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "server/net/address.h"

/* Room for the larger of the two control messages. */
#define UDP_LOCAL_BYTES CMSG_SPACE(sizeof(struct in6_pktinfo))

/* Has the kernel tell, if `address` is the wildcard. False when it will not. */
bool udp_local_enable(int fd, const struct address *address);

/* Fills from->local from what came with a datagram; it stays zero when nothing did. */
void udp_local_read(const struct msghdr *message, struct address *from);

/* The control message that makes `to->local` the source, at `control` (UDP_LOCAL_BYTES, aligned for a
 * struct cmsghdr). Returns its bytes, 0 when there is nothing to say. */
size_t udp_local_write(const struct address *to, uint8_t *control);

#endif
