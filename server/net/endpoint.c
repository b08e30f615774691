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

uint64_t endpoint_now_ms(const struct endpoint *endpoint)
{
    return uv_now(endpoint->loop);
}

void endpoint_drop(struct endpoint *endpoint, enum net_drop reason)
{
    endpoint->stats.drops[reason]++;
}

void endpoint_log(struct endpoint *endpoint, enum net_log_level level, const char *format, ...)
{
    if (endpoint->config.callbacks.log == NULL) {
        return;
    }
    char line[LOG_LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    endpoint->config.callbacks.log(endpoint->config.callbacks.user, level, line);
}

/* Without a word to anybody. */
static void free_peer(struct endpoint *endpoint, struct peer *peer)
{
    if (endpoint->siblings != NULL && peer_is_established(peer)) {
        registry_release(&endpoint->siblings->registry, peer);
    }
    session_free(peer->session);
    peer->session = NULL;
    peer_table_remove(&endpoint->peers, peer);
}

void endpoint_remove_peer(struct endpoint *endpoint, struct peer *peer, enum net_drop reason)
{
    endpoint_drop(endpoint, reason);
    if (peer_is_established(peer)) {
        endpoint_log(endpoint, NET_LOG_DEBUG, "%s: %s", peer->identity, net_drop_text(reason));
    }
    free_peer(endpoint, peer);
}

/* --- Opening ------------------------------------------------------------------------------------- */

static void release_text(void *user, void *data)
{
    (void)user;
    free(data);
}

static int open_well_known(struct endpoint *endpoint)
{
    uint8_t etag[NET_ETAG_BYTES];
    if (endpoint->config.well_known == NULL) {
        return 0;
    }
    char *text = strdup(endpoint->config.well_known);
    if (text == NULL || dtls_random(&endpoint->dtls, etag, sizeof etag) != 0) {
        free(text);
        return MYCEL_E_NO_MEMORY;
    }
    endpoint->well_known = net_blob_new(text, strlen(text), etag, release_text, NULL);
    if (endpoint->well_known == NULL) {
        free(text);
        return MYCEL_E_NO_MEMORY;
    }
    return 0;
}

/* What workers share, or an endpoint that is alone has for itself. */
static int open_shared(struct endpoint *endpoint, uint64_t secret)
{
    const struct body_limits limits = body_limits_of(&endpoint->config);
    const struct siblings *siblings = endpoint->siblings;
    endpoint->bodies = siblings != NULL ? siblings->bodies : bodies_new(&limits, secret, 1);
    endpoint->dtls.key_choice = siblings != NULL ? siblings->key_choice : key_choice_new();
    endpoint->dtls.key_secret = siblings != NULL ? siblings->registry.secret : secret;
    return endpoint->bodies != NULL && endpoint->dtls.key_choice != NULL ? 0 : MYCEL_E_NO_MEMORY;
}

/* Everything but the sockets and the timer. endpoint_free undoes it after any outcome. */
static int open_parts(struct endpoint *endpoint)
{
    uint64_t secret[2];
    int error = dtls_open(&endpoint->dtls, endpoint);
    if (error == 0) {
        error = dtls_random(&endpoint->dtls, secret, sizeof secret);
    }
    if (error == 0) { /* one more for the listener */
        uint32_t slots = endpoint->config.peers_max + endpoint->config.half_open_max + 1;
        error = peer_table_init(&endpoint->peers, slots, endpoint->config.worker, secret[0]);
    }
    if (error == 0) {
        error = open_shared(endpoint, secret[1]);
    }
    if (error == 0) {
        error = pending_table_init(&endpoint->pending);
    }
    if (error == 0) {
        endpoint->parser = message_parser_new();
        error = endpoint->parser != NULL ? open_well_known(endpoint) : MYCEL_E_NO_MEMORY;
    }
    return error;
}

static void endpoint_free(struct endpoint *endpoint)
{
    message_parser_free(endpoint->parser);
    net_blob_unref(endpoint->well_known);
    shelf_clear(&endpoint->shelf);
    pending_table_deinit(&endpoint->pending);
    if (endpoint->siblings == NULL) {
        bodies_free(endpoint->bodies);
        key_choice_free(endpoint->dtls.key_choice);
    }
    peer_table_deinit(&endpoint->peers);
    session_pool_free(&endpoint->spares);
    dtls_close(&endpoint->dtls);
    free(endpoint);
}

static void on_tick(uv_timer_t *timer)
{
    struct endpoint *endpoint = timer->data;
    demux_tick(endpoint);
    exchange_tick(endpoint);
    parking_tick(endpoint);
    shelf_expire(&endpoint->shelf, endpoint_now_ms(endpoint));
    endpoint->stats.drops[NET_DROP_BODY_EXPIRED] +=
        bodies_expire(endpoint->bodies, endpoint_now_ms(endpoint));
}

int endpoint_open(struct endpoint **out, uv_loop_t *loop, const struct net_config *config,
                  struct siblings *siblings)
{
    *out = NULL;
    struct endpoint *endpoint = calloc(1, sizeof *endpoint);
    if (endpoint == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    endpoint->loop = loop;
    endpoint->config = *config;
    endpoint->siblings = siblings;
    int error = open_parts(endpoint);
    if (error == 0) {
        error = udp_open(&endpoint->udp, loop, &endpoint->config, &endpoint->stats, demux_datagram,
                         endpoint);
    }
    if (error != 0) {
        endpoint_free(endpoint);
        return error;
    }
    (void)uv_timer_init(loop, &endpoint->timer);
    endpoint->timer.data = endpoint;
    (void)uv_timer_start(&endpoint->timer, on_tick, NET_TICK_MS, NET_TICK_MS);
    *out = endpoint;
    return 0;
}

uint16_t endpoint_port(const struct endpoint *endpoint)
{
    return udp_port(endpoint->udp);
}

/* --- Closing ------------------------------------------------------------------------------------- */

static void on_part_closed(void *user)
{
    struct endpoint *endpoint = user;
    if (--endpoint->closing_parts > 0) {
        return;
    }
    void (*closed)(void *) = endpoint->closed;
    void *closed_user = endpoint->closed_user;
    endpoint_free(endpoint);
    if (closed != NULL) {
        closed(closed_user);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

/* A parked peer is not told: it would have to be restored first, ten thousand times. */
static void notify_peer(struct peer *peer)
{
    if (peer_is_established(peer) && peer->state != PEER_PARKED) {
        session_notify_close(peer->session);
    }
}

static void end_all(struct endpoint *endpoint)
{
    for (unsigned state = 0; state < PEER_STATES; state++) {
        while (endpoint->peers.queue[state].oldest != NULL) {
            notify_peer(endpoint->peers.queue[state].oldest);
            free_peer(endpoint, endpoint->peers.queue[state].oldest);
        }
    }
}

void endpoint_close(struct endpoint *endpoint, void (*closed)(void *user), void *user)
{
    MYCEL_ASSERT(!endpoint->closing);
    endpoint->closing = true;
    endpoint->closed = closed;
    endpoint->closed_user = user;
    end_all(endpoint);
    if (endpoint->listener != NULL) {
        free_peer(endpoint, endpoint->listener);
        endpoint->listener = NULL;
    }
    endpoint->closing_parts = 2;
    udp_close(endpoint->udp, on_part_closed, endpoint);
    uv_close((uv_handle_t *)&endpoint->timer, on_timer_closed);
}

/* --- Control ------------------------------------------------------------------------------------- */

int endpoint_kick(struct endpoint *endpoint, const char *name, const uint32_t *keep)
{
    char identity[PROTO_IDENTITY_BYTES_MAX + 1]; /* a request's own would go with its peer */
    int ended = 0;
    if (snprintf(identity, sizeof identity, "%s", name) >= (int)sizeof identity) {
        return 0; /* nobody can be called that */
    }
    struct peer *peer =
        endpoint->closing ? NULL : peer_table_by_identity(&endpoint->peers, identity);
    if (peer != NULL && !peer_is_kept(peer, keep)) {
        notify_peer(peer);
        endpoint_remove_peer(endpoint, peer, NET_DROP_SESSION_KICKED);
        ended++;
    }
    peer = endpoint->peers.queue[PEER_HANDSHAKE].oldest;
    while (peer != NULL) { /* at most half_open_max */
        struct peer *next = peer->newer;
        if (strcmp(peer->identity, identity) == 0 && !peer_is_kept(peer, keep)) {
            endpoint_remove_peer(endpoint, peer, NET_DROP_SESSION_KICKED);
        }
        peer = next;
    }
    if (keep == NULL) {
        bodies_forget(endpoint->bodies, identity);
    }
    return ended;
}

void endpoint_kick_all(struct endpoint *endpoint)
{
    if (!endpoint->closing) {
        end_all(endpoint);
    }
}

void endpoint_stats(const struct endpoint *endpoint, struct net_stats *out)
{
    *out = endpoint->stats;
    out->sessions = peer_table_established(&endpoint->peers);
    out->sessions_parked = endpoint->peers.queue[PEER_PARKED].count;
    out->half_open = endpoint->peers.queue[PEER_HANDSHAKE].count;
    out->pending = endpoint->pending.waiting.count;
    bodies_gauge(endpoint->bodies, &out->bodies_partial, &out->bodies_partial_bytes);
}

void endpoint_replaced(struct endpoint *endpoint, const char *identity, uint64_t claim)
{
    struct peer *peer =
        endpoint->closing ? NULL : peer_table_by_identity(&endpoint->peers, identity);
    if (peer != NULL && peer->claim <= claim) {
        endpoint_remove_peer(endpoint, peer, NET_DROP_SESSION_REPLACED);
    }
}
