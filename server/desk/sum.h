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

/* Adds one body to a round that rule_begin() has prepared. A gathering rule reads the body's bytes again
 * until rule_finish(). Errors: what wire_update_split, codec_open, codec_scan or rule_add say. */
int sum_add_body(struct rule_round *round, const struct sum_row *row, const uint8_t *body,
                 size_t bytes);

#endif
