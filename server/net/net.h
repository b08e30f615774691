/*
 * The coordinator's side of the wire: a thin DTLS 1.2 endpoint on libuv. It owns the sockets, the
 * sessions, the CoAP message layer, the slicing of downloads and the assembly of uploads. It must
 * never know what a resource means: who may do what, and every payload, belong to the shell that
 * opened it (with one exception: the list of missing blocks, which only the assembly knows).
 *
 * Nothing blocks, and with one worker everything runs on the loop's thread. Several workers are threads
 * with a loop, sockets and sessions of their own on the same port; whatever the shell sees of them, it
 * sees on its own loop. Sessions are keyed by identity, across workers, and the identity is handed over
 * with every request: a session proves nothing beyond it.
 *
 * One request, from datagram to answer:
 *
 *   datagram -> demux -> DTLS record -> CoAP message -> duplicate? -> body assembly (PUT)
 *            -> handler(request)  ...  net_reply(id, response) -> CoAP -> DTLS -> datagram
 *
 * What the endpoint answers by itself: pings (Reset), malformed messages (Reset), unknown critical
 * options (4.02), proxy options (5.05), unknown methods (4.05), blocks of an upload (2.31, 4.08 with
 * an UploadStatus, 4.13 with Size1, 4.00), every refusal of `body_admit`, GET /.well-known/core when
 * the configuration has a text for it, conditional GETs whose ETag still holds (2.03), repeated
 * message ids (the cached reply), and 5.03 with Max-Age 1 when the handler has not answered in time.
 */
#ifndef MYCEL_SERVER_NET_NET_H
#define MYCEL_SERVER_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "common/crypto/pem_texts.h"
#include "proto/limits.h"

#define NET_ADDRESSES_MAX 8u    /* sockets of one endpoint */
#define NET_SEGMENTS_MAX 4u     /* Uri-Path segments of a request; more is 4.04 */
#define NET_PATH_BYTES_MAX 128u /* all segments of a request with their separators */
#define NET_ETAG_BYTES 8u       /* every ETag we send has this length */
#define NET_PAYLOAD_BYTES_MAX PROTO_BLOCK_BYTES_MAX /* of a reply that is not a blob */
#define NET_KEYS_MAX 2u             /* pre-shared keys of one identity, valid at once */
#define NET_PENDING_MAX 8192u       /* requests waiting for net_reply, all peers together */
#define NET_PEER_PENDING_MAX 8u     /* … of one peer; more is 5.03 */
#define NET_REPLY_DEADLINE_MS 1500u /* below CoAP's ACK_TIMEOUT of 2 s (RFC 7252 §4.8) */
#define NET_BODIES_PER_DEVICE_MAX 2u
#define NET_WORKERS_MAX 64u

/* A CoAP code as it stands in the header: NET_CODE(2, 5) is 2.05. */
#define NET_CODE(class, detail) ((uint8_t)PROTO_CODE(class, detail))

struct net;

/* Names one request that waits for its answer. Generation-tagged: an old one is refused, never
 * mistaken for another. 0 is never a valid id. */
typedef uint64_t net_reply_id;

enum net_method {
    NET_GET = 1, /* the values are CoAP's method codes */
    NET_POST = 2,
    NET_PUT = 3,
    NET_DELETE = 4
};

/* --- Blobs: immutable bytes shared by any number of downloads ------------------------------------ */

struct net_blob;

/* Wraps `bytes` bytes at `data` (kept, not copied) with one reference. `release(user, data)` is
 * called when the last reference goes; NULL: nothing to release. NULL when there is no memory. */
struct net_blob *net_blob_new(void *data, size_t bytes, const uint8_t etag[NET_ETAG_BYTES],
                              void (*release)(void *user, void *data), void *user);

/* Take and give back a reference; safe from any thread. unref(NULL) does nothing. */
struct net_blob *net_blob_ref(struct net_blob *blob);
void net_blob_unref(struct net_blob *blob);

/* --- Requests and responses ---------------------------------------------------------------------- */

/* One decoded request. All pointers are valid during the call only, `body` excepted. */
struct net_request {
    const char *identity; /* of the authenticated device, NUL-terminated */
    uint32_t key;         /* number of the key that it proved (struct net_psk) */
    enum net_method method;
    const char *segment[NET_SEGMENTS_MAX]; /* Uri-Path, NUL-terminated, without '/' inside */
    unsigned segments;
    int32_t content_format; /* -1: none given */
    int32_t accept;         /* -1: none given */
    const uint8_t *payload; /* of every method but PUT: at most one block */
    size_t payload_bytes;
    uint8_t *body; /* of a PUT: all of it. From malloc; the handler owns it and frees it */
    size_t body_bytes;
    net_reply_id reply; /* for net_reply, at once or later; 0 in body_admit */
};

/* One answer. Start from NET_RESPONSE(code). */
struct net_response {
    uint8_t code;
    int32_t content_format; /* -1: no option */
    int32_t max_age_s;      /* -1: no option, which means 60 s */
    int64_t size1;          /* -1: no option; the limit that goes with 4.13 */
    const void *payload;    /* copied; at most NET_PAYLOAD_BYTES_MAX */
    size_t payload_bytes;
    struct net_blob *blob; /* instead of a payload: the block that the request asked for is sent,
                              with ETag, Block2 and, on block 0, Size2. Borrowed for the call */
    uint8_t *body; /* of the request, given back with a 5.03: the endpoint owns it again, whatever
                      net_reply returns, and the last block sent anew finds a complete body */
    bool
        for_all; /* with a blob, to a GET: for a second every device that asks for the same path gets
                     it too, without a call of the handler */
};

#define NET_RESPONSE(c)                                                                            \
    ((struct net_response){.code = (c), .content_format = -1, .max_age_s = -1, .size1 = -1})

/* --- Configuration ------------------------------------------------------------------------------- */

struct net_psk {
    uint8_t key[PROTO_PSK_BYTES_MAX];
    size_t bytes;    /* PROTO_PSK_BYTES … PROTO_PSK_BYTES_MAX */
    uint32_t number; /* tells it from the identity's other keys, for good; 0: it has no others */
};

enum net_log_level { NET_LOG_ERROR, NET_LOG_WARN, NET_LOG_INFO, NET_LOG_DEBUG };

/* Called on the loop's thread; the lookups, wall_ms and log with several workers on theirs, and by several at
 * once. None may block. Only `handler` may call functions of this file (any of them, net_close too). */
struct net_callbacks {
    void *user;

    /* The keys of an identity (printable ASCII, 1 … PROTO_IDENTITY_BYTES_MAX bytes). Returns how
     * many, 0 for an identity that is unknown or revoked: its handshake then fails exactly as one
     * with a wrong key does. With two, as during a rotation, a device may need a second try. */
    int (*psk_lookup)(void *user, const char *identity, struct net_psk keys[NET_KEYS_MAX]);

    /* Whether an identity is an active device that comes with a certificate: then its certificate's
     * chain and proof are enough. Asked with `certificates` only. A device is never known to both
     * lookups. */
    bool (*certificate_lookup)(void *user, const char *identity);

    /* Milliseconds since 1970, which certificates are valid by. Asked with `certificates` only. */
    uint64_t (*wall_ms)(void *user);

    /* A request. Must be answered with net_reply, now or later. */
    void (*handler)(void *user, const struct net_request *request);

    /* May this device upload `bytes` bytes to this path? Asked once, before the first byte of a body
     * is stored, and again for blocks that come after the body was answered. `request` has neither
     * payload nor reply id. Returns 0 to go on; anything else refuses with *refusal, which was
     * NET_RESPONSE(4.03) before the call; `refusal->payload` has to stay valid until the next call.
     * A receipt of an update that was counted earlier is such a refusal, with code 2.04. */
    int (*body_admit)(void *user, const struct net_request *request, uint64_t bytes,
                      struct net_response *refusal);

    /* One line for the operator, without key material. May be NULL. */
    void (*log)(void *user, enum net_log_level level, const char *line);
};

/* 0 stands for the default in every number. */
struct net_config {
    const char *address[NET_ADDRESSES_MAX]; /* numeric IPv4 or IPv6, e.g. "127.0.0.1", "::1" */
    unsigned addresses;                     /* 1 … NET_ADDRESSES_MAX; no default: policy */
    uint16_t port;                          /* of all addresses; 0: the kernel chooses (tests) */
    unsigned workers;   /* threads. Default 1: none but the loop's own; at most NET_WORKERS_MAX */
    uint8_t worker;     /* with one worker its number in connection ids; else none of yours */
    uint32_t peers_max; /* sessions; the longest idle one gives way. Default 16,384, at most 2^20 */
    uint32_t half_open_max;        /* unfinished handshakes; the oldest gives way, of a host
                                      that has many its own. Default 1,024 */
    uint32_t handshake_timeout_ms; /* Default 30,000 */
    uint64_t idle_timeout_ms;      /* a session without authenticated records. Default 24 h */
    uint32_t live_max;          /* sessions kept ready to use; others are parked. Default 1,024 */
    uint32_t park_after_ms;     /* a session idle for so long is parked. Default 10,000 */
    uint64_t body_bytes_max;    /* one upload. Default PROTO_UPDATE_BYTES_MAX */
    uint64_t body_bytes_device; /* unfinished uploads of one device. Default: body_bytes_max */
    uint64_t body_bytes_total;  /* … of all devices; beyond: 5.03. Default 256 MiB */
    uint32_t body_expiry_ms;    /* an upload without a new block. Default 900,000 */
    const struct pem_texts *certificates;  /* the coordinator's own, and the CA (and CRL) of
                                      devices with certificates; read by net_open only. NULL: none */
    uint32_t certificate_handshakes_per_s; /* begun; more wait. Default 50 */
    const char *well_known; /* text of /.well-known/core (RFC 6690), copied; NULL: 4.04 */
    struct net_callbacks callbacks;
};

/* Opens the sockets and starts listening. `loop` has to outlive the endpoint; the configuration is
 * copied. On failure *out is NULL, nothing is left open, and the loop has to run once more to release
 * its handles. Errors: INVALID (configuration), IO
 * (socket, address in use), PERMISSION, NO_MEMORY, CRYPTO (entropy or TLS set-up); of certificates
 * INVALID, MALFORMED and TOO_LARGE, which a line of the log explains. */
int net_open(struct net **out, uv_loop_t *loop, const struct net_config *config);

/* The UDP port in use, host byte order. */
uint16_t net_port(const struct net *net);

/* Tells every live peer (close_notify), stops listening, and calls `closed` from the loop when the
 * last handle is gone; the memory is freed right after. Requests still pending get no answer.
 * `closed` may be NULL. The loop has to run until then. Calling anything else afterwards is a
 * programmer's error. */
void net_close(struct net *net, void (*closed)(void *user), void *user);

/* --- Answers ------------------------------------------------------------------------------------- */

/* Answers a request. The response and its payload may be reused at once. With several workers 0 means
 * only that the answer is on its way to the one that has the session. Errors: CLOSED when there
 * is nobody to answer any more (peer gone, endpoint answered 5.03 in the meantime, answered twice):
 * nothing is sent and nothing needs to be done; NO_MEMORY. */
int net_reply(struct net *net, net_reply_id id, const struct net_response *response);

/* Encodes the UploadStatus of what this identity has sent so far to the path of `request` (as GET of
 * the same path asks for it); size 0 when nothing is known. Returns the bytes written, at most
 * PROTO_MESSAGE_BYTES_MAX; NO_MEMORY when `capacity` is too small. */
int net_body_status(struct net *net, const struct net_request *request, uint8_t *out,
                    size_t capacity);

/* --- Control ------------------------------------------------------------------------------------- */

/* Ends the sessions and handshakes of an identity and forgets its partial uploads, at once; on another
 * worker's thread as soon as that has done what it is at. Returns how many sessions end. For revocation. */
int net_kick(struct net *net, const char *identity);

/* The same for sessions and handshakes that were begun with another key than those numbered in `keep`;
 * partial uploads stay. For a changed key. */
int net_kick_others(struct net *net, const char *identity, const uint32_t keep[NET_KEYS_MAX]);

/* Takes other certificates than those of the configuration (which has to have some) from the next
 * handshake on; sessions go on. A line of the log says what is wrong with them: then the present ones stay.
 * Errors: INVALID, MALFORMED, TOO_LARGE, STATE (none in the configuration), NO_MEMORY (with several workers
 * some may have taken them). */
int net_renew(struct net *net, const struct pem_texts *texts);

/* Why a datagram, session or message was not served. X(name, words) */
#define NET_DROP_TABLE(X)                                                                          \
    X(OVERSIZE, "datagram larger than any we accept")                                              \
    X(NOT_DTLS, "datagram is not a DTLS 1.2 record")                                               \
    X(UNKNOWN_CID, "record with an unknown connection id")                                         \
    X(NO_SESSION, "record from an address without a session")                                      \
    X(HELLO_MALFORMED, "ClientHello malformed, fragmented or not alone")                           \
    X(RECORD_REJECTED, "record not authentic, replayed or out of place")                           \
    X(CERTIFICATE_BUDGET, "certificate handshake beyond the second's budget: comes again")         \
    X(HANDSHAKE_FAILED, "handshake failed: identity, key or cipher")                               \
    X(HANDSHAKE_TIMEOUT, "handshake not finished in time")                                         \
    X(HALF_OPEN_EVICTED, "unfinished handshake gave way to a newer one")                           \
    X(SESSION_SILENT, "session without a request after its handshake")                             \
    X(SESSION_IDLE, "session idle for too long")                                                   \
    X(SESSION_EVICTED, "session gave way to a newer one")                                          \
    X(SESSION_REPLACED, "session replaced by a new handshake of its identity")                     \
    X(SESSION_KICKED, "session ended by the coordinator")                                          \
    X(SESSION_CLOSED, "session ended by the peer")                                                 \
    X(MESSAGE_MALFORMED, "CoAP message malformed")                                                 \
    X(MESSAGE_IGNORED, "CoAP message that needs no answer")                                        \
    X(DUPLICATE_PENDING, "repeated request whose answer is on its way")                            \
    X(BUSY, "too many requests waiting")                                                           \
    X(REPLY_LATE, "request not answered in time: 5.03 sent")                                       \
    X(BODY_EXPIRED, "partial upload not continued in time")                                        \
    X(BODY_EVICTED, "partial upload gave way to a newer one of its device")                        \
    X(BODY_BUDGET, "upload refused: too many partial ones")                                        \
    X(MEMORY, "no memory")                                                                         \
    X(SEND, "datagram not sent: socket buffer full or unreachable")

enum net_drop {
#define NET_DROP_ENUM(name, words) NET_DROP_##name,
    NET_DROP_TABLE(NET_DROP_ENUM)
#undef NET_DROP_ENUM
        NET_DROP_COUNT
};

/* The words of a reason. Static storage. */
const char *net_drop_text(enum net_drop reason);

/* Counters since net_open, gauges as of now (of other threads as of at most 100 ms ago). Bytes are those on the wire as far as a socket can know
 * them: UDP payload + 8 (UDP) + 20 (IPv4) or 40 (IPv6) for each datagram; link headers and IP
 * options are not in it. */
struct net_stats {
    uint64_t datagrams_in;
    uint64_t datagrams_out;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t hellos;     /* ClientHellos seen, with and without cookie */
    uint64_t handshakes; /* completed */
    uint64_t requests;   /* CoAP requests, repetitions not counted */
    uint64_t duplicates; /* answered from the cache */
    uint64_t parked;     /* sessions serialised to save memory */
    uint64_t unparked;   /* … and restored by their next record */
    uint64_t rebinds;    /* sessions that followed to a new address */
    uint64_t bodies;     /* uploads completed and handed over */
    uint64_t passed_on;  /* records that were another worker's */
    uint64_t drops[NET_DROP_COUNT];
    uint32_t sessions;             /* gauge: established, parked ones included */
    uint32_t sessions_parked;      /* gauge */
    uint32_t half_open;            /* gauge: handshakes in progress */
    uint32_t pending;              /* gauge: requests waiting for net_reply */
    uint32_t bodies_partial;       /* gauge */
    uint64_t bodies_partial_bytes; /* gauge: memory reserved for partial uploads */
};

void net_stats(const struct net *net, struct net_stats *out);

#endif
