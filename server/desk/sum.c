/* See sum.h. */
#include "server/desk/sum.h"

#include "common/assert.h"
#include "proto/wire.h"

static int open_body(const struct sum_body *from, struct codec_frame *frame,
                     struct rule_update *update)
{
    const struct sum_row *row = &from->row;
    struct wire_update parts;
    *update = (struct rule_update){.frame = frame,
                                   .device = row->device,
                                   .weight = row->weight,
                                   .steps = row->steps > 0 ? row->steps : 1,
                                   .scale = (float)row->scale_q16 / 65536.0f,
                                   .loss = row->loss_first > 0 ? row->loss_first : 0};
    int rc = wire_update_split(&parts, from->body, from->bytes);
    if (rc == 0) {
        rc = codec_open(frame, parts.frame, parts.frame_bytes);
    }
    return rc == 0 ? codec_scan(frame, &update->stats) : rc;
}

int sum_add_bodies(struct rule_round *round, const struct sum_body *bodies, uint32_t count)
{
    struct codec_frame frames[RULE_BATCH_MAX];
    struct rule_update updates[RULE_BATCH_MAX];
    int status[RULE_BATCH_MAX];
    MYCEL_ASSERT(count > 0 && count <= RULE_BATCH_MAX);
    for (uint32_t i = 0; i < count; i++) {
        int rc = open_body(&bodies[i], &frames[i], &updates[i]);
        if (rc < 0) {
            return rc;
        }
    }
    (void)rule_add_batch(round, updates, count, status);
    for (uint32_t i = 0; i < count; i++) {
        if (status[i] < 0) {
            return status[i];
        }
    }
    return 0;
}
