/*
 * Opens the endpoint's sockets: options, port, and which worker gets what. It must never read or write
 * a datagram.
 */
#ifndef MYCEL_SERVER_NET_UDP_SOCKET_H
#define MYCEL_SERVER_NET_UDP_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "server/net/address.h"

/* A non-blocking socket bound to `address`, and its port in *port. `shared`: one of several workers,
 * which all bind the same addresses in order of their numbers; `first`: it is the one that makes sure
 * that nobody else has the port, and tells the kernel how to spread datagrams. Errors: IO (in use),
 * PERMISSION. */
int udp_socket_open(const struct address *address, bool shared, bool first, uint16_t *port);

#endif
