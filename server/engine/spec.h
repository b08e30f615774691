/*
 * A run's settings: defaults filled in. (Checking them is engine_spec_check() in engine.h.)
 */
#ifndef MYCEL_ENGINE_SPEC_H
#define MYCEL_ENGINE_SPEC_H

#include "server/engine/types.h"

#define SPEC_CODECS 9u /* encodings in mycel.proto */

/* Replaces each 0 that stands for a default. The result passes engine_spec_check() if `spec` did. */
void spec_defaults(struct engine_spec *spec);

/* How long the parts of a round last, in ms. */
struct spec_clock {
    uint32_t select_ms, soft_ms, hard_ms, lease_ms;
};

/* As the run was told, or as it has learned. */
struct spec_clock spec_clock(const struct engine_spec *spec, const struct engine_learned *learned);

/* Seats of a round: goal × over-selection, rounded up, or the run's concurrency. */
uint32_t spec_seats(const struct engine_spec *spec, const struct engine_learned *learned);

#endif
