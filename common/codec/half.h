/*
 * IEEE 754 half precision in software, so that every machine gives the same bits. Conversions only.
 */
#ifndef MYCEL_COMMON_CODEC_HALF_H
#define MYCEL_COMMON_CODEC_HALF_H

#include <stdint.h>
#include <string.h>

#define HALF_MAX 65504.0f
#define HALF_INFINITY 0x7c00u

static inline uint32_t float_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float float_from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline int float_is_finite(float x)
{
    return (float_bits(x) & 0x7f800000u) != 0x7f800000u;
}

/* Exact. Infinities and NaNs stay what they are. Without branches, so that loops vectorise. */
static inline float half_to_float(uint16_t half)
{
    uint32_t magnitude = (uint32_t)(half & 0x7fffu) << 13;
    uint32_t special = (half & HALF_INFINITY) == HALF_INFINITY ? 0x7f800000u : 0;
    /* 2^112 is the difference of the two exponent biases; it also normalises subnormals. */
    uint32_t scaled = float_bits(float_from_bits(magnitude) * 0x1p112f);
    return float_from_bits(scaled | special | (uint32_t)(half & 0x8000u) << 16);
}

/* Nearest, ties to even. `x` must be finite; beyond ±HALF_MAX the result is ±HALF_MAX. */
uint16_t half_from_float(float x);

/* The smallest half that is not below `x`, for a finite x ≥ 0; HALF_INFINITY beyond HALF_MAX. */
uint16_t half_from_float_up(float x);

#endif
