/*
 * Sign with error feedback: one bit a value and the block's mean magnitude. Biased by itself; the
 * residual brings back later what this frame left out (Karimireddy et al., ICML 2019).
 */
#include <math.h>
#include <mycel/error.h>

#include "common/bytes.h"
#include "common/codec/codec_ops.h"
#include "common/codec/half.h"
#include "common/codec/kernels.h"

static uint32_t sign_code_bytes(uint32_t count, uint32_t size)
{
    (void)size;
    return (count + 7u) / 8u;
}

static float mean_magnitude(const float *values, uint32_t count)
{
    float share = 1.0f / (float)count; /* inside the sum, so that it cannot overflow */
    float mean = 0;
    for (uint32_t i = 0; i < count; i++) {
        mean += fabsf(values[i]) * share;
    }
    return mean;
}

static int sign_encode(const struct codec_block *block, float *values, float *residual,
                       uint16_t *scale)
{
    float mean = mean_magnitude(values, block->count);
    if (!(mean <= HALF_MAX)) {
        return MYCEL_E_TOO_LARGE;
    }
    *scale = half_from_float(mean);
    float sent = half_to_float(*scale);

    uint8_t *codes = (uint8_t *)values;
    uint32_t code = 0;
    for (uint32_t i = 0; i < block->count; i++) {
        uint32_t positive = values[i] >= 0;
        if (residual) {
            residual[i] = values[i] - (positive ? sent : -sent);
        }
        code |= positive << (i % 8u);
        if (i % 8u == 7u || i + 1u == block->count) {
            codes[i / 8u] = (uint8_t)code;
            code = 0;
        }
    }
    return 0;
}

static void sign_decode(const struct codec_block *block, float *out)
{
    uint32_t words[CODEC_BLOCK_PARAMS_MAX / 32u];
    uint32_t whole = block->count - block->count % 32u;
    for (uint32_t i = 0; i < whole / 32u; i++) {
        words[i] = get_u32le(block->codes + 4u * i);
    }
    kernel_spread(out, block->scale, words, whole);
    for (uint32_t i = whole; i < block->count; i++) {
        uint32_t bit = block->codes[i / 8u] >> (i % 8u) & 1u;
        out[i] = bit ? block->scale : -block->scale;
    }
}

static int sign_check(const struct codec_block *block)
{
    uint32_t bytes = sign_code_bytes(block->count, block->size);
    return codec_padding_is_zero(block->codes, block->count, bytes) ? 0 : MYCEL_E_MALFORMED;
}

const struct codec_ops codec_ops_sign = {
    .name = "sign",
    .block_log2 = 10,
    .has_scale = 1,
    .has_residual = 1,
    .code_bytes = sign_code_bytes,
    .encode = sign_encode,
    .decode = sign_decode,
    .check = sign_check,
};
