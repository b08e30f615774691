/*
 * Kernels for x86-64 with AVX-512 F and VL: sixteen lanes, thirty-two registers, and masks, so that
 * a layer whose channels don't fill a vector costs no more than one that does. Compiled with those
 * instructions allowed; only nn_kernels_select may decide that they exist.
 */
#if defined(__x86_64__)
#include <immintrin.h>

#define WIDE_FMA(a, b, c) ((wide_vector)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))

#define TILE(name) wide_##name
#define TILE_WIDTH 16
#define TILE_FMA WIDE_FMA
#include "client/nn/kernels/tile.h"

#define TILE(name) part_##name
#define TILE_WIDTH 16
#define TILE_FMA WIDE_FMA
#define TILE_MASK __mmask16
#define TILE_LOAD(p, m) ((part_vector)_mm512_maskz_loadu_ps(m, p))
#define TILE_STORE(p, v, m) _mm512_mask_storeu_ps(p, m, (__m512)(v))
#include "client/nn/kernels/tile.h"

#define TILE(name) quad_##name
#define TILE_WIDTH 4
#define TILE_FMA(a, b, c) ((quad_vector)_mm_fmadd_ps((__m128)(a), (__m128)(b), (__m128)(c)))
#include "client/nn/kernels/tile.h"

#include "client/nn/kernels/passes.h"
#include "client/nn/kernels/update.h"

static __mmask16 rest_mask(uint32_t lanes)
{
    return (__mmask16)((1u << lanes) - 1u);
}

static void avx512_mac(const struct nn_mac *job)
{
    uint32_t lane = 0;
    for (; lane + 32 <= job->lanes; lane += 32) {
        wide_mac_lanes(job, 8, 2, lane, 0);
    }
    for (; lane + 16 <= job->lanes; lane += 16) {
        wide_mac_lanes(job, 8, 1, lane, 0);
    }
    if (lane < job->lanes) {
        part_mac_lanes(job, 8, 1, lane, rest_mask(job->lanes - lane));
    }
}

static void avx512_outer(const struct nn_outer *job)
{
    uint32_t lane = 0;
    for (; lane + 32 <= job->lanes; lane += 32) {
        wide_outer_lanes(job, 8, 2, lane, 0);
    }
    for (; lane + 16 <= job->lanes; lane += 16) {
        wide_outer_lanes(job, 8, 1, lane, 0);
    }
    if (lane < job->lanes) {
        part_outer_lanes(job, 8, 1, lane, rest_mask(job->lanes - lane));
    }
}

const struct nn_kernels nn_kernels_avx512 = {
    .name = "avx512",
    .mac = avx512_mac,
    .outer = avx512_outer,
    .transpose = pass_transpose,
    .sum = pass_sum,
    .product = pass_product,
    .update = update_apply,
    .softmax = pass_softmax,
    .widen_u8 = pass_widen_u8,
};

#endif
