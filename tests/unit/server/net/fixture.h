/*
 * A live endpoint on loopback with a scripted shell, and a DTLS client that can also do everything a
 * good client must not: send raw bytes, change its port in mid-session, forge records. One process,
 * one thread (but for workers, see fixture_init): pumping runs the loop and the client in turn.
 */
#ifndef MYCEL_TESTS_UNIT_SERVER_NET_FIXTURE_H
#define MYCEL_TESTS_UNIT_SERVER_NET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <mbedtls/ssl.h>
#include <uv.h>

#include "server/net/net.h"

#define WAIT_MS 4000u /* longer than anything that should happen takes */
#define QUIET_MS 60u  /* long enough to believe that nothing comes */
#define DATAGRAM_BYTES 2400u
#define SEEN_MAX 64u

/* How the shell answers a request. */
enum answer_mode {
    ANSWER_ECHO,  /* 2.05 with the last path segment and the number of the request */
    ANSWER_LATER, /* not at all; the test calls net_reply */
    ANSWER_BLOB,  /* 2.05 with fixture.blob */
    ANSWER_CLOSE, /* net_close in the handler */
    ANSWER_KICK   /* net_kick of the asker, then an answer */
};

/* A request as the shell saw it. */
struct seen {
    char identity[65];
    char path[130]; /* joined with '/' */
    enum net_method method;
    size_t payload_bytes;
    uint8_t payload[1100];
    uint8_t *body; /* freed by the fixture */
    size_t body_bytes;
    net_reply_id reply;
};

struct certified;

struct fixture {
    uv_loop_t loop;
    struct net *net;
    struct net_config config; /* change before fixture_open */
    bool closed;
    enum answer_mode mode;
    struct net_blob *blob;
    bool for_all;               /* of the blob */
    struct seen seen[SEEN_MAX]; /* the first SEEN_MAX requests */
    unsigned requests;
    unsigned admits;
    uint64_t admitted_bytes;     /* size in the latest body_admit */
    uint8_t refuse_code;         /* body_admit refuses with this code; 0: admits */
    _Atomic unsigned lookups;    /* by every worker */
    bool rotating;               /* every device has a new key first and its old one second */
    uint8_t client_host;         /* clients made from here on come from 127.0.0.x; 0: from .1 */
    uint8_t server_host;         /* … and talk to 127.0.0.x; 0: to .1 */
    const char *revoked;         /* identity that no lookup knows */
    struct certified *certified; /* certified.h; NULL: nobody has a certificate */
};

/* Devices are called dev-0000, dev-0001, …; each has a key of its own. */
void device_name(unsigned device, char out[16]);
void device_key(unsigned device, uint8_t key[16]);
void device_new_key(unsigned device, uint8_t key[16]);

/* Defaults: 127.0.0.1, any port, echo; as many workers as MYCEL_TEST_WORKERS says, or one. fixture_open may be called again after fixture_close. */
void fixture_init(struct fixture *f);
void fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);
void fixture_deinit(struct fixture *f);

/* Lets the endpoint do what there is to do, without waiting (see alloc_fault.h). */
void fixture_turn(struct fixture *f);

/* Runs the endpoint's loop for a while. */
void fixture_run(struct fixture *f, unsigned ms);

/* With several workers only after they have had time to publish theirs. */
struct net_stats fixture_stats(struct fixture *f);

struct client {
    struct fixture *fixture;
    int fd;
    bool ipv6;
    uint8_t host; /* last byte of its IPv4 address */
    bool fresh;   /* the TLS context is set up */
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    uint64_t timer_start_ms;
    uint32_t timer_intermediate_ms;
    uint32_t timer_final_ms;
    uint16_t mid;
    const char *expects;          /* name that the endpoint's certificate has to have */
    int outcome;                  /* of the last handshake: 0, or the library's error */
    uint8_t alert;                /* … if that was one of the endpoint's alerts */
    unsigned drop_next;           /* datagrams from the endpoint to lose, as a network would */
    unsigned sent;                /* datagrams */
    uint8_t last[DATAGRAM_BYTES]; /* the datagram sent last */
    size_t last_bytes;
    uint8_t answer[DATAGRAM_BYTES]; /* the datagram received last */
    size_t answer_bytes;
    bool hold; /* keep what would be sent in `last`, do not send */
};

/* A client with device `device`'s identity and key on a fresh port. `cid`: ask for connection ids. */
void client_init(struct client *c, struct fixture *f, unsigned device, bool cid);

/* The same with any key. */
void client_init_as(struct client *c, struct fixture *f, const char *identity,
                    const uint8_t key[16], bool cid);

/* One without any credentials yet: put them into c->config, then client_setup. */
void client_prepare(struct client *c, struct fixture *f, bool cid);
void client_setup(struct client *c, bool cid);

void client_deinit(struct client *c);

/* Handshake within `ms`; whether it succeeded. The second form is the usual assertion. */
bool client_handshake(struct client *c, unsigned ms);
void client_connect(struct client *c);

/* Forgets the session, as a reboot does; the port stays. */
void client_reboot(struct client *c);

/* One step of the handshake without waiting; true when it is over (see outcome). */
bool client_step(struct client *c);

/* A new source port (0: any). Returns it. */
uint16_t client_rebind(struct client *c, uint16_t port);
uint16_t client_local_port(const struct client *c);

/* One message through the session, or raw bytes beside it. */
void client_send(struct client *c, const uint8_t *bytes, size_t count);
void client_send_raw(struct client *c, const uint8_t *bytes, size_t count);

/* The next message; its length, or 0 when none came within `ms`. */
size_t client_receive(struct client *c, uint8_t *out, size_t capacity, unsigned ms);

/* The next raw datagram, bypassing the session; 0 when none came. */
size_t client_receive_raw(struct client *c, uint8_t *out, size_t capacity, unsigned ms);

uint64_t test_now_ms(void);

#endif
