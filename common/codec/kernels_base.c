/* The kernels for whatever the compiler targets by default. */
#define KERNEL_NAME(name) kernel_##name##_base
#include "common/codec/kernels_body.h"

#define TERM_LIMIT 0x1p30f

static inline int32_t round_term(float x)
{
    /* Written so that a NaN ends at a limit instead of in an undefined conversion. */
    x = x > -TERM_LIMIT ? x : -TERM_LIMIT;
    x = x < TERM_LIMIT ? x : TERM_LIMIT;
    return (int32_t)rintf(x);
}

void kernel_accumulate_base(const void *values, const struct kernel_term *term, uint32_t count,
                            int64_t *acc)
{
    const uint8_t *bytes = values;
    float multiplier = term->multiplier;
    int64_t weight = (int64_t)term->weight * ((int64_t)1 << term->shift);
    for (uint32_t i = 0; i < count; i++) {
        float value;
        memcpy(&value, bytes + 4u * (size_t)i, sizeof value);
        acc[i] += round_term(value * multiplier) * weight;
    }
}

void kernel_accumulate_int8_base(const uint8_t *codes, float scale, const struct kernel_term *term,
                                 uint32_t count, int64_t *acc)
{
    float multiplier = term->multiplier;
    int64_t weight = (int64_t)term->weight * ((int64_t)1 << term->shift);
    for (uint32_t i = 0; i < count; i++) {
        float value = scale * (float)(int8_t)codes[i];
        acc[i] += round_term(value * multiplier) * weight;
    }
}
