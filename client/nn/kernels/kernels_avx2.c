/*
 * Kernels for x86-64 with AVX2 and FMA: eight lanes, sixteen registers. Compiled with those
 * instructions allowed; only nn_kernels_select may decide that they exist.
 */
#if defined(__x86_64__)
#include <immintrin.h>

#define TILE(name) octet_##name
#define TILE_WIDTH 8
#define TILE_FMA(a, b, c) ((octet_vector)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#include "client/nn/kernels/tile.h"

#define TILE(name) quad_##name
#define TILE_WIDTH 4
#define TILE_FMA(a, b, c) ((quad_vector)_mm_fmadd_ps((__m128)(a), (__m128)(b), (__m128)(c)))
#include "client/nn/kernels/tile.h"

#include "client/nn/kernels/passes.h"
#include "client/nn/kernels/update.h"

static void avx2_mac(const struct nn_mac *job)
{
    uint32_t lane = 0;
    for (; lane + 16 <= job->lanes; lane += 16) {
        octet_mac_pair(job, 6, lane, 0);
    }
    for (; lane + 8 <= job->lanes; lane += 8) {
        octet_mac_single(job, lane, 0);
    }
    for (; lane < job->lanes; lane += 4) {
        quad_mac_single(job, lane, 0);
    }
}

static void avx2_outer(const struct nn_outer *job)
{
    uint32_t lane = 0;
    for (; lane + 16 <= job->lanes; lane += 16) {
        octet_outer_pair(job, 4, lane, 0);
    }
    for (; lane + 8 <= job->lanes; lane += 8) {
        octet_outer_single(job, lane, 0);
    }
    for (; lane < job->lanes; lane += 4) {
        quad_outer_single(job, lane, 0);
    }
}

/* Not fused: the same bits as in every other set. */
static void avx2_widen_u8(const uint8_t *raw, uint32_t count, float scale, float shift,
                          float *value)
{
    uint32_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256i wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(raw + i)));
        __m256 scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(wide), _mm256_set1_ps(scale));
        _mm256_storeu_ps(value + i, _mm256_add_ps(scaled, _mm256_set1_ps(shift)));
    }
    pass_widen_u8(raw + i, count - i, scale, shift, value + i);
}

const struct nn_kernels nn_kernels_avx2 = {
    .name = "avx2",
    .mac = avx2_mac,
    .outer = avx2_outer,
    .dots = pass_dots,
    .transpose = pass_transpose,
    .sum = pass_sum,
    .product = pass_product,
    .pass = pass_pass,
    .largest_row = pass_largest_row,
    .spread_row = pass_spread_row,
    .update = update_apply,
    .softmax = pass_softmax,
    .widen_u8 = avx2_widen_u8,
};

#endif
