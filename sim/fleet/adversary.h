/*
 * The attackers of a simulated world: what each of them lies about, and what they know of each other. It
 * owns their memory (the colluders' statistics, old deltas); attack.h does the lying.
 */
#ifndef MYCEL_SIM_FLEET_ADVERSARY_H
#define MYCEL_SIM_FLEET_ADVERSARY_H

#include "sim/fleet/attack.h"
#include "sim/fleet/fleet.h"

struct adversary {
    struct attack_spec spec;
    struct attack_crowd crowd; /* of ALIE; of the version below */
    uint32_t crowd_version;
    float **earlier; /* of REPLAY, by device: its first delta */
    uint32_t devices;
    uint32_t params;
};

/* INVALID with words in `problem` (SCENARIO_PROBLEM_BYTES); NO_MEMORY. */
int adversary_init(struct adversary *adversary, const struct scenario *scenario, uint32_t params,
                   char *problem);
void adversary_free(struct adversary *adversary);

/* One attacker in one training; `lease` counts the device's. */
struct attacker adversary_attacker(struct adversary *adversary, uint64_t seed, uint32_t device,
                                   uint32_t lease);

/* Turns what a training made of `base`, a version's parameters, into what the attacker reports.
 * NO_MEMORY. */
int adversary_report(struct adversary *adversary, const struct attacker *attacker, uint32_t version,
                     const float *base, float *weights);

#endif
