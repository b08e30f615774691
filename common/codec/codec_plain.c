/* The codecs that store each value by itself: f32 as is, and f16 rounded to nearest. */
#include <string.h>

#include "common/bytes.h"
#include "common/codec/codec_ops.h"
#include "common/codec/half.h"

static uint32_t f32_code_bytes(uint32_t count, uint32_t size)
{
    (void)size;
    return 4u * count;
}

static int f32_encode(const struct codec_block *block, float *values, float *residual,
                      uint16_t *scale)
{
    (void)residual;
    (void)scale;
    uint8_t *codes = (uint8_t *)values;
    for (uint32_t i = 0; i < block->count; i++) {
        put_u32le(codes + 4u * i, float_bits(values[i]));
    }
    return 0;
}

static void f32_decode(const struct codec_block *block, float *out)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(out, block->codes, block->count * sizeof *out);
#else
    for (uint32_t i = 0; i < block->count; i++) {
        out[i] = float_from_bits(get_u32le(block->codes + 4u * i));
    }
#endif
}

const struct codec_ops codec_ops_f32 = {
    .name = "f32",
    .block_log2 = 10,
    .code_bytes = f32_code_bytes,
    .encode = f32_encode,
    .decode = f32_decode,
};

static uint32_t f16_code_bytes(uint32_t count, uint32_t size)
{
    (void)size;
    return 2u * count;
}

static int f16_encode(const struct codec_block *block, float *values, float *residual,
                      uint16_t *scale)
{
    (void)residual;
    (void)scale;
    uint8_t *codes = (uint8_t *)values;
    for (uint32_t i = 0; i < block->count; i++) {
        put_u16le(codes + 2u * i, half_from_float(values[i]));
    }
    return 0;
}

static void f16_decode(const struct codec_block *block, float *out)
{
    uint16_t
        halves[CODEC_BLOCK_PARAMS_MAX]; /* in the machine's order, so that the loop vectorises */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(halves, block->codes, 2u * block->count);
#else
    for (uint32_t i = 0; i < block->count; i++) {
        halves[i] = get_u16le(block->codes + 2u * i);
    }
#endif
    for (uint32_t i = 0; i < block->count; i++) {
        out[i] = half_to_float(halves[i]);
    }
}

const struct codec_ops codec_ops_f16 = {
    .name = "f16",
    .block_log2 = 10,
    .code_bytes = f16_code_bytes,
    .encode = f16_encode,
    .decode = f16_decode,
};
