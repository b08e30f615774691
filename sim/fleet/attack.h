/*
 * What lying devices do: to the samples before they train, and to the weights before they report. Pure
 * functions over memory of the caller's; the same (seed, device, round) lies in the same way. It must
 * never know what the coordinator does about it.
 *
 * One training of an attacker: attack_trains()? then attack_samples() on its own copy of the set, train;
 * for ALIE attack_crowd_add(); then attack_report().
 */
#ifndef MYCEL_SIM_FLEET_ATTACK_H
#define MYCEL_SIM_FLEET_ATTACK_H

#include "data/dataset.h"
#include "sim/scenario/option.h"

#include <stdbool.h>
#include <stdint.h>

enum attack_kind {
    ATTACK_NONE,      /* an honest device */
    ATTACK_SIGN,      /* w - Δ instead of w + Δ */
    ATTACK_SCALE,     /* w + factor · Δ */
    ATTACK_LABELFLIP, /* trains on labels classes - 1 - l (Tolpegin et al. 2020) */
    ATTACK_ALIE,      /* w + mean - z · deviation of the colluders' Δ (Baruch et al. 2019) */
    ATTACK_BACKDOOR,  /* a patch means the target class; Δ times boost (Bagdasaryan et al. 2020) */
    ATTACK_FREERIDER, /* does not train: w + noise (Lin et al. 2019) */
    ATTACK_REPLAY,    /* w + the Δ of its first round */
    ATTACK_NAN        /* every weight NaN */
};

struct attack_spec {
    enum attack_kind kind;
    float factor;    /* SCALE, default -10; BACKDOOR, "boost", default 1 */
    float z;         /* ALIE, default 1.5 */
    float noise;     /* FREERIDER: standard deviation of a weight, default 0.001 */
    uint32_t target; /* BACKDOOR: class, default 0 */
    uint32_t patch;  /* BACKDOOR: side in pixels, default 3 */
    float share;     /* BACKDOOR: of the samples, default 0.5 */
};

/*
 * Reads "none", "sign", "scale:FACTOR", "labelflip", "alie:Z", "freerider:DEVIATION", "replay", "nan" or
 * "backdoor:target=CLASS,patch=PIXELS,share=SHARE,boost=FACTOR"; what has a default may be left out.
 * 0, or MYCEL_E_MALFORMED with a column.
 */
int attack_parse(const char *text, struct attack_spec *spec, struct option_error *error);

/* The kind's name, as attack_parse() takes it. */
const char *attack_name(enum attack_kind kind);

/* Whether its report needs a training; a free rider's and a NaN do not. */
bool attack_trains(const struct attack_spec *spec);

/*
 * What the attackers of a round know of each other: running mean and sum of squared deviations of their
 * honest deltas (Welford 1962). One for each round that is open; an attacker adds its delta before it
 * reports, so the first has no company yet and reports its honest delta.
 */
struct attack_crowd {
    uint32_t params;
    uint32_t count; /* deltas so far */
    float *mean;    /* params, the caller's */
    float *squares; /* params, the caller's: Σ (Δ - mean)² */
};

/* Forgets all deltas. */
void attack_crowd_reset(struct attack_crowd *crowd);
void attack_crowd_add(struct attack_crowd *crowd, const float *base, const float *weights);

/* Who lies, and what it may use. */
struct attacker {
    const struct attack_spec *spec;
    uint64_t seed; /* the run's */
    uint32_t device;
    uint32_t round;
    const struct attack_crowd *crowd; /* ALIE; its params are n */
    const float *earlier;             /* REPLAY: a kept Δ of n values; NULL: reports honestly */
};

/*
 * Turns `weights`, trained from `base`, n each, into what the attacker reports. Where attack_trains()
 * is false their values do not matter.
 */
void attack_report(const struct attacker *attacker, const float *base, float *weights, uint32_t n);

/* Δ = weights - base, to be kept for a REPLAY. */
void attack_delta(const float *base, const float *weights, uint32_t n, float *delta);

/*
 * Changes an attacker's own samples in place: LABELFLIP all labels, BACKDOOR by a draw for each sample, the
 * same in every round. Other kinds change nothing. 0; INVALID: no labels, or no class `target`.
 */
int attack_samples(const struct attacker *attacker, struct dataset *samples);

/*
 * A test set for the backdoor: the samples whose label is not the target, all with the trigger and labelled
 * with the target, so that accuracy on it is the attack's success rate. *out is new, dataset_free() it.
 * 0; INVALID: not BACKDOOR, no labels, no class `target`, or no sample of another class; NO_MEMORY.
 */
int attack_trigger_set(const struct attack_spec *spec, const struct dataset *tests,
                       struct dataset *out);

#endif
