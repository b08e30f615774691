/*
 * Implementation of handshake_pace.h. libcoap hands out its mbedTLS context (coap_session_get_tls), and
 * mbedTLS lets its timer be replaced. The old timer has to be stopped, or libcoap would go on looking at
 * it; the only way to it, and to the limit of repetitions, is the context's own fields.
 */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include "client/port/linux/handshake_pace.h"

#include "client/port/linux/host_platform.h"

#include <mbedtls/ssl.h>
#include <string.h>

#define LIBRARY_BASE_MS 1000u     /* a flight's first timeout, as mbedTLS believes */
#define LIBRARY_MAX_MS (1u << 31) /* it doubles that, and gives up behind this: 22 repetitions */
#define BASE_FIRST_MS 250u        /* nothing is known of the peer */
#define BASE_FIRST_LEAST_MS 100u  /* however short its answers took: it may be starting */
#define BASE_LEAST_MS 75u         /* once a round trip was seen */
#define WAIT_MAX_MS 1500u
#define WAIT_GROWTH 10u            /* each pause is a tenth longer than the one before */
#define ROUND_TRIPS 3u             /* in a first timeout */
#define DEAF_REPEATS_MIN 6u        /* of a flight behind an answered one */
#define DEAF_REPEATS_PER_REPEAT 2u /* … and so many more for each that was needed before */
#define DEAF_REPEATS_MAX 20u       /* three of four tries are lost at 50 % each way: 1 in 400 */
#define STARTS_MAX 3u

/* An answer has come, so the round trip took no longer than since the latest repetition, or it was the
 * answer to an earlier one: then this is too short, and the pauses grow. */
static void next_flight(struct handshake_pace *pace, uint64_t now_ms)
{
    uint64_t wait_ms = ROUND_TRIPS * (now_ms - pace->start_ms);
    pace->base_ms = (uint32_t)(wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS);
    pace->base_ms = pace->base_ms > BASE_LEAST_MS ? pace->base_ms : BASE_LEAST_MS;
    pace->repeats_before += pace->repeats;
    pace->repeats = 0;
    pace->starts += !pace->answered;
    pace->answered = true;
    pace->heard = true;
}

static void start_timer(struct handshake_pace *pace, uint64_t now_ms, uint32_t intermediate_ms)
{
    uint32_t longer_ms = pace->wait_ms + pace->wait_ms / WAIT_GROWTH;
    longer_ms = longer_ms < WAIT_MAX_MS ? longer_ms : WAIT_MAX_MS;
    pace->wait_ms = pace->repeats > 0 ? longer_ms : pace->base_ms;
    pace->start_ms = now_ms;
    pace->intermediate_ms = intermediate_ms < pace->wait_ms ? intermediate_ms : pace->wait_ms;
    pace->final_ms = pace->wait_ms;
}

/* mbedTLS doubles its timeout with each repetition of a flight and starts over with the next flight.
 * Which repetition it is can be read from that; the pause is ours. */
static void on_set(void *ctx, uint32_t intermediate_ms, uint32_t final_ms)
{
    struct handshake_pace *pace = ctx;
    uint64_t now_ms = host_now_ms();
    if (final_ms == 0) {
        pace->final_ms = 0;
        return;
    }
    if (final_ms == LIBRARY_BASE_MS) {
        next_flight(pace, now_ms);
    }
    pace->repeats = 0;
    for (uint64_t at = LIBRARY_BASE_MS; at < final_ms; at *= 2u) {
        pace->repeats++;
    }
    start_timer(pace, now_ms, intermediate_ms);
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

void handshake_pace_reset(struct handshake_pace *pace, uint32_t timeout_ms)
{
    uint32_t base_ms = timeout_ms > BASE_FIRST_LEAST_MS ? timeout_ms : BASE_FIRST_LEAST_MS;
    if (timeout_ms == 0 || base_ms > BASE_FIRST_MS) {
        base_ms = BASE_FIRST_MS;
    }
    *pace = (struct handshake_pace){.base_ms = base_ms};
}

void handshake_pace_take(struct handshake_pace *pace, void *context)
{
    mbedtls_ssl_context *ssl = context;
    mbedtls_ssl_config *config;
    /* Each client session of libcoap has a configuration of its own, which is no constant. */
    memcpy(&config, &ssl->conf, sizeof config);
    mbedtls_ssl_conf_handshake_timeout(config, LIBRARY_BASE_MS, LIBRARY_MAX_MS);
    ssl->f_set_timer(ssl->p_timer, 0, 0);
    mbedtls_ssl_set_timer_cb(ssl, pace, on_set, on_get);
    pace->repeats_before += pace->repeats;
    pace->repeats = 0;
    pace->answered = false;
    start_timer(pace, host_now_ms(), LIBRARY_BASE_MS / 4u);
}

uint64_t handshake_pace_due_ms(const struct handshake_pace *pace)
{
    return pace->final_ms > 0 ? pace->start_ms + pace->final_ms : UINT64_MAX;
}

static bool is_deaf(const struct handshake_pace *pace)
{
    uint32_t most = DEAF_REPEATS_MIN + DEAF_REPEATS_PER_REPEAT * pace->repeats_before;
    most = most < DEAF_REPEATS_MAX ? most : DEAF_REPEATS_MAX;
    return pace->answered && pace->repeats >= most;
}

enum handshake_verdict handshake_pace_repeat(struct handshake_pace *pace, void *context)
{
    if (host_now_ms() < handshake_pace_due_ms(pace)) {
        return HANDSHAKE_GOES_ON;
    }
    if (is_deaf(pace)) {
        return pace->starts < STARTS_MAX ? HANDSHAKE_STARTS_OVER : HANDSHAKE_FAILED;
    }
    int rc = mbedtls_ssl_handshake(context);
    if (rc == 0 || rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE) {
        return HANDSHAKE_GOES_ON;
    }
    return rc == MBEDTLS_ERR_SSL_TIMEOUT ? HANDSHAKE_STARTS_OVER : HANDSHAKE_FAILED;
}

uint8_t handshake_pace_repeats(const struct handshake_pace *pace)
{
    uint32_t all = pace->repeats_before + pace->repeats;
    return all < UINT8_MAX ? (uint8_t)all : UINT8_MAX;
}

bool handshake_pace_heard(struct handshake_pace *pace)
{
    bool heard = pace->heard;
    pace->heard = false;
    return heard;
}
