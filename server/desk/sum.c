/* See sum.h. */
#include "server/desk/sum.h"

#include "proto/wire.h"

int sum_add_body(struct rule_round *round, const struct sum_row *row, const uint8_t *body,
                 size_t bytes)
{
    struct wire_update parts;
    struct codec_frame frame;
    struct rule_update update = {.frame = &frame,
                                 .device = row->device,
                                 .weight = row->weight,
                                 .steps = row->steps > 0 ? row->steps : 1,
                                 .scale = (float)row->scale_q16 / 65536.0f,
                                 .loss = row->loss_first > 0 ? row->loss_first : 0};
    int rc = wire_update_split(&parts, body, bytes);
    if (rc == 0) {
        rc = codec_open(&frame, parts.frame, parts.frame_bytes);
    }
    if (rc == 0) {
        rc = codec_scan(&frame, &update.stats);
    }
    return rc == 0 ? rule_add(round, &update) : rc;
}
