/*
 * DRIVE (1 bit) and EDEN (2 bits): a random rotation makes the coordinates of any block nearly normal,
 * each is replaced by the nearest centroid of a normal distribution, and one scale s = ‖y‖²/⟨q,y⟩ makes
 * the estimate unbiased over the seeds. Vargaftik et al., NeurIPS 2021 and ICML 2022.
 *
 * A last block that is not full is padded with zeros, and all of its rotated coordinates are sent:
 * each of them carries a part of every parameter.
 */
#include <math.h>
#include <mycel/error.h>

#include "common/bytes.h"
#include "common/codec/codec_ops.h"
#include "common/codec/half.h"
#include "common/codec/kernels.h"
#include "common/codec/rotation.h"

/* Centroids of the optimal 2-bit quantiser of N(0,1), and the border between them (Max 1960). */
#define EDEN2_INNER 0.45278f
#define EDEN2_OUTER 1.51042f
#define EDEN2_BORDER (0.5f * (EDEN2_INNER + EDEN2_OUTER))

struct rotated_sums {
    float square;    /* ‖y‖² */
    float magnitude; /* ‖y‖₁ */
};

/* Relative to the largest magnitude, so that neither tiny nor huge blocks leave f32's range. */
static struct rotated_sums sum_rotated(const float *y, uint32_t size, float unit)
{
    struct rotated_sums sums = {0, 0};
    for (uint32_t i = 0; i < size; i++) {
        float magnitude = fabsf(y[i]) / unit;
        sums.square += magnitude * magnitude;
        sums.magnitude += magnitude;
    }
    return sums;
}

static float max_magnitude(const float *y, uint32_t size)
{
    float max = 0;
    for (uint32_t i = 0; i < size; i++) {
        max = fabsf(y[i]) > max ? fabsf(y[i]) : max;
    }
    return max;
}

static int scale_store(float value, uint16_t *scale)
{
    if (!(value <= HALF_MAX)) {
        return MYCEL_E_TOO_LARGE;
    }
    *scale = half_from_float(value);
    return 0;
}

static uint32_t drive1_code_bytes(uint32_t count, uint32_t size)
{
    (void)count;
    return size / 8u;
}

static int drive1_encode(const struct codec_block *block, float *values, float *residual,
                         uint16_t *scale)
{
    (void)residual;
    rotation_apply(block, values);
    float unit = max_magnitude(values, block->size);
    *scale = 0;
    if (unit > 0) {
        struct rotated_sums sums = sum_rotated(values, block->size, unit);
        int error = scale_store(unit * (sums.square / sums.magnitude), scale);
        if (error) {
            return error;
        }
    }
    uint8_t *codes = (uint8_t *)values;
    for (uint32_t i = 0; i < block->size; i += 8u) {
        uint32_t code = 0;
        for (uint32_t j = 0; j < 8u; j++) {
            code |= (uint32_t)(values[i + j] >= 0) << j;
        }
        codes[i / 8u] = (uint8_t)code;
    }
    return 0;
}

static void drive1_decode(const struct codec_block *block, float *out)
{
    uint32_t words[ROTATION_SIZE / 32u];
    for (uint32_t i = 0; i < ROTATION_SIZE / 32u; i++) {
        words[i] = get_u32le(block->codes + 4u * i);
    }
    kernel_spread(out, block->scale * ROTATION_NORM, words, ROTATION_SIZE);
    rotation_revert(block, out);
}

/* Rotation keeps lengths: ‖s q‖² = s² B, and no value is longer than the whole. */
static struct codec_stats drive1_stats(const struct codec_block *block)
{
    float square = block->scale * block->scale * (float)block->size;
    return (struct codec_stats){.squared_norm = square, .max_abs = sqrtf(square)};
}

const struct codec_ops codec_ops_drive1 = {
    .name = "drive1",
    .block_log2 = 10,
    .has_scale = 1,
    .code_bytes = drive1_code_bytes,
    .encode = drive1_encode,
    .decode = drive1_decode,
    .stats = drive1_stats,
};

static uint32_t eden2_code_bytes(uint32_t count, uint32_t size)
{
    (void)count;
    return size / 4u;
}

/* Codes ascend with the centroid: −outer, −inner, inner, outer. */
static uint32_t eden2_code(float y, float border)
{
    uint32_t outer = fabsf(y) > border;
    return y >= 0 ? 2u + outer : 1u - outer;
}

static float eden2_centroid(uint32_t code)
{
    float magnitude = code == 0 || code == 3u ? EDEN2_OUTER : EDEN2_INNER;
    return code >= 2u ? magnitude : -magnitude;
}

static int eden2_scale(const float *y, uint32_t size, float *border, uint16_t *scale)
{
    float unit = max_magnitude(y, size);
    *scale = 0;
    *border = 0;
    if (!(unit > 0)) {
        return 0;
    }
    struct rotated_sums sums = sum_rotated(y, size, unit);
    *border = EDEN2_BORDER * unit * sqrtf(sums.square / (float)size);
    float product = 0; /* ⟨q, y⟩ */
    for (uint32_t i = 0; i < size; i++) {
        float magnitude = fabsf(y[i]);
        product += (magnitude > *border ? EDEN2_OUTER : EDEN2_INNER) * (magnitude / unit);
    }
    return scale_store(unit * (sums.square / product), scale);
}

static int eden2_encode(const struct codec_block *block, float *values, float *residual,
                        uint16_t *scale)
{
    (void)residual;
    rotation_apply(block, values);
    float border;
    int error = eden2_scale(values, block->size, &border, scale);
    if (error) {
        return error;
    }
    uint8_t *codes = (uint8_t *)values;
    for (uint32_t i = 0; i < block->size; i += 4u) {
        uint32_t code = 0;
        for (uint32_t j = 0; j < 4u; j++) {
            code |= eden2_code(values[i + j], border) << (2u * j);
        }
        codes[i / 4u] = (uint8_t)code;
    }
    return 0;
}

static void eden2_decode(const struct codec_block *block, float *out)
{
    float value[4];
    for (uint32_t code = 0; code < 4u; code++) {
        value[code] = block->scale * ROTATION_NORM * eden2_centroid(code);
    }
    for (uint32_t i = 0; i < block->size; i += 4u) {
        uint8_t code = block->codes[i / 4u];
        out[i] = value[code & 3u];
        out[i + 1u] = value[code >> 2 & 3u];
        out[i + 2u] = value[code >> 4 & 3u];
        out[i + 3u] = value[code >> 6];
    }
    rotation_revert(block, out);
}

/* How many of the even bits are set; no others may be. */
static uint32_t count_pairs(uint32_t bits)
{
    bits = (bits & 0x33333333u) + (bits >> 2 & 0x33333333u);
    bits = (bits + (bits >> 4)) & 0x0f0f0f0fu;
    return bits * 0x01010101u >> 24;
}

/* As drive1_stats, with the number of outer centroids counted: both bits of their code are equal. */
static struct codec_stats eden2_stats(const struct codec_block *block)
{
    uint32_t inner = 0;
    for (uint32_t i = 0; i < block->size / 16u; i++) {
        uint32_t codes = get_u32le(block->codes + 4u * i);
        inner += count_pairs((codes ^ codes >> 1) & 0x55555555u);
    }
    float square = (float)inner * (EDEN2_INNER * EDEN2_INNER) +
                   (float)(block->size - inner) * (EDEN2_OUTER * EDEN2_OUTER);
    square *= block->scale * block->scale;
    return (struct codec_stats){.squared_norm = square, .max_abs = sqrtf(square)};
}

const struct codec_ops codec_ops_eden2 = {
    .name = "eden2",
    .block_log2 = 10,
    .has_scale = 1,
    .code_bytes = eden2_code_bytes,
    .encode = eden2_encode,
    .decode = eden2_decode,
    .stats = eden2_stats,
};
