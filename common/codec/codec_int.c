/*
 * int8 and int4: per block one scale s = max|x| / q_max, rounded up to f16 so that nothing is clipped,
 * and codes floor(x/s + U), U uniform in [0,1): unbiased, as in QSGD (Alistarh et al., NeurIPS 2017).
 */
#include <mycel/error.h>

#include "common/codec/codec_ops.h"
#include "common/codec/half.h"
#include "common/rng.h"

static float max_magnitude(const float *values, uint32_t count)
{
    float max = 0;
    for (uint32_t i = 0; i < count; i++) {
        float magnitude = values[i] < 0 ? -values[i] : values[i];
        max = magnitude > max ? magnitude : max;
    }
    return max;
}

/* Replaces values by their integers, as floats. Four draws of 16 bits come from one random word. */
static void round_stochastic(const struct codec_block *block, float *values, float inverse,
                             int q_max)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < block->count; i++) {
        if (i % 4u == 0) { /* block->first is a multiple of 4 */
            bits = rng_u64(block->seed, RNG_STREAM_CODEC_ROUNDING, (block->first + i) / 4u);
        }
        float uniform = ((float)(bits & 0xffffu) + 0.5f) * (1.0f / 65536.0f);
        bits >>= 16;
        /* Made positive first, so that the conversion's truncation is the floor. */
        int q = (int)(values[i] * inverse + uniform + 256.0f) - 256;
        q = q > q_max ? q_max : q;
        values[i] = (float)(q < -q_max ? -q_max : q);
    }
}

static int quantise(const struct codec_block *block, float *values, int q_max, uint16_t *scale)
{
    *scale = half_from_float_up(max_magnitude(values, block->count) / (float)q_max);
    if (*scale == HALF_INFINITY) {
        return MYCEL_E_TOO_LARGE;
    }
    float step = half_to_float(*scale);
    round_stochastic(block, values, step > 0 ? 1.0f / step : 0, q_max);
    return 0;
}

static uint32_t int8_code_bytes(uint32_t count, uint32_t size)
{
    (void)size;
    return count;
}

static int int8_encode(const struct codec_block *block, float *values, float *residual,
                       uint16_t *scale)
{
    (void)residual;
    int error = quantise(block, values, 127, scale);
    if (error) {
        return error;
    }
    uint8_t *codes = (uint8_t *)values;
    for (uint32_t i = 0; i < block->count; i++) {
        codes[i] = (uint8_t)(int)values[i];
    }
    return 0;
}

static void int8_decode(const struct codec_block *block, float *out)
{
    const int8_t *codes = (const int8_t *)block->codes;
    for (uint32_t i = 0; i < block->count; i++) {
        out[i] = block->scale * (float)codes[i];
    }
}

/* In integers, which is exact: at most 1,024 squares of at most 2^14. */
static struct codec_stats int8_stats(const struct codec_block *block)
{
    const int8_t *codes = (const int8_t *)block->codes;
    int32_t squares = 0;
    int16_t largest =
        0; /* 16 bits are what the baseline's vector instructions multiply and compare */
    for (uint32_t i = 0; i < block->count; i++) {
        int16_t code = codes[i], magnitude = (int16_t)(code < 0 ? -code : code);
        squares += (int32_t)code * (int32_t)code;
        largest = magnitude > largest ? magnitude : largest;
    }
    return (struct codec_stats){
        .squared_norm = block->scale * block->scale * (float)squares,
        .max_abs = block->scale * (float)largest,
    };
}

const struct codec_ops codec_ops_int8 = {
    .name = "int8",
    .block_log2 = 8,
    .has_scale = 1,
    .code_bytes = int8_code_bytes,
    .encode = int8_encode,
    .decode = int8_decode,
    .stats = int8_stats,
};

static uint32_t int4_code_bytes(uint32_t count, uint32_t size)
{
    (void)size;
    return (count + 1u) / 2u;
}

static int int4_encode(const struct codec_block *block, float *values, float *residual,
                       uint16_t *scale)
{
    (void)residual;
    int error = quantise(block, values, 7, scale);
    if (error) {
        return error;
    }
    uint8_t *codes = (uint8_t *)values;
    for (uint32_t i = 0; i < block->count; i += 2u) {
        int low = (int)values[i];
        int high = i + 1u < block->count ? (int)values[i + 1u] : 0;
        codes[i / 2u] = (uint8_t)((low & 15) | (high & 15) << 4);
    }
    return 0;
}

static float int4_value(uint8_t nibble)
{
    return (float)((nibble & 15) ^ 8) - 8.0f;
}

static void int4_decode(const struct codec_block *block, float *out)
{
    uint32_t pairs = block->count / 2u;
    for (uint32_t i = 0; i < pairs; i++) {
        uint8_t code = block->codes[i];
        out[2u * i] = block->scale * int4_value(code);
        out[2u * i + 1u] = block->scale * int4_value((uint8_t)(code >> 4));
    }
    if (block->count % 2u) {
        out[block->count - 1u] = block->scale * int4_value(block->codes[pairs]);
    }
}

static int int4_check(const struct codec_block *block)
{
    uint32_t bytes = int4_code_bytes(block->count, block->size);
    return codec_padding_is_zero(block->codes, 4u * block->count, bytes) ? 0 : MYCEL_E_MALFORMED;
}

const struct codec_ops codec_ops_int4 = {
    .name = "int4",
    .block_log2 = 8,
    .has_scale = 1,
    .code_bytes = int4_code_bytes,
    .encode = int4_encode,
    .decode = int4_decode,
    .check = int4_check,
};
