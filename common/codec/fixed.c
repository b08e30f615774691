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

/* Whether the frames' values are decoded into floats, in blocks that begin at the same places. */
static bool in_step(const struct codec_frame *const *frames, uint32_t rows)
{
    for (uint32_t r = 0; r < rows; r++) {
        if (is_plain(frames[r]) || frames[r]->block_log2 != frames[0]->block_log2 ||
            codec_ops_of((int)frames[r]->header.codec) == &codec_ops_int8) {
            return false;
        }
    }
    return rows > 1;
}

/* Block by block, so that what was decoded is still in the nearest cache when it is added. */
static void accumulate_in_step(const struct codec_frame *const *frames,
                               const struct kernel_term *terms, uint32_t rows, uint32_t first,
                               uint32_t count, int64_t *acc)
{
    float decoded[CODEC_ROWS_MAX][CODEC_BLOCK_PARAMS_MAX];
    while (count > 0) {
        const void *values[CODEC_ROWS_MAX] = {NULL};
        uint32_t take = count;
        for (uint32_t r = 0; r < rows; r++) {
            struct codec_block block = codec_frame_block(frames[r], first >> frames[r]->block_log2);
            uint32_t skip = first - block.first;
            take = block.count - skip < take ? block.count - skip : take;
            codec_ops_of((int)frames[r]->header.codec)->decode(&block, decoded[r]);
            values[r] = decoded[r] + skip;
        }
        kernel_accumulate_rows(values, terms, rows, take, acc);
        first += take;
        count -= take;
        acc += take;
    }
}

/* Those that are floats already together, the others each by itself. */
static void accumulate_apart(const struct codec_frame *const *frames,
                             const struct codec_term *terms, uint32_t rows, uint32_t first,
                             uint32_t count, int64_t *acc)
{
    const void *values[CODEC_ROWS_MAX] = {NULL};
    struct kernel_term scaled[CODEC_ROWS_MAX] = {{0}};
    uint32_t plain = 0;
    for (uint32_t r = 0; r < rows; r++) {
        if (is_plain(frames[r])) {
            values[plain] = frames[r]->codes + 4u * (size_t)first;
            scaled[plain++] = term_scale(&terms[r]);
        } else {
            codec_accumulate(frames[r], &terms[r], first, count, acc);
        }
    }
    kernel_accumulate_rows(values, scaled, plain, count, acc);
}

void codec_accumulate_rows(const struct codec_frame *const *frames, const struct codec_term *terms,
                           uint32_t rows, uint32_t first, uint32_t count, int64_t *acc)
{
    _Static_assert(CODEC_ROWS_MAX == KERNEL_ROWS_MAX, "rows are alike");
    struct kernel_term scaled[CODEC_ROWS_MAX];
    MYCEL_ASSERT(rows <= CODEC_ROWS_MAX);
    for (uint32_t r = 0; r < rows; r++) {
        uint32_t params = frames[r]->header.params;
        MYCEL_ASSERT(first <= params && count <= params - first);
        scaled[r] = term_scale(&terms[r]);
    }
    if (in_step(frames, rows)) {
        accumulate_in_step(frames, scaled, rows, first, count, acc);
    } else {
        accumulate_apart(frames, terms, rows, first, count, acc);
    }
}
