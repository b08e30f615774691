/*
 * The transport of one device of the load generator: a socket of its own on an address of its own, DTLS
 * with a pre-shared key and connection ids, four confirmable requests in flight. It is light: some
 * kilobytes, no context of any library shared, so that thousands fit a process and the coordinator is
 * what limits a bench. It must never decide what to ask for; that is the client runtime's.
 */
#ifndef MYCEL_TESTS_BENCH_FLEET_LINK_H
#define MYCEL_TESTS_BENCH_FLEET_LINK_H

#include <netinet/in.h>

#include <mbedtls/ssl.h>

#include <mycel/port.h>

#include "tests/bench/fleet/coap.h"

#define LINK_DATAGRAM_BYTES_MAX 2304u
#define LINK_HEADER_BYTES 28u        /* IPv4 and UDP */
#define LINK_JOINED_BYTES_MAX 20480u /* more than a window of blocks */

/* What a datagram belongs to. */
enum link_kind { LINK_HANDSHAKE, LINK_CHECKIN, LINK_DOWNLOAD, LINK_UPLOAD, LINK_KINDS };

/* At the socket, with the headers of UDP and IP, retransmissions included. */
struct link_traffic {
    uint64_t bytes_out[LINK_KINDS];
    uint64_t bytes_in[LINK_KINDS];
    uint64_t datagrams[LINK_KINDS]; /* both ways */
    uint64_t retransmissions;
};

struct link_slot {
    bool busy;
    uint8_t kind;
    uint8_t tries;
    uint16_t generation;
    uint64_t due_ms; /* when to send it again */
    size_t bytes;
    uint8_t message[COAP_MESSAGE_BYTES_MAX];
};

/* The caller's memory; all fields are the link's own. */
struct link {
    struct sockaddr_in from;
    struct sockaddr_in to;
    mbedtls_ssl_config config; /* holds identity and key */
    mbedtls_ssl_context ssl;
    struct link_traffic *traffic;
    int fd; /* -1: closed */
    bool established;
    uint8_t kind; /* of what is being written */
    uint16_t mid;
    uint16_t generation;
    uint64_t timer_start_ms;
    uint32_t timer_intermediate_ms;
    uint32_t timer_final_ms; /* 0: not running */
    struct link_slot slots[MYCEL_REQUEST_SLOTS];
    uint8_t *plain;  /* LINK_DATAGRAM_BYTES_MAX, shared by the links of a process */
    size_t in_bytes; /* of the last datagram, with its headers */
    size_t joined_bytes;
    size_t joined_at;   /* where the next datagram begins */
    size_t joined_each; /* size of all but the last one */
    uint8_t joined[LINK_JOINED_BYTES_MAX];
};

struct link_options {
    uint32_t from; /* host order, e.g. 127.1.0.7 */
    uint16_t port; /* of the coordinator on 127.0.0.1 */
    const char *identity;
    const uint8_t *key;
    size_t key_bytes;
    uint8_t *plain;
    struct link_traffic *traffic; /* counted into */
    uint32_t flight_min_ms; /* before a flight of the handshake is repeated, doubled until … */
    uint32_t flight_max_ms; /* … this, with which it fails; 0: 1 s, 60 s as RFC 6347 has it */
};

/* 0, or MYCEL_E_CRYPTO. */
int link_init(struct link *link, const struct link_options *options);
void link_deinit(struct link *link);

extern const struct mycel_transport link_transport;

/* Milliseconds until the link has something to do by itself; UINT32_MAX: never. */
uint32_t link_due_ms(const struct link *link, uint64_t now_ms);

uint64_t link_now_ms(void);

#endif
