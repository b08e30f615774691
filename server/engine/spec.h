/*
 * A run's settings: defaults filled in. (Checking them is engine_spec_check() in engine.h.)
 */
#ifndef MYCEL_ENGINE_SPEC_H
#define MYCEL_ENGINE_SPEC_H

#include "server/engine/types.h"

#define SPEC_CODECS 9u /* encodings in mycel.proto */

/* Replaces each 0 that stands for a default. The result passes engine_spec_check() if `spec` did. */
void spec_defaults(struct engine_spec *spec);

/* Seats of a round: goal × over-selection, rounded up, or the run's concurrency. */
uint32_t spec_seats(const struct engine_spec *spec, const struct engine_learned *learned);

#endif
