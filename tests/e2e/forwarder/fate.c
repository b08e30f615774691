/* Implementation of fate.h. */
#include "fate.h"

#include "common/rng.h"

enum draw { DRAW_LOSS, DRAW_DUPLICATE, DRAW_REORDER, DRAW_JITTER, DRAW_COPY, DRAWS };

static double uniform(const struct fate_options *o, uint64_t stream, uint64_t number,
                      enum draw draw)
{
    uint64_t bits = rng_u64(o->seed, stream, number * DRAWS + (uint64_t)draw);
    return (double)(bits >> 11) * 0x1p-53;
}

static double chance_to_arrive(const struct fate_options *o, uint32_t bytes)
{
    uint32_t frames = o->frame_bytes > 0 ? (bytes + o->frame_bytes - 1u) / o->frame_bytes : 1u;
    double all = 1.0;
    for (uint32_t i = 0; i < frames; i++) {
        all *= 1.0 - o->loss;
    }
    return all;
}

struct fate fate_draw(const struct fate_options *options, uint32_t flow, enum direction direction,
                      uint64_t number, uint32_t bytes)
{
    uint64_t stream = (uint64_t)flow * DIRECTIONS + direction;
    struct fate fate = {
        .lost = uniform(options, stream, number, DRAW_LOSS) >= chance_to_arrive(options, bytes),
        .duplicated = uniform(options, stream, number, DRAW_DUPLICATE) < options->duplicate,
        .reordered = uniform(options, stream, number, DRAW_REORDER) < options->reorder,
    };
    double jitter = uniform(options, stream, number, DRAW_JITTER) * options->jitter_us;
    double copy = uniform(options, stream, number, DRAW_COPY) * options->reorder_us;
    fate.late_us = (uint32_t)jitter + (fate.reordered ? options->reorder_us : 0);
    fate.copy_late_us = (uint32_t)copy;
    return fate;
}
