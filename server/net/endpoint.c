/*
 * Opens, ticks and closes the endpoint, and answers questions about it. What happens to a datagram
 * is in demux.c, to a message in exchange.c.
 */
#include "server/net/endpoint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mycel/error.h>

#include "common/assert.h"
#include "server/net/demux.h"
#include "server/net/exchange.h"
#include "server/net/message.h"
#include "server/net/parking.h"
#include "server/net/session.h"

#define LOG_LINE_BYTES 256u
#define PEERS_DEFAULT 16384u
#define HALF_OPEN_DEFAULT 1024u
#define LIVE_DEFAULT 1024u
#define PARK_AFTER_DEFAULT_MS 10000u
#define PEERS_MAX (1u << 20)
#define HANDSHAKE_TIMEOUT_DEFAULT_MS 30000u
#define IDLE_TIMEOUT_DEFAULT_MS (UINT64_C(24) * 3600 * 1000)
#define BODY_TOTAL_DEFAULT_BYTES (UINT64_C(256) << 20)
#define BODY_EXPIRY_DEFAULT_MS 900000u
#define BODY_BYTES_LIMIT (UINT64_C(1) << 30) /* 2^20 blocks of 1,024 bytes */

uint64_t net_now_ms(const struct net *net)
{
    return uv_now(net->loop);
}

void net_drop(struct net *net, enum net_drop reason)
{
    net->stats.drops[reason]++;
}

void net_log(struct net *net, enum net_log_level level, const char *format, ...)
{
    if (net->config.callbacks.log == NULL) {
        return;
    }
    char line[LOG_LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    net->config.callbacks.log(net->config.callbacks.user, level, line);
}

void net_remove_peer(struct net *net, struct peer *peer, enum net_drop reason)
{
    net_drop(net, reason);
    if (peer_is_established(peer)) {
        net_log(net, NET_LOG_DEBUG, "%s: %s", peer->identity, net_drop_text(reason));
    }
    session_free(peer->session);
    peer->session = NULL;
    peer_table_remove(&net->peers, peer);
}

/* --- Opening ------------------------------------------------------------------------------------- */

#define DEFAULT(field, value)                                                                      \
    do {                                                                                           \
        if ((field) == 0) {                                                                        \
            (field) = (value);                                                                     \
        }                                                                                          \
    } while (0)

static int config_complete(struct net_config *config)
{
    DEFAULT(config->peers_max, PEERS_DEFAULT);
    DEFAULT(config->half_open_max, HALF_OPEN_DEFAULT);
    DEFAULT(config->handshake_timeout_ms, HANDSHAKE_TIMEOUT_DEFAULT_MS);
    DEFAULT(config->idle_timeout_ms, IDLE_TIMEOUT_DEFAULT_MS);
    DEFAULT(config->live_max, LIVE_DEFAULT);
    DEFAULT(config->park_after_ms, PARK_AFTER_DEFAULT_MS);
    DEFAULT(config->body_bytes_max, PROTO_UPDATE_BYTES_MAX);
    /* One largest upload and what it costs to keep the books of it. */
    DEFAULT(config->body_bytes_device, config->body_bytes_max + config->body_bytes_max / 64 + 4096);
    DEFAULT(config->body_bytes_total, BODY_TOTAL_DEFAULT_BYTES);
    DEFAULT(config->body_expiry_ms, BODY_EXPIRY_DEFAULT_MS);
    const struct net_callbacks *callbacks = &config->callbacks;
    bool valid = config->addresses >= 1 && config->addresses <= NET_ADDRESSES_MAX &&
                 config->peers_max <= PEERS_MAX && config->half_open_max <= PEERS_MAX &&
                 config->body_bytes_max <= BODY_BYTES_LIMIT && callbacks->psk_lookup != NULL &&
                 callbacks->handler != NULL && callbacks->body_admit != NULL;
    return valid ? 0 : MYCEL_E_INVALID;
}

static void release_text(void *user, void *data)
{
    (void)user;
    free(data);
}

static int open_well_known(struct net *net)
{
    uint8_t etag[NET_ETAG_BYTES];
    if (net->config.well_known == NULL) {
        return 0;
    }
    char *text = strdup(net->config.well_known);
    if (text == NULL || dtls_random(&net->dtls, etag, sizeof etag) != 0) {
        free(text);
        return MYCEL_E_NO_MEMORY;
    }
    net->well_known = net_blob_new(text, strlen(text), etag, release_text, NULL);
    if (net->well_known == NULL) {
        free(text);
        return MYCEL_E_NO_MEMORY;
    }
    return 0;
}

/* Everything but the sockets and the timer. net_free undoes it after any outcome. */
static int open_parts(struct net *net)
{
    uint64_t secret[2];
    struct body_limits limits = {.device_bytes = net->config.body_bytes_device,
                                 .total_bytes = net->config.body_bytes_total,
                                 .expiry_ms = net->config.body_expiry_ms};
    int error = dtls_open(&net->dtls, net);
    if (error == 0) {
        error = dtls_random(&net->dtls, secret, sizeof secret);
    }
    if (error == 0) { /* one more for the listener */
        uint32_t slots = net->config.peers_max + net->config.half_open_max + 1;
        error = peer_table_init(&net->peers, slots, net->config.worker, secret[0]);
    }
    if (error == 0) {
        error = body_table_init(&net->bodies, &limits, secret[1]);
    }
    if (error == 0) {
        error = pending_table_init(&net->pending);
    }
    if (error == 0) {
        net->parser = message_parser_new();
        error = net->parser != NULL ? open_well_known(net) : MYCEL_E_NO_MEMORY;
    }
    return error;
}

static void net_free(struct net *net)
{
    message_parser_free(net->parser);
    net_blob_unref(net->well_known);
    pending_table_deinit(&net->pending);
    body_table_deinit(&net->bodies);
    peer_table_deinit(&net->peers);
    session_pool_free(&net->spares);
    dtls_close(&net->dtls);
    free(net);
}

static void on_tick(uv_timer_t *timer)
{
    struct net *net = timer->data;
    demux_tick(net);
    exchange_tick(net);
    parking_tick(net);
    net->stats.drops[NET_DROP_BODY_EXPIRED] += body_table_expire(&net->bodies, net_now_ms(net));
}

int net_open(struct net **out, uv_loop_t *loop, const struct net_config *config)
{
    *out = NULL;
    struct net *net = calloc(1, sizeof *net);
    if (net == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    net->loop = loop;
    net->config = *config;
    int error = config_complete(&net->config);
    if (error != 0) {
        free(net);
        return error;
    }
    error = open_parts(net);
    if (error == 0) {
        error = udp_open(&net->udp, loop, &net->config, &net->stats, demux_datagram, net);
    }
    if (error != 0) {
        net_free(net);
        return error;
    }
    (void)uv_timer_init(loop, &net->timer);
    net->timer.data = net;
    (void)uv_timer_start(&net->timer, on_tick, NET_TICK_MS, NET_TICK_MS);
    *out = net;
    return 0;
}

uint16_t net_port(const struct net *net)
{
    return udp_port(net->udp);
}

/* --- Closing ------------------------------------------------------------------------------------- */

static void on_part_closed(void *user)
{
    struct net *net = user;
    if (--net->closing_parts > 0) {
        return;
    }
    void (*closed)(void *) = net->closed;
    void *closed_user = net->closed_user;
    net_free(net);
    if (closed != NULL) {
        closed(closed_user);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

static void free_peer(struct net *net, struct peer *peer)
{
    session_free(peer->session);
    peer->session = NULL;
    peer_table_remove(&net->peers, peer);
}

/* A parked peer is not told: it would have to be restored first, ten thousand times. */
static void notify_peer(struct peer *peer)
{
    if (peer_is_established(peer) && peer->state != PEER_PARKED) {
        session_notify_close(peer->session);
    }
}

void net_close(struct net *net, void (*closed)(void *user), void *user)
{
    MYCEL_ASSERT(!net->closing);
    net->closing = true;
    net->closed = closed;
    net->closed_user = user;
    for (unsigned state = 0; state < PEER_STATES; state++) {
        while (net->peers.queue[state].oldest != NULL) {
            notify_peer(net->peers.queue[state].oldest);
            free_peer(net, net->peers.queue[state].oldest);
        }
    }
    if (net->listener != NULL) {
        free_peer(net, net->listener);
        net->listener = NULL;
    }
    net->closing_parts = 2;
    udp_close(net->udp, on_part_closed, net);
    uv_close((uv_handle_t *)&net->timer, on_timer_closed);
}

/* --- Control ------------------------------------------------------------------------------------- */

int net_kick(struct net *net, const char *name)
{
    char identity[PROTO_IDENTITY_BYTES_MAX + 1]; /* a request's own would go with its peer */
    int ended = 0;
    if (snprintf(identity, sizeof identity, "%s", name) >= (int)sizeof identity) {
        return 0; /* nobody can be called that */
    }
    struct peer *peer = net->closing ? NULL : peer_table_by_identity(&net->peers, identity);
    if (peer != NULL) {
        notify_peer(peer);
        net_remove_peer(net, peer, NET_DROP_SESSION_KICKED);
        ended++;
    }
    peer = net->peers.queue[PEER_HANDSHAKE].oldest;
    while (peer != NULL) { /* at most half_open_max */
        struct peer *next = peer->newer;
        if (strcmp(peer->identity, identity) == 0) {
            net_remove_peer(net, peer, NET_DROP_SESSION_KICKED);
        }
        peer = next;
    }
    body_table_forget(&net->bodies, identity);
    return ended;
}

void net_stats(const struct net *net, struct net_stats *out)
{
    *out = net->stats;
    out->sessions = peer_table_established(&net->peers);
    out->sessions_parked = net->peers.queue[PEER_PARKED].count;
    out->half_open = net->peers.queue[PEER_HANDSHAKE].count;
    out->pending = net->pending.waiting.count;
    out->bodies_partial = net->bodies.partial;
    out->bodies_partial_bytes = net->bodies.reserved_bytes;
}

const char *net_drop_name(enum net_drop reason)
{
    static const char *const names[] = {
#define NET_DROP_NAME(name, words) #name,
        NET_DROP_TABLE(NET_DROP_NAME)
#undef NET_DROP_NAME
    };
    MYCEL_ASSERT(reason < NET_DROP_COUNT);
    return names[reason];
}

const char *net_drop_text(enum net_drop reason)
{
    static const char *const texts[] = {
#define NET_DROP_TEXT(name, words) words,
        NET_DROP_TABLE(NET_DROP_TEXT)
#undef NET_DROP_TEXT
    };
    MYCEL_ASSERT(reason < NET_DROP_COUNT);
    return texts[reason];
}
