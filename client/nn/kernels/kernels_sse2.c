/*
 * Kernels for any x86-64: four lanes, sixteen registers, no fused multiply-add. It must not use
 * anything that the baseline lacks.
 */
#if defined(__x86_64__)

#define TILE(name) quad_##name
#define TILE_WIDTH 4
#define TILE_FMA(a, b, c) ((a) * (b) + (c))
#include "client/nn/kernels/tile.h"

#include "client/nn/kernels/passes.h"
#include "client/nn/kernels/update.h"

static void sse2_mac(const struct nn_mac *job)
{
    uint32_t lane = 0;
    for (; lane + 8 <= job->lanes; lane += 8) {
        quad_mac_pair(job, 4, lane, 0);
    }
    for (; lane < job->lanes; lane += 4) {
        quad_mac_single(job, lane, 0);
    }
}

static void sse2_outer(const struct nn_outer *job)
{
    uint32_t lane = 0;
    for (; lane + 8 <= job->lanes; lane += 8) {
        quad_outer_pair(job, 4, lane, 0);
    }
    for (; lane < job->lanes; lane += 4) {
        quad_outer_single(job, lane, 0);
    }
}

const struct nn_kernels nn_kernels_sse2 = {
    .name = "sse2",
    .mac = sse2_mac,
    .outer = sse2_outer,
    .dots = pass_dots,
    .transpose = pass_transpose,
    .sum = pass_sum,
    .product = pass_product,
    .pass = pass_pass,
    .largest_row = pass_largest_row,
    .spread_row = pass_spread_row,
    .update = update_apply,
    .softmax = pass_softmax,
    .widen_u8 = pass_widen_u8,
};

#endif
