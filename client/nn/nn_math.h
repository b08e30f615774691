/*
 * The few functions of one real variable that training needs, in f32 with plain products and sums,
 * so that they give the same bits everywhere and pull in no libm. Errors are a few units in the
 * last place; arguments outside the useful range saturate, NaN stays NaN.
 */
#ifndef MYCEL_NN_MATH_H
#define MYCEL_NN_MATH_H

#include <stdint.h>

static inline float nn_float_of(uint32_t bits)
{
    union {
        uint32_t bits;
        float value;
    } u = {.bits = bits};
    return u.value;
}

static inline uint32_t nn_bits_of(float value)
{
    union {
        float value;
        uint32_t bits;
    } u = {.value = value};
    return u.bits;
}

/* e^x; 1e-38 below -87, about 1.7e38 above 88. Polynomial: Cephes expf. */
static inline float nn_expf(float x)
{
    const float round = 12582912.0f; /* 1.5 x 2^23: integers land in the low bits */
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    float shifted = x * 1.44269504f + round;
    float k = shifted - round;
    x = x - k * 0.693359375f;
    x = x + k * 2.12194440e-4f;
    float y = 1.9875691500e-4f;
    y = y * x + 1.3981999507e-3f;
    y = y * x + 8.3334519073e-3f;
    y = y * x + 4.1665795894e-2f;
    y = y * x + 1.6666665459e-1f;
    y = y * x + 5.0000001201e-1f;
    y = y * (x * x) + x + 1.0f;
    return y * nn_float_of((nn_bits_of(shifted) - nn_bits_of(round) + 127u) << 23);
}

/* ln x for x > 0; -87.3 at 0 and below. Polynomial: Cephes logf. */
static inline float nn_logf(float x)
{
    if (!(x > 1.17549435e-38f)) {
        return x == x ? -87.3365479f : x;
    }
    uint32_t bits = nn_bits_of(x);
    int32_t exponent = (int32_t)(bits >> 23) - 126;
    float m = nn_float_of((bits & 0x007fffffu) | 0x3f000000u); /* 0.5 … 1 */
    if (m < 0.707106781f) {
        exponent--;
        m += m;
    }
    m -= 1.0f;
    float z = m * m;
    float y = 7.0376836292e-2f;
    y = y * m - 1.1514610310e-1f;
    y = y * m + 1.1676998740e-1f;
    y = y * m - 1.2420140846e-1f;
    y = y * m + 1.4249322787e-1f;
    y = y * m - 1.6668057665e-1f;
    y = y * m + 2.0000714765e-1f;
    y = y * m - 2.4999993993e-1f;
    y = y * m + 3.3333331174e-1f;
    y = y * m * z;
    float e = (float)exponent;
    y = y + e * -2.12194440e-4f;
    y = y - 0.5f * z;
    return (m + y) + e * 0.693359375f;
}

static inline float nn_sigmoidf(float x)
{
    return 1.0f / (1.0f + nn_expf(-x));
}

/* Near 0 the exponential form loses digits, so a short odd polynomial takes over (Cephes tanhf). */
static inline float nn_tanhf(float x)
{
    float size = x < 0.0f ? -x : x;
    if (size < 0.625f) {
        float z = x * x;
        float y = -5.70498872745e-3f;
        y = y * z + 2.06390887954e-2f;
        y = y * z - 5.37397155531e-2f;
        y = y * z + 1.33314422036e-1f;
        y = y * z - 3.33332819422e-1f;
        return y * z * x + x;
    }
    float y = 1.0f - 2.0f / (nn_expf(size + size) + 1.0f);
    return x < 0.0f ? -y : y;
}

/* cos(pi x) for 0 <= x <= 1, within 2e-7. Polynomial: Cephes cosf and sinf on a quarter turn. */
static inline float nn_cospif(float x)
{
    float t = (x <= 0.5f ? x : 1.0f - x) * 3.14159265f; /* 0 … pi/2 */
    float sign = x <= 0.5f ? 1.0f : -1.0f;
    if (t > 0.785398163f) {
        float s = 1.57079633f - t;
        float z = s * s;
        float y = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * s + s;
        return sign * y;
    }
    float z = t * t;
    float y = (2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f;
    return sign * (y * z * z - 0.5f * z + 1.0f);
}

static inline float nn_sqrtf(float x)
{
    return __builtin_sqrtf(x);
}

#endif
