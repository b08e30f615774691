#include "server/engine/stats.h"

#include <string.h>

/* Where a value stands, or would stand, in the sorted list. */
static uint32_t place_of(const struct stats_window *window, uint32_t n, float value)
{
    uint32_t low = 0, high = n;

    while (low < high) {
        uint32_t middle = (low + high) / 2u;

        if (window->sorted[middle] < value) {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    return low;
}

void stats_push(struct stats_window *window, float value)
{
    float *newest = &window->values[window->count % STATS_WINDOW];
    float *sorted = window->sorted;
    uint32_t n = window->count < STATS_WINDOW ? window->count : STATS_WINDOW;
    uint32_t at;

    if (n == STATS_WINDOW) { /* it takes the oldest one's place */
        at = place_of(window, n, *newest);
        n--;
        memmove(&sorted[at], &sorted[at + 1u], (n - at) * sizeof *sorted);
    }
    at = place_of(window, n, value);
    memmove(&sorted[at + 1u], &sorted[at], (n - at) * sizeof *sorted);
    sorted[at] = value;
    *newest = value;
    window->count++;
    if (window->count == 2 * STATS_WINDOW) {
        window->count = STATS_WINDOW; /* still full, and it never wraps around */
    }
}

float stats_rank(const struct stats_window *window, uint32_t permille)
{
    uint32_t n = window->count < STATS_WINDOW ? window->count : STATS_WINDOW;

    return n == 0 ? 0.0f : window->sorted[(n - 1) * permille / 1000u];
}

float stats_median(const struct stats_window *window)
{
    return stats_rank(window, 500);
}

bool stats_is_finite(float value)
{
    return value - value == 0.0f; /* NaN for both kinds */
}

uint32_t stats_smooth(uint32_t old, uint64_t value)
{
    uint64_t capped = value < UINT32_MAX ? value : UINT32_MAX;

    return old == 0 ? (uint32_t)capped : (uint32_t)((3u * (uint64_t)old + capped) / 4u);
}

uint32_t stats_staleness_q16(uint32_t staleness)
{
    /* floor(sqrt(2^32 / (1 + τ))), bit by bit from the top. */
    uint64_t square = ((uint64_t)1 << 32) / ((uint64_t)staleness + 1u);
    uint64_t root = 0;

    for (uint64_t bit = (uint64_t)1 << 16; bit > 0; bit >>= 1) {
        if ((root + bit) * (root + bit) <= square) {
            root += bit;
        }
    }
    return (uint32_t)root;
}
