/*
 * Kernels for aarch64: four lanes, thirty-two registers, fused multiply-add, all of it baseline.
 */
#if defined(__aarch64__)
#include <arm_neon.h>

#define TILE(name) quad_##name
#define TILE_WIDTH 4
#define TILE_FMA(a, b, c)                                                                          \
    ((quad_vector)vfmaq_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b)))
#include "client/nn/kernels/tile.h"

#include "client/nn/kernels/passes.h"
#include "client/nn/kernels/update.h"

static void neon_mac(const struct nn_mac *job)
{
    uint32_t lane = 0;
    for (; lane + 8 <= job->lanes; lane += 8) {
        quad_mac_pair(job, 8, lane, 0);
    }
    for (; lane < job->lanes; lane += 4) {
        quad_mac_single(job, lane, 0);
    }
}

static void neon_outer(const struct nn_outer *job)
{
    uint32_t lane = 0;
    for (; lane + 8 <= job->lanes; lane += 8) {
        quad_outer_pair(job, 8, lane, 0);
    }
    for (; lane < job->lanes; lane += 4) {
        quad_outer_single(job, lane, 0);
    }
}

const struct nn_kernels nn_kernels_neon = {
    .name = "neon",
    .mac = neon_mac,
    .outer = neon_outer,
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
