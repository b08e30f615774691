/*
 * A peer's UDP address, with that of ours that it talks to, in 40 bytes without padding, so that equality
 * is memcmp and hashing is five words. It owns nothing and knows nothing of sessions.
 */
#ifndef MYCEL_SERVER_NET_ADDRESS_H
#define MYCEL_SERVER_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct address {
    uint8_t ip[16];    /* IPv4 in the first four bytes, the rest zero */
    uint8_t local[16]; /* ours that it talks to, likewise; zero where the socket has but one */
    uint32_t scope;    /* of link-local IPv6 addresses */
    uint16_t port;     /* host byte order */
    uint8_t family;    /* 4 or 6 */
    uint8_t socket;    /* which of the endpoint's sockets it talks to */
};
_Static_assert(sizeof(struct address) == 40, "addresses are compared and hashed as bytes");

/* Room for either kind of kernel address. */
union address_raw {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Converts what the kernel gave. Returns false for a family that is neither IPv4 nor IPv6. */
bool address_from_raw(struct address *out, const union address_raw *raw, uint8_t socket);

/* The other direction; returns the length to give to the kernel. */
socklen_t address_to_raw(const struct address *address, union address_raw *out);

/* A numeric address ("127.0.0.1", "::1", "fe80::1%eth0"). Returns false when it is not one. */
bool address_parse(struct address *out, const char *text, uint16_t port);

bool address_equal(const struct address *a, const struct address *b);

/* Keyed with a secret, so that nobody outside can choose addresses that collide. */
uint64_t address_hash(const struct address *address, uint64_t secret);

/* The same for the host alone: an IPv4 address, or the /64 that one IPv6 host can fill. */
uint64_t address_host_hash(const struct address *address, uint64_t secret);

/* Bytes of IP and UDP headers in front of a datagram's payload (no IP options, no link header). */
static inline unsigned address_header_bytes(const struct address *address)
{
    return address->family == 4 ? 28u : 48u;
}

#endif
