/*
 * Sums in int64 fixed point, and the arithmetic that keeps them from overflowing. The scaling of a term
 * is a function of that term alone; everything after it is integer and therefore exact.
 */
#include <math.h>
#include <stdbool.h>

#include <mycel/error.h>

#include "common/assert.h"
#include "common/codec/codec_ops.h"
#include "common/codec/half.h"
#include "common/codec/kernels.h"

#define VALUE_LIMIT_BITS 8 /* log2 of CODEC_VALUE_LIMIT */
#define SUM_BITS 62        /* |acc| stays below 2^62 */

int codec_frac_bits(uint32_t updates, uint32_t weight_max)
{
    MYCEL_ASSERT(updates > 0 && weight_max > 0 && weight_max <= CODEC_WEIGHT_MAX);
    uint64_t total = (uint64_t)updates * weight_max;
    int total_bits = 0;
    while (total_bits < 63 && (uint64_t)1 << total_bits < total) {
        total_bits++;
    }
    int bits = SUM_BITS - VALUE_LIMIT_BITS - total_bits;
    if (bits < CODEC_FRAC_BITS_MIN) {
        return MYCEL_E_TOO_LARGE;
    }
    return bits < CODEC_FRAC_BITS_MAX ? bits : CODEC_FRAC_BITS_MAX;
}

int codec_term_check(const struct codec_term *term)
{
    if (term->weight == 0 || term->weight > CODEC_WEIGHT_MAX) {
        return MYCEL_E_WEIGHT;
    }
    float largest = fabsf(term->gain) * term->max_abs;
    return largest < CODEC_VALUE_LIMIT && float_is_finite(term->gain) ? 0 : MYCEL_E_NORM;
}

/* A large term is rounded to 30 significant bits and shifted up afterwards, so that the kernel gets
 * by with 32-bit integers. f32 has 24 of them. */
static struct kernel_term term_scale(const struct codec_term *term)
{
    MYCEL_ASSERT(codec_term_check(term) == 0);
    MYCEL_ASSERT(term->frac_bits >= CODEC_FRAC_BITS_MIN && term->frac_bits <= CODEC_FRAC_BITS_MAX);
    float largest = fabsf(term->gain) * term->max_abs;
    int shift = 0;
    while (ldexpf(largest, term->frac_bits - shift) >= 0x1p30f) {
        shift++;
    }
    return (struct kernel_term){
        .multiplier = ldexpf(term->gain, term->frac_bits - shift),
        .weight = (int32_t)term->weight,
        .shift = shift,
    };
}

void codec_accumulate_values(const float *values, const struct codec_term *term, uint32_t count,
                             int64_t *acc)
{
    struct kernel_term scaled = term_scale(term);
    kernel_accumulate(values, &scaled, count, acc);
}

/* One piece of a block: skip … skip + count − 1 of its values. */
static void block_accumulate(const struct codec_ops *ops, const struct codec_block *block,
                             const struct kernel_term *term, uint32_t skip, uint32_t count,
                             int64_t *acc)
{
    if (ops == &codec_ops_int8) {
        kernel_accumulate_int8(block->codes + skip, block->scale, term, count, acc);
        return;
    }
    float values[CODEC_BLOCK_PARAMS_MAX];
    ops->decode(block, values);
    kernel_accumulate(values + skip, term, count, acc);
}

/* Codes that are the values, as floats of this machine. */
static bool is_plain(const struct codec_frame *frame)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ &&
           codec_ops_of((int)frame->header.codec) == &codec_ops_f32;
}

void codec_accumulate(const struct codec_frame *frame, const struct codec_term *term,
                      uint32_t first, uint32_t count, int64_t *acc)
{
    const struct codec_ops *ops = codec_ops_of((int)frame->header.codec);
    MYCEL_ASSERT(ops && first <= frame->header.params && count <= frame->header.params - first);
    struct kernel_term scaled = term_scale(term);
    if (is_plain(frame)) {
        kernel_accumulate(frame->codes + 4u * (size_t)first, &scaled, count, acc);
        return;
    }
    while (count > 0) {
        struct codec_block block = codec_frame_block(frame, first >> frame->block_log2);
        uint32_t skip = first - block.first;
        uint32_t take = block.count - skip < count ? block.count - skip : count;
        block_accumulate(ops, &block, &scaled, skip, take, acc);
        first += take;
        count -= take;
        acc += take;
    }
}

void codec_accumulate_rows(const struct codec_frame *const *frames, const struct codec_term *terms,
                           uint32_t rows, uint32_t first, uint32_t count, int64_t *acc)
{
    _Static_assert(CODEC_ROWS_MAX == KERNEL_ROWS_MAX, "rows are alike");
    const void *values[CODEC_ROWS_MAX];
    struct kernel_term scaled[CODEC_ROWS_MAX];
    uint32_t plain = 0;
    MYCEL_ASSERT(rows <= CODEC_ROWS_MAX);
    for (uint32_t r = 0; r < rows; r++) {
        const struct codec_frame *frame = frames[r];
        if (!is_plain(frame)) {
            codec_accumulate(frame, &terms[r], first, count, acc);
            continue;
        }
        MYCEL_ASSERT(first <= frame->header.params && count <= frame->header.params - first);
        values[plain] = frame->codes + 4u * (size_t)first;
        scaled[plain++] = term_scale(&terms[r]);
    }
    kernel_accumulate_rows(values, scaled, plain, count, acc);
}
