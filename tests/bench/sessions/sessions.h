/*
 * What bench_sessions.c measures with: two servers in processes of their own, and DTLS clients without
 * a thread, a loop or a retransmission each (nothing is lost on loopback; if it is, the bench says so).
 */
#ifndef MYCEL_TESTS_BENCH_SESSIONS_H
#define MYCEL_TESTS_BENCH_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <mbedtls/ssl.h>

#include "common/crypto/credentials.h"
#include "server/net/net.h"

#define SESSIONS_MAX 100000u
#define LIVE_MAX 1024u

/* Ends the bench with a message. */
void die(const char *what) __attribute__((noreturn));

double now_s(void);

/* --- Servers (server.c) ----------------------------------------------------------------- */

struct server {
    pid_t pid;
    uint16_t port;
};

/* What our endpoint answers to a POST. */
struct report {
    struct net_stats stats;
    uint64_t heap_bytes;
};

/* Our endpoint, which answers every GET with four bytes. */
struct server server_start(unsigned workers);

/* The same with certificates, `per_s` such handshakes a second (0: the default). One session stays as
 * it is, the others are parked. */
struct server server_start_certified(const struct pem_texts *texts, unsigned per_s);

/* libcoap's coap-server with a key; false when this build has none. */
bool server_start_libcoap(struct server *out);

void server_stop(struct server *server);

/* CPU time of all of its threads, and its resident memory. */
double server_cpu_s(const struct server *server);
double server_rss_bytes(const struct server *server);

/* --- Clients (client.c) ----------------------------------------------------------------- */

struct client {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config; /* holds the identity */
    int fd;                    /* its own during the handshake, perhaps a common one afterwards */
    uint8_t in[2048];          /* the datagram that is its next */
    size_t in_bytes;
    uint16_t mid;
    bool waiting;
};

/* A socket that talks to the server. */
int client_socket(const struct server *server);

/* `cid`: with connection ids, of which its own is `index`. */
struct client *client_new(uint32_t index, int fd, bool cid);
struct client *client_new_certified(uint32_t index, int fd, struct credentials *credentials);
void client_free(struct client *c);

/* One step of a handshake: 1 done, 0 waiting, -1 failed. */
int client_step(struct client *c);

/* All of it; false when a second passes without an answer, or it fails. */
bool client_handshake(struct client *c);

/* Sends a request; `method` is a CoAP code. */
void client_ask(struct client *c, uint8_t method);

/* The message in the datagram that was given to this client; its bytes. */
size_t client_read(struct client *c, uint8_t *out, size_t capacity);

/* Waits for a datagram on the client's own socket and reads it; dies after `ms`. */
size_t client_wait(struct client *c, uint8_t *out, size_t capacity, int ms);

/* Waits for one datagram on a common socket and gives it to the client of `clients` that its connection
 * id names. NULL when none comes within a second. */
struct client *client_sort(int fd, struct client **clients, uint32_t count);

#endif
