/*
 * Pace steering: when a device that has nothing to do is asked back. Pure arithmetic over a run's
 * state (Bonawitz et al. 2019, §2.3); it must not change anything.
 */
#ifndef MYCEL_ENGINE_PACE_H
#define MYCEL_ENGINE_PACE_H

#include "server/engine/internal.h"

/*
 * A device that will be welcome in the next round. A small fleet (fewer eligible devices than 5
 * goals) comes at the start of that round, spread over pace_ms, so that the round can fill; of a large
 * one only the share that is needed comes in each round: U(0.5, 1.5) · N / λ, λ = 1.5 · seats / T.
 */
struct engine_window pace_next_round(const struct engine *e, const struct run *run);

/* A device that got no lease for this reason. `run` NULL: no run came into question. */
struct engine_window pace_refused(const struct engine *e, const struct run *run,
                                  const struct device *device, enum engine_why why);

#endif
