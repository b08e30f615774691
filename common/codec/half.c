/* Rounding f32 to half precision (see half.h). Pure integer arithmetic, no tables. */
#include "common/codec/half.h"

/* Splits |x| into the half's truncated bits and what was cut off, of `*cut_bits` bits. */
static uint32_t half_truncate(uint32_t magnitude, uint32_t *cut, uint32_t *cut_bits)
{
    uint32_t exponent = magnitude >> 23;
    if (exponent >= 113) { /* normal in half precision */
        *cut_bits = 13;
        *cut = magnitude & 0x1fffu;
        return (magnitude - (112u << 23)) >> 13;
    }
    /* Subnormal: the implicit one becomes visible. Below half of the smallest, all is cut. */
    uint32_t shift = 126u - exponent;
    uint32_t mantissa = (magnitude & 0x7fffffu) | (exponent ? 0x800000u : 0);
    if (shift > 25) {
        *cut_bits = 25;
        *cut = mantissa ? 1 : 0;
        return 0;
    }
    *cut_bits = shift;
    *cut = mantissa & ((1u << shift) - 1u);
    return mantissa >> shift;
}

uint16_t half_from_float(float x)
{
    uint32_t sign = float_bits(x) >> 16 & 0x8000u;
    uint32_t magnitude = float_bits(x) & 0x7fffffffu;
    if (magnitude >= 0x477fe000u) { /* HALF_MAX */
        return (uint16_t)(sign | 0x7bffu);
    }
    uint32_t cut, cut_bits;
    uint32_t half = half_truncate(magnitude, &cut, &cut_bits);
    uint32_t tie = 1u << (cut_bits - 1u);
    half += cut > tie || (cut == tie && (half & 1u));
    return (uint16_t)(sign | (half > 0x7bffu ? 0x7bffu : half));
}

uint16_t half_from_float_up(float x)
{
    uint32_t magnitude = float_bits(x) & 0x7fffffffu;
    if (magnitude > 0x477fe000u) {
        return HALF_INFINITY;
    }
    uint32_t cut, cut_bits;
    uint32_t half = half_truncate(magnitude, &cut, &cut_bits);
    return (uint16_t)(half + (cut != 0));
}
