/*
 * From a body that was counted to the server rule's sum: opens the update once more and adds it.
 * Pure. Where bodies and rows are kept is the shell's.
 */
#ifndef MYCEL_SERVER_DESK_SUM_H
#define MYCEL_SERVER_DESK_SUM_H

#include "server/engine/rules/rules.h"

#include <stddef.h>
#include <stdint.h>

/* What the engine said of an update when it counted it (struct engine_action_update). */
struct sum_row {
    uint32_t device;
    uint32_t weight;
    uint32_t steps;
    uint32_t scale_q16; /* of staleness, 65536 is 1 */
    float loss_first;
};

/* An update and its body. */
struct sum_body {
    struct sum_row row;
    const uint8_t *body;
    size_t bytes;
};

/* Adds 1 to RULE_BATCH_MAX bodies to a round that rule_begin() has prepared; the more at once, the fewer
 * passes over the sum. A gathering rule reads the bodies' bytes again until rule_finish(). 0, or the
 * first error of wire_update_split, codec_open, codec_scan or rule_add, after which the round is
 * good for nothing. */
int sum_add_bodies(struct rule_round *round, const struct sum_body *bodies, uint32_t count);

#endif
