/* Implementation of address.h: conversions and comparisons, nothing else. */
#include "server/net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

#include "common/rng.h"

bool address_from_raw(struct address *out, const union address_raw *raw, uint8_t socket)
{
    memset(out, 0, sizeof *out);
    out->socket = socket;
    if (raw->any.sa_family == AF_INET) {
        out->family = 4;
        out->port = ntohs(raw->v4.sin_port);
        memcpy(out->ip, &raw->v4.sin_addr, 4);
        return true;
    }
    if (raw->any.sa_family == AF_INET6) {
        out->family = 6;
        out->port = ntohs(raw->v6.sin6_port);
        out->scope = raw->v6.sin6_scope_id;
        memcpy(out->ip, &raw->v6.sin6_addr, 16);
        return true;
    }
    return false;
}

socklen_t address_to_raw(const struct address *address, union address_raw *out)
{
    memset(out, 0, sizeof *out);
    if (address->family == 4) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(address->port);
        memcpy(&out->v4.sin_addr, address->ip, 4);
        return sizeof out->v4;
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(address->port);
    out->v6.sin6_scope_id = address->scope;
    memcpy(&out->v6.sin6_addr, address->ip, 16);
    return sizeof out->v6;
}

bool address_parse(struct address *out, const char *text, uint16_t port)
{
    memset(out, 0, sizeof *out);
    out->port = port;
    if (inet_pton(AF_INET, text, out->ip) == 1) {
        out->family = 4;
        return true;
    }
    char host[INET6_ADDRSTRLEN];
    const char *percent = strchr(text, '%');
    size_t host_bytes = percent != NULL ? (size_t)(percent - text) : strlen(text);
    if (host_bytes >= sizeof host) {
        return false;
    }
    memcpy(host, text, host_bytes);
    host[host_bytes] = '\0';
    if (inet_pton(AF_INET6, host, out->ip) != 1) {
        return false;
    }
    out->family = 6;
    if (percent != NULL) {
        out->scope = if_nametoindex(percent + 1);
        return out->scope != 0;
    }
    return true;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

uint64_t address_hash(const struct address *address, uint64_t secret)
{
    uint64_t words[sizeof *address / sizeof(uint64_t)];
    memcpy(words, address, sizeof words);
    uint64_t hash = secret;
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        hash = rng_mix64(words[i] ^ hash);
    }
    return rng_mix64(hash ^ secret);
}

uint64_t address_host_hash(const struct address *address, uint64_t secret)
{
    uint64_t host = 0;
    memcpy(&host, address->ip, address->family == 4 ? 4 : 8);
    return rng_mix64(rng_mix64(host ^ secret) ^ address->family);
}
