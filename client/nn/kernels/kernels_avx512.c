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
#define TILE_PIN(m) __asm__("" : "+k"(m))
#define TILE_STORE(p, v, m) _mm512_mask_storeu_ps(p, m, (__m512)(v))
#include "client/nn/kernels/tile.h"

#define TILE(name) octet_##name
#define TILE_WIDTH 8
#define TILE_FMA(a, b, c) ((octet_vector)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#include "client/nn/kernels/tile.h"

#define TILE(name) quad_##name
#define TILE_WIDTH 4
#define TILE_FMA(a, b, c) ((quad_vector)_mm_fmadd_ps((__m128)(a), (__m128)(b), (__m128)(c)))
#include "client/nn/kernels/tile.h"

#define NN_WIDE_PASSES /* has its own sum and softmax */
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
        wide_mac_pair(job, 8, lane, 0);
    }
    for (; lane + 16 <= job->lanes; lane += 16) {
        wide_mac_single(job, lane, 0);
    }
    switch (job->lanes - lane) {
    case 12:
        part_mac_single(job, lane, rest_mask(12));
        break;
    case 8:
        octet_mac_single(job, lane, 0);
        break;
    case 4:
        quad_mac_single(job, lane, 0);
        break;
    default:
        break;
    }
}

/* What is left of the lanes in vectors without a mask. Twelve lanes take that way only with one
 * sample, which reads and writes each weight once: masked stores would overlap the next row's loads
 * and hold them up. */
static void outer_rest(const struct nn_outer *job, uint32_t lane)
{
    for (; lane + 8 <= job->lanes; lane += 8) {
        octet_outer_single(job, lane, 0);
    }
    for (; lane < job->lanes; lane += 4) {
        quad_outer_single(job, lane, 0);
    }
}

static void avx512_outer(const struct nn_outer *job)
{
    uint32_t lane = 0;
    for (; lane + 32 <= job->lanes; lane += 32) {
        wide_outer_pair(job, 8, lane, 0);
    }
    for (; lane + 16 <= job->lanes; lane += 16) {
        wide_outer_single(job, lane, 0);
    }
    if (job->lanes - lane == 12 && job->x.count > 1) {
        part_outer_single(job, lane, rest_mask(12));
    } else {
        outer_rest(job, lane);
    }
}

static void avx512_sum(const float *d, uint32_t ldd, uint32_t pixels, uint32_t lanes, float *c)
{
    uint32_t lane = 0;
    for (; lane + 16 <= lanes; lane += 16) {
        wide_sum_lanes(d + lane, ldd, pixels, c + lane, 0);
    }
    if (lane < lanes) {
        part_sum_lanes(d + lane, ldd, pixels, c + lane, rest_mask(lanes - lane));
    }
}

static void avx512_softmax(float *y, uint32_t ld, uint32_t rows, uint32_t classes)
{
    const __mmask16 last = rest_mask((ld - 1) % 16 + 1);
    for (uint32_t r = 0; r < rows; r++, y += ld) {
        part_softmax_row(y, ld, classes, rest_mask(16), last);
    }
}

/* Not fused: the same bits as in every other set. */
static void avx512_widen_u8(const uint8_t *raw, uint32_t count, float scale, float shift,
                            float *value)
{
    uint32_t i = 0;
    for (; i + 16 <= count; i += 16) {
        __m512i wide = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(raw + i)));
        __m512 scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(wide), _mm512_set1_ps(scale));
        _mm512_storeu_ps(value + i, _mm512_add_ps(scaled, _mm512_set1_ps(shift)));
    }
    pass_widen_u8(raw + i, count - i, scale, shift, value + i);
}

const struct nn_kernels nn_kernels_avx512 = {
    .name = "avx512",
    .mac = avx512_mac,
    .outer = avx512_outer,
    .dots = pass_dots,
    .transpose = pass_transpose,
    .sum = avx512_sum,
    .product = pass_product,
    .pass = pass_pass,
    .largest_row = pass_largest_row,
    .spread_row = pass_spread_row,
    .update = update_apply,
    .softmax = avx512_softmax,
    .widen_u8 = avx512_widen_u8,
};

#endif
