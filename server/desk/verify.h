/*
 * Looks at an update's body before anybody believes it: digest, report, frame, shape, finiteness,
 * norm. Pure; the body is hostile.
 */
#ifndef MYCEL_SERVER_DESK_VERIFY_H
#define MYCEL_SERVER_DESK_VERIFY_H

#include "server/engine/event.h"

#include <stddef.h>

/* What the coordinator knows of the lease's run. */
struct verify_expected {
    uint32_t params;
};

/* Fills digest, status, report and norm of *out; the rest is the caller's. `status` is 0 or
 * MYCEL_E_{MALFORMED,SHAPE,NONFINITE,WEIGHT,NORM,CODEC,VERSION,TOO_LARGE,BASE}. Takes time
 * proportional to the body. */
void verify_update(const uint8_t *body, size_t bytes, const struct verify_expected *expected,
                   struct engine_event_update *out);

#endif
