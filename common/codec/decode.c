/*
 * Decoding in tiles of any place and size, and the verifier's look at every value. It trusts only
 * what codec_open checked: the frame's length.
 */
#include <mycel/error.h>
#include <string.h>

#include "common/assert.h"
#include "common/bytes.h"
#include "common/codec/codec_ops.h"
#include "common/codec/half.h"
#include "common/codec/kernels.h"

void codec_decode(const struct codec_frame *frame, uint32_t first, uint32_t count, float *out)
{
    const struct codec_ops *ops = codec_ops_of((int)frame->header.codec);
    MYCEL_ASSERT(ops && first <= frame->header.params && count <= frame->header.params - first);
    while (count > 0) {
        struct codec_block block = codec_frame_block(frame, first >> frame->block_log2);
        uint32_t skip = first - block.first;
        uint32_t take = block.count - skip < count ? block.count - skip : count;
        if (take == block.size) {
            ops->decode(&block, out);
        } else {
            float whole[CODEC_BLOCK_PARAMS_MAX];
            ops->decode(&block, whole);
            memcpy(out, whole + skip, take * sizeof *out);
        }
        first += take;
        count -= take;
        out += take;
    }
}

const float *codec_values(const struct codec_frame *frame, uint32_t first)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (frame->header.codec == CODEC_F32 && (uintptr_t)frame->codes % _Alignof(float) == 0) {
        return (const float *)(const void *)frame->codes + first;
    }
#endif
    (void)frame;
    (void)first;
    return NULL;
}

/* Neither negative nor non-finite: no encoder writes such a scale. */
static int scales_check(const struct codec_frame *frame)
{
    for (uint32_t i = 0; frame->scales && i < frame->blocks; i++) {
        uint16_t scale = get_u16le(frame->scales + 2u * i);
        if ((scale & HALF_INFINITY) == HALF_INFINITY) {
            return MYCEL_E_NONFINITE;
        }
        if (scale & 0x8000u) {
            return MYCEL_E_MALFORMED;
        }
    }
    return 0;
}

/* A sum of many terms with the lost low part carried along (Kahan 1965). */
struct careful_sum {
    float sum, lost;
};

static void careful_add(struct careful_sum *total, float term)
{
    float corrected = term - total->lost;
    float sum = total->sum + corrected;
    total->lost = (sum - total->sum) - corrected;
    total->sum = sum;
}

static int block_scan(const struct codec_ops *ops, const struct codec_block *block,
                      struct codec_stats *stats)
{
    if (ops->stats && block->count == block->size) {
        *stats = ops->stats(block);
        return 0;
    }
    float values[CODEC_BLOCK_PARAMS_MAX];
    int error = ops->check ? ops->check(block) : 0;
    if (error) {
        return error;
    }
    ops->decode(block, values);
    struct kernel_stats seen = kernel_scan(values, block->count);
    *stats = (struct codec_stats){.squared_norm = seen.squares, .max_abs = seen.max_abs};
    return seen.finite ? 0 : MYCEL_E_NONFINITE;
}

int codec_scan(const struct codec_frame *frame, struct codec_stats *stats)
{
    const struct codec_ops *ops = codec_ops_of((int)frame->header.codec);
    MYCEL_ASSERT(ops);
    struct careful_sum squares = {0, 0};
    float max_abs = 0;
    int error = scales_check(frame);
    for (uint32_t i = 0; i < frame->blocks && !error; i++) {
        struct codec_block block = codec_frame_block(frame, i);
        struct codec_stats part;
        error = block_scan(ops, &block, &part);
        if (!error) {
            careful_add(&squares, part.squared_norm);
            max_abs = part.max_abs > max_abs ? part.max_abs : max_abs;
        }
    }
    if (error) {
        return error;
    }
    if (!float_is_finite(squares.sum)) {
        return MYCEL_E_NORM;
    }
    *stats = (struct codec_stats){.squared_norm = squares.sum, .max_abs = max_abs};
    return 0;
}
