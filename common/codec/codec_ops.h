/*
 * What one codec is, for the files of this folder: a const struct of sizes and functions on single
 * blocks. The driver (encode.c, decode.c) owns bounds, order and the frame; a codec owns only how
 * one block of values becomes one scale and a fixed number of code bytes.
 */
#ifndef MYCEL_COMMON_CODEC_CODEC_OPS_H
#define MYCEL_COMMON_CODEC_CODEC_OPS_H

#include "common/codec/codec.h"

/* Streams of common/rng.h that belong to the codecs. */
#define RNG_STREAM_CODEC_ROUNDING 0xC0DEC001u
#define RNG_STREAM_CODEC_ROTATION 0xC0DEC002u

/* One block of a frame. */
struct codec_block {
    uint32_t seed;
    uint32_t index;       /* of the block */
    uint32_t first;       /* its first parameter */
    uint32_t count;       /* parameters in it, ≥ 1 */
    uint32_t size;        /* parameters in a full block, a power of two */
    float scale;          /* decoding only */
    const uint8_t *codes; /* decoding only: exactly code_bytes() */
};

struct codec_ops {
    const char *name;
    uint8_t block_log2;
    uint8_t has_scale;
    uint8_t has_residual;

    /* Bytes of codes of a block of `count` parameters out of `size`. */
    uint32_t (*code_bytes)(uint32_t count, uint32_t size);

    /* Encodes values[0 … count − 1], all finite. Leaves the codes at the start of the same memory
     * (codes are never wider than values, so they follow behind the reading), and the f16 scale in
     * *scale. With a residual, subtracts what the codes say from the values and stores the rest
     * there. 0, or MYCEL_E_TOO_LARGE before anything but `values` was changed. */
    int (*encode)(const struct codec_block *block, float *values, float *residual, uint16_t *scale);

    /* Decodes all of the block to out[0 … count − 1]; `out` has room for `size` floats. */
    void (*decode)(const struct codec_block *block, float *out);

    /* NULL, or a way to know a full block's statistics without decoding it, max_abs from above. */
    struct codec_stats (*stats)(const struct codec_block *block);

    /* NULL, or: 0 if an encoder could have written these codes, else MYCEL_E_MALFORMED. */
    int (*check)(const struct codec_block *block);
};

extern const struct codec_ops codec_ops_f32, codec_ops_f16, codec_ops_int8, codec_ops_int4,
    codec_ops_eden2, codec_ops_drive1, codec_ops_sign, codec_ops_ternary, codec_ops_topk;

/* The codec's struct, or NULL for a number that is no codec. */
const struct codec_ops *codec_ops_of(int codec);

/* Fills in everything but scale and codes. */
struct codec_block codec_block_at(uint32_t params, uint32_t block_log2, uint32_t index,
                                  uint32_t seed);

/* Blocks of 2^block_log2 parameters in `params`. */
uint32_t codec_block_count(uint32_t params, uint32_t block_log2);

/* log2 of the codec's block size for that many parameters. */
uint32_t codec_block_log2(const struct codec_ops *ops, uint32_t params);

/* The block with its scale and codes, ready to decode. */
struct codec_block codec_frame_block(const struct codec_frame *frame, uint32_t index);

/* True if no bit at or above `used` is set in bytes[0 … total − 1]: padding is always zero. */
int codec_padding_is_zero(const uint8_t *bytes, uint32_t used_bits, uint32_t total_bytes);

#endif
