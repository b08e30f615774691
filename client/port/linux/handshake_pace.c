/*
 * Implementation of handshake_pace.h. libcoap hands out its mbedTLS context (coap_session_get_tls), and
 * mbedTLS lets its timer be replaced. The old timer has to be stopped, or libcoap would go on looking at
 * it; the only way to it is the context's own fields.
 */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include "client/port/linux/handshake_pace.h"

#include "client/port/linux/host_platform.h"

#include <mbedtls/ssl.h>

#define LIBRARY_BASE_MS 1000u /* what libcoap has configured: a flight's first timeout */
#define GROWTH_MAX 3u /* times base_ms: flights are small, and whoever waits gives up in time */

/* mbedTLS doubles its timeout with each repetition of a flight and starts over with the next flight.
 * Which repetition it is can be read from that; the pause is ours. */
static void on_set(void *ctx, uint32_t intermediate_ms, uint32_t final_ms)
{
    struct handshake_pace *pace = ctx;
    uint32_t wait_ms = pace->base_ms;
    for (uint32_t at = LIBRARY_BASE_MS; at < final_ms; at *= 2u) {
        wait_ms += wait_ms / 2u;
    }
    if (wait_ms > pace->base_ms * GROWTH_MAX) {
        wait_ms = pace->base_ms * GROWTH_MAX;
    }
    pace->start_ms = host_now_ms();
    pace->intermediate_ms = intermediate_ms < wait_ms ? intermediate_ms : wait_ms;
    pace->final_ms = final_ms > 0 ? wait_ms : 0;
}

/* -1 not running, 0 running, 1 intermediate delay passed, 2 final delay passed. */
static int on_get(void *ctx)
{
    const struct handshake_pace *pace = ctx;
    uint64_t elapsed_ms = host_now_ms() - pace->start_ms;
    if (pace->final_ms == 0) {
        return -1;
    }
    if (elapsed_ms >= pace->final_ms) {
        return 2;
    }
    return elapsed_ms >= pace->intermediate_ms ? 1 : 0;
}

void handshake_pace_take(struct handshake_pace *pace, void *context, uint32_t base_ms)
{
    mbedtls_ssl_context *ssl = context;
    pace->base_ms = base_ms;
    ssl->f_set_timer(ssl->p_timer, 0, 0);
    mbedtls_ssl_set_timer_cb(ssl, pace, on_set, on_get);
    on_set(pace, LIBRARY_BASE_MS / 4u, LIBRARY_BASE_MS);
}

uint64_t handshake_pace_due_ms(const struct handshake_pace *pace)
{
    return pace->final_ms > 0 ? pace->start_ms + pace->final_ms : UINT64_MAX;
}

bool handshake_pace_repeat(struct handshake_pace *pace, void *context)
{
    if (host_now_ms() < handshake_pace_due_ms(pace)) {
        return true;
    }
    int rc = mbedtls_ssl_handshake(context);
    return rc == 0 || rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE;
}
