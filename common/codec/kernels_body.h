/*
 * The body of the kernels, included by one file per instruction set with KERNEL_NAME(name) defined.
 * Plain loops: the compiler's vectoriser does the rest. No reassociation of float sums, no fused
 * multiply-add, so that every instruction set gives the same bits.
 */
#include <math.h>

#include "common/codec/half.h"
#include "common/codec/kernels.h"

#define LANES 16u
#define TERM_LIMIT 0x1p30f

static inline int32_t round_term(float x)
{
    /* Written so that a NaN ends at a limit instead of in an undefined conversion. */
    x = x > -TERM_LIMIT ? x : -TERM_LIMIT;
    x = x < TERM_LIMIT ? x : TERM_LIMIT;
    return (int32_t)rintf(x);
}

void KERNEL_NAME(accumulate)(const float *restrict values, const struct kernel_term *term,
                             uint32_t count, int64_t *restrict acc)
{
    float multiplier = term->multiplier;
    int64_t weight = term->weight;
    if (term->shift == 0) {
        for (uint32_t i = 0; i < count; i++) {
            acc[i] += (int64_t)round_term(values[i] * multiplier) * (int32_t)weight;
        }
        return;
    }
    int64_t unit = (int64_t)1 << term->shift;
    for (uint32_t i = 0; i < count; i++) {
        acc[i] += (int64_t)round_term(values[i] * multiplier) * weight * unit;
    }
}

struct kernel_stats KERNEL_NAME(scan)(const float *values, uint32_t count)
{
    float squares[LANES] = {0};
    uint32_t largest[LANES] = {0}; /* bits of |x|, which order like |x|, infinity and NaN on top */
    uint32_t whole = count - count % LANES;
    for (uint32_t i = 0; i < whole; i += LANES) {
        for (uint32_t j = 0; j < LANES; j++) {
            uint32_t bits = float_bits(values[i + j]) & 0x7fffffffu;
            squares[j] += values[i + j] * values[i + j];
            largest[j] = bits > largest[j] ? bits : largest[j];
        }
    }
    for (uint32_t i = whole; i < count; i++) {
        uint32_t bits = float_bits(values[i]) & 0x7fffffffu;
        squares[i - whole] += values[i] * values[i];
        largest[i - whole] = bits > largest[i - whole] ? bits : largest[i - whole];
    }
    for (uint32_t half = LANES / 2u; half > 0; half /= 2u) {
        for (uint32_t j = 0; j < half; j++) {
            squares[j] += squares[j + half];
            largest[j] = largest[j] > largest[j + half] ? largest[j] : largest[j + half];
        }
    }
    return (struct kernel_stats){
        .squares = squares[0],
        .max_abs = float_from_bits(largest[0]),
        .finite = largest[0] < 0x7f800000u,
    };
}
