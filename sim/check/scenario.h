/*
 * Scenarios from a seed: small fleets, short rounds and much that goes wrong. Owns what the checks are tried
 * on, and the text of a scenario; it must never produce one that cannot end once everything is healed.
 */
#ifndef MYCEL_SIM_CHECK_SCENARIO_H
#define MYCEL_SIM_CHECK_SCENARIO_H

#include "sim/scenario/scenario.h"

#include <stdio.h>

/* Three devices, one round, nothing goes wrong: what shrinking tends to. */
void check_scenario_calm(struct scenario *scenario);

/* The scenario of a seed: always the same for the same program. */
void check_scenario_draw(struct scenario *scenario, uint64_t seed);

/* Whether the fleet is large enough for its rounds, so that it can end once everything is healed. */
bool check_scenario_is_sound(const struct scenario *scenario);

/* Writes what differs from the defaults, as `mycel sim run` reads it. 0 or IO. */
int check_scenario_write(const struct scenario *scenario, FILE *out);

#endif
