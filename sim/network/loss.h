/*
 * Losing frames: the Gilbert-Elliott channel (E. O. Elliott, Bell System Technical Journal 42, 1963),
 * a chain of good and bad times with a loss rate each. It owns the chain's parameters and its step;
 * a device's part is two bytes. All arithmetic is on integers, so every machine draws the same.
 */
#ifndef MYCEL_SIM_NETWORK_LOSS_H
#define MYCEL_SIM_NETWORK_LOSS_H

#include "sim/scenario/option.h"

#include <stdbool.h>
#include <stdint.h>

#define LOSS_STEP_MS_DEFAULT 10

/* Probabilities are shares of 2^32; UINT32_MAX is certainty. */
struct loss_model {
    uint32_t to_bad;  /* a step in the good state ends it */
    uint32_t to_good; /* a step in the bad state ends it */
    uint32_t good;    /* a frame is lost in the good state */
    uint32_t bad;     /* … and in the bad state */
    uint32_t step_ms; /* of the chain, at least 1 */
};

/*
 * Reads a model:
 *   "none"
 *   "p:rate=0.05"                                    every frame alike
 *   "ge:p=0.01,r=0.2,good=0,bad=0.8,step=10"         p: good to bad, r: bad to good, each per step of
 *                                                    `step` ms; p + r ≤ 1; good and bad: loss rates.
 *                                                    good defaults to 0, bad to 1, step to 10.
 * 0, or MYCEL_E_MALFORMED with the place in *error.
 */
int loss_parse(const char *text, struct loss_model *model, struct option_error *error);

/* The share of frames that are lost in the long run, in parts per million. */
uint32_t loss_mean_ppm(const struct loss_model *model);

/*
 * Whether a frame that is sent at now_us is lost. Brings *state (0 at the start: good) to now_us by
 * the chain's closed form: the time since the last frame costs nothing. What the state remembers
 * of times more than 2^15 steps ago may be taken for something newer; shares stay right. draw: uniform,
 * another one for each frame.
 */
bool loss_frame(const struct loss_model *model, uint16_t *state, uint64_t now_us, uint64_t draw);

#endif
