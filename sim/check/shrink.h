/*
 * From a scenario that fails to a short one that fails in the same way: keys go back to calm values one by
 * one, numbers by halves, lists by elements, as long as the same check fails. Owns the order of the
 * attempts; whoever calls says how one is run.
 */
#ifndef MYCEL_SIM_CHECK_SHRINK_H
#define MYCEL_SIM_CHECK_SHRINK_H

#include "sim/check/check.h"

/* Runs a scenario. True: all checks held. */
typedef bool (*check_try_fn)(void *user, const struct scenario *scenario,
                             struct check_result *result);

/* `scenario` fails with *result; both become those of the shortest one found in at most `runs_max` runs.
 * Returns how many runs that took. */
uint32_t check_shrink(struct scenario *scenario, struct check_result *result, uint32_t runs_max,
                      check_try_fn try_it, void *user);

#endif
