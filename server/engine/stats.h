/*
 * Small statistics that decide: running medians, smoothed times, staleness weights. Integers where a
 * result is stored, so that every machine gets the same; no libm.
 */
#ifndef MYCEL_ENGINE_STATS_H
#define MYCEL_ENGINE_STATS_H

#include <stdbool.h>
#include <stdint.h>

#define STATS_WINDOW 64u /* values that a running median looks back on */

/* The last STATS_WINDOW values, oldest overwritten first. Zeroed memory is empty. */
struct stats_window {
    float values[STATS_WINDOW]; /* a ring */
    float sorted[STATS_WINDOW]; /* the same, by size */
    uint32_t count;             /* of values ever pushed */
};

/* Adds a value, which is not NaN. */
void stats_push(struct stats_window *window, float value);

/* The lower value at this rank of what is in the window, 500 being its median; 0 when it is empty. */
float stats_rank(const struct stats_window *window, uint32_t permille);

/* The lower median of what is in the window; 0 when it is empty. */
float stats_median(const struct stats_window *window);

/* NaN and infinities are not. */
bool stats_is_finite(float value);

/* Exponential smoothing with factor 1/4; the first value (old 0) is taken as it is. */
uint32_t stats_smooth(uint32_t old, uint64_t value);

/* (1 + τ)^-½ in units of 2^-16, rounded down: 65536 for τ = 0 (FedBuff, Nguyen et al. 2022). */
uint32_t stats_staleness_q16(uint32_t staleness);

#endif
