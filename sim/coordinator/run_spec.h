/* From a scenario's words to the engine's numbers. Pure. */
#ifndef MYCEL_SIM_COORDINATOR_RUN_SPEC_H
#define MYCEL_SIM_COORDINATOR_RUN_SPEC_H

#include "server/engine/types.h"
#include "sim/scenario/scenario.h"

#define RUN_SPEC_ID 1u /* the simulated coordinator has one run */

/* Fills the spec of a run over a model of `params` parameters. INVALID with words in `problem`
 * (SCENARIO_PROBLEM_BYTES). */
int run_spec_make(const struct scenario *scenario, uint32_t params, struct engine_spec *spec,
                  char *problem);

#endif
