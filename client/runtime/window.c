/*
 * Pauses: windows, backoff and jitter. It owns no state; it must never return a pause so short that a
 * failure could become a tight loop, nor one so long that a device is lost.
 */
#include "client/runtime/internal.h"

/* Uniform in low … high (inclusive). */
uint32_t window_between(struct client *c, uint32_t low_ms, uint32_t high_ms)
{
    if (high_ms <= low_ms) {
        return low_ms;
    }
    uint64_t random = c->port->platform->random(c->port->platform_ctx);
    uint64_t span = (uint64_t)high_ms - low_ms + 1u;
    return low_ms + (uint32_t)(((random >> 32) * span) >> 32);
}

/* A moment of the coordinator's window. Both ends come from the network: swapped, zero or far-off
 * ones are pulled into what this device accepts. */
uint32_t window_draw(struct client *c, uint32_t earliest_ms, uint32_t latest_ms)
{
    uint32_t shortest = client_setting(c->config->sleep_min_ms, 1000u);
    uint32_t low = earliest_ms > CLIENT_WINDOW_MAX_MS ? CLIENT_WINDOW_MAX_MS : earliest_ms;
    uint32_t high = latest_ms > CLIENT_WINDOW_MAX_MS ? CLIENT_WINDOW_MAX_MS : latest_ms;
    low = low < shortest ? shortest : low;
    return window_between(c, low, high);
}

/* Exponential with jitter: uniform in the upper half of min(max, min · 2^(failures - 1)). */
uint32_t window_backoff(struct client *c, uint32_t failures)
{
    uint32_t least = client_setting(c->config->backoff_min_ms, 1000u);
    uint32_t most = client_setting(c->config->backoff_max_ms, 600000u);
    uint64_t pause = least;
    for (uint32_t i = 1; i < failures && pause < most; i++) {
        pause *= 2u;
    }
    if (pause > most) {
        pause = most;
    }
    uint32_t high = (uint32_t)pause;
    return window_between(c, high - high / 2u, high);
}
