/*
 * Sparse codecs: of each block only the k largest magnitudes are sent; the residual keeps the rest.
 *   ternary  4 %, as sign and their mean magnitude (Sattler et al., 2019)
 *   topk     1 %, each as f16 (Stich et al., NeurIPS 2018)
 *
 * Positions are sorted and split: their upper parts in unary, their lower parts in `low_bits` bits each
 * (Elias 1974, Fano 1971). That is as short as Golomb codes of the gaps, but of fixed length, so each
 * block has a known place. Bits of a block, LSB first:
 *   upper  k + ((count − 1) >> low_bits): bit (position_j >> low_bits) + j is set for each j
 *   lower  k × low_bits
 *   values k × value_bits, then zeros up to a byte
 */
#include <math.h>
#include <mycel/error.h>
#include <string.h>

#include "common/codec/codec_ops.h"
#include "common/codec/half.h"

#define KEPT_MAX 41u       /* of 1024 */
#define CODE_BYTES_MAX 40u /* 39 for ternary, 31 for topk */

struct sparse_shape {
    uint32_t kept_per_1024;
    uint32_t low_bits;
    uint32_t value_bits; /* 1: a sign; 16: f16 */
};

static const struct sparse_shape shape_ternary = {KEPT_MAX, 4, 1};
static const struct sparse_shape shape_topk = {10, 6, 16};

static uint32_t kept_count(const struct sparse_shape *shape, uint32_t count)
{
    return (count * shape->kept_per_1024 + 1023u) / 1024u;
}

static uint32_t upper_bits(const struct sparse_shape *shape, uint32_t count)
{
    return kept_count(shape, count) + ((count - 1u) >> shape->low_bits);
}

static uint32_t used_bits(const struct sparse_shape *shape, uint32_t count)
{
    return upper_bits(shape, count) +
           kept_count(shape, count) * (shape->low_bits + shape->value_bits);
}

static void bits_put(uint8_t *bytes, uint32_t at, uint32_t value, uint32_t width)
{
    for (uint32_t i = 0; i < width; i++) {
        bytes[(at + i) / 8u] |= (uint8_t)((value >> i & 1u) << ((at + i) % 8u));
    }
}

static uint32_t bits_get(const uint8_t *bytes, uint32_t at, uint32_t width)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < width; i++) {
        value |= (uint32_t)(bytes[(at + i) / 8u] >> ((at + i) % 8u) & 1u) << i;
    }
    return value;
}

/* The bits of |x| order like |x| itself. */
static uint32_t magnitude_bits(float x)
{
    return float_bits(x) & 0x7fffffffu;
}

/* The k-th largest magnitude, found bit by bit: no memory, always 31 passes. */
static uint32_t kth_magnitude(const float *values, uint32_t count, uint32_t k)
{
    uint32_t threshold = 0;
    for (uint32_t bit = 1u << 30; bit; bit >>= 1) {
        uint32_t candidate = threshold | bit;
        uint32_t reached = 0;
        for (uint32_t i = 0; i < count; i++) {
            reached += magnitude_bits(values[i]) >= candidate;
        }
        threshold = reached >= k ? candidate : threshold;
    }
    return threshold;
}

/* Positions of the k largest, ascending; among equals the first ones. */
static void select_largest(const float *values, uint32_t count, uint32_t k, uint16_t *positions)
{
    uint32_t threshold = kth_magnitude(values, count, k);
    uint32_t above = 0;
    for (uint32_t i = 0; i < count; i++) {
        above += magnitude_bits(values[i]) > threshold;
    }
    uint32_t equals = k - above, found = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bits = magnitude_bits(values[i]);
        if (bits > threshold || (bits == threshold && equals > 0)) {
            equals -= bits == threshold;
            positions[found++] = (uint16_t)i;
        }
    }
}

static void put_positions(const struct sparse_shape *shape, uint32_t count,
                          const uint16_t *positions, uint8_t *codes)
{
    uint32_t lower = upper_bits(shape, count);
    for (uint32_t j = 0; j < kept_count(shape, count); j++) {
        bits_put(codes, (uint32_t)(positions[j] >> shape->low_bits) + j, 1, 1);
        bits_put(codes, lower + j * shape->low_bits, positions[j], shape->low_bits);
    }
}

/* Reads at most k positions that lie within the block, in the order of the code. Returns how many. */
static uint32_t get_positions(const struct sparse_shape *shape, const struct codec_block *block,
                              uint16_t *positions)
{
    uint32_t k = kept_count(shape, block->count);
    uint32_t upper = upper_bits(shape, block->count);
    uint32_t found = 0;
    for (uint32_t i = 0; i < upper && found < k; i++) {
        if (!(block->codes[i / 8u] >> (i % 8u) & 1u)) {
            continue;
        }
        uint32_t low = bits_get(block->codes, upper + found * shape->low_bits, shape->low_bits);
        uint32_t position = (i - found) << shape->low_bits | low;
        positions[found] = (uint16_t)(position < block->count ? position : block->count - 1u);
        found++;
    }
    return found;
}

static uint32_t values_at(const struct sparse_shape *shape, uint32_t count)
{
    return upper_bits(shape, count) + kept_count(shape, count) * shape->low_bits;
}

/* Whether the positions are k, ascending and within the block, exactly as encoded. */
static int sparse_check(const struct sparse_shape *shape, const struct codec_block *block)
{
    uint16_t positions[KEPT_MAX];
    uint8_t again[CODE_BYTES_MAX] = {0};
    uint32_t k = kept_count(shape, block->count);
    if (get_positions(shape, block, positions) != k) {
        return MYCEL_E_MALFORMED;
    }
    for (uint32_t j = 1; j < k; j++) {
        if (positions[j] <= positions[j - 1u]) {
            return MYCEL_E_MALFORMED;
        }
    }
    put_positions(shape, block->count, positions, again);
    uint32_t end = values_at(shape, block->count), bits = used_bits(shape, block->count);
    for (uint32_t at = 0; at < end; at++) {
        if (bits_get(again, at, 1) != bits_get(block->codes, at, 1)) {
            return MYCEL_E_MALFORMED;
        }
    }
    return codec_padding_is_zero(block->codes, bits, (bits + 7u) / 8u) ? 0 : MYCEL_E_MALFORMED;
}

static uint32_t ternary_code_bytes(uint32_t count, uint32_t size)
{
    (void)size;
    return (used_bits(&shape_ternary, count) + 7u) / 8u;
}

static int ternary_encode(const struct codec_block *block, float *values, float *residual,
                          uint16_t *scale)
{
    uint16_t positions[KEPT_MAX];
    uint8_t codes[CODE_BYTES_MAX] = {0};
    uint32_t k = kept_count(&shape_ternary, block->count);
    select_largest(values, block->count, k, positions);

    float mean = 0;
    for (uint32_t j = 0; j < k; j++) {
        mean += fabsf(values[positions[j]]) / (float)k;
    }
    if (!(mean <= HALF_MAX)) {
        return MYCEL_E_TOO_LARGE;
    }
    *scale = half_from_float(mean);
    float sent = half_to_float(*scale);

    if (residual) {
        memcpy(residual, values, block->count * sizeof *residual);
    }
    put_positions(&shape_ternary, block->count, positions, codes);
    uint32_t at = values_at(&shape_ternary, block->count);
    for (uint32_t j = 0; j < k; j++) {
        uint32_t positive = values[positions[j]] >= 0;
        bits_put(codes, at + j, positive, 1);
        if (residual) {
            residual[positions[j]] -= positive ? sent : -sent;
        }
    }
    memcpy(values, codes, ternary_code_bytes(block->count, block->size));
    return 0;
}

static void ternary_decode(const struct codec_block *block, float *out)
{
    uint16_t positions[KEPT_MAX];
    uint32_t found = get_positions(&shape_ternary, block, positions);
    uint32_t at = values_at(&shape_ternary, block->count);
    memset(out, 0, block->count * sizeof *out);
    for (uint32_t j = 0; j < found; j++) {
        out[positions[j]] = bits_get(block->codes, at + j, 1) ? block->scale : -block->scale;
    }
}

static int ternary_check(const struct codec_block *block)
{
    return sparse_check(&shape_ternary, block);
}

const struct codec_ops codec_ops_ternary = {
    .name = "ternary",
    .block_log2 = 10,
    .has_scale = 1,
    .has_residual = 1,
    .code_bytes = ternary_code_bytes,
    .encode = ternary_encode,
    .decode = ternary_decode,
    .check = ternary_check,
};

static uint32_t topk_code_bytes(uint32_t count, uint32_t size)
{
    (void)size;
    return (used_bits(&shape_topk, count) + 7u) / 8u;
}

static int topk_encode(const struct codec_block *block, float *values, float *residual,
                       uint16_t *scale)
{
    (void)scale;
    uint16_t positions[KEPT_MAX];
    uint8_t codes[CODE_BYTES_MAX] = {0};
    uint32_t k = kept_count(&shape_topk, block->count);
    select_largest(values, block->count, k, positions);
    if (residual) {
        memcpy(residual, values, block->count * sizeof *residual);
    }
    put_positions(&shape_topk, block->count, positions, codes);
    uint32_t at = values_at(&shape_topk, block->count);
    for (uint32_t j = 0; j < k; j++) {
        uint16_t half = half_from_float(values[positions[j]]);
        bits_put(codes, at + 16u * j, half, 16);
        if (residual) {
            residual[positions[j]] -= half_to_float(half);
        }
    }
    memcpy(values, codes, topk_code_bytes(block->count, block->size));
    return 0;
}

static void topk_decode(const struct codec_block *block, float *out)
{
    uint16_t positions[KEPT_MAX];
    uint32_t found = get_positions(&shape_topk, block, positions);
    uint32_t at = values_at(&shape_topk, block->count);
    memset(out, 0, block->count * sizeof *out);
    for (uint32_t j = 0; j < found; j++) {
        out[positions[j]] = half_to_float((uint16_t)bits_get(block->codes, at + 16u * j, 16));
    }
}

static int topk_check(const struct codec_block *block)
{
    return sparse_check(&shape_topk, block);
}

const struct codec_ops codec_ops_topk = {
    .name = "topk",
    .block_log2 = 10,
    .has_residual = 1,
    .code_bytes = topk_code_bytes,
    .encode = topk_encode,
    .decode = topk_decode,
    .check = topk_check,
};
