/*
 * The inner loops that the coordinator spends its time in. One body, compiled once for the baseline and
 * once for each instruction set that pays; all of them give the same bits. Asking the processor on each
 * call is a load and a test, so there is no state to initialise.
 */
#ifndef MYCEL_COMMON_CODEC_KERNELS_H
#define MYCEL_COMMON_CODEC_KERNELS_H

#include <stdint.h>

struct kernel_term {
    float multiplier; /* gain · 2^(frac_bits − shift) */
    int32_t weight;
    int shift;
};

struct kernel_stats {
    float squares;
    float max_abs;
    int finite;
};

/*
 * X(result, name, parameters, arguments):
 *
 * accumulate  acc[i] += (weight · round(multiplier · values[i])) << shift, to nearest, ties to even. Terms
 *             beyond ±2^30 give something, but nothing undefined. `values` are floats of any alignment.
 * accumulate_int8  The same for the values scale · codes[i].
 * scan        Sum of squares in a fixed order (16 lanes, then halves), largest magnitude, and whether
 *             all are finite.
 * hadamard    x := H x in place, H the Walsh–Hadamard matrix; size a power of two from 8 to 1024.
 * negate      x[i] := −x[i] where bit i % 32 of words[i / 32] is clear; count a multiple of 32.
 * spread      x[i] := value where that bit is set, −value where it is clear.
 */
#define KERNEL_TABLE(X)                                                                            \
    X(void, accumulate,                                                                            \
      (const void *values, const struct kernel_term *term, uint32_t count, int64_t *acc),          \
      (values, term, count, acc))                                                                  \
    X(void, accumulate_int8,                                                                       \
      (const uint8_t *codes, float scale, const struct kernel_term *term, uint32_t count,          \
       int64_t *acc),                                                                              \
      (codes, scale, term, count, acc))                                                            \
    X(struct kernel_stats, scan, (const float *values, uint32_t count), (values, count))           \
    X(void, hadamard, (float *x, uint32_t size), (x, size))                                        \
    X(void, negate, (float *x, const uint32_t *words, uint32_t count), (x, words, count))          \
    X(void, spread, (float *x, float value, const uint32_t *words, uint32_t count),                \
      (x, value, words, count))

#define KERNEL_DECLARE(result, name, parameters, arguments)                                        \
    result kernel_##name parameters;                                                               \
    result kernel_##name##_base parameters;                                                        \
    result kernel_##name##_avx2 parameters;
KERNEL_TABLE(KERNEL_DECLARE)
#undef KERNEL_DECLARE

/* Whether this build has the second variant; whether this processor can run it. */
#if defined(__x86_64__)
#define KERNEL_HAS_AVX2 1
#define KERNEL_CAN_AVX2 __builtin_cpu_supports("avx2")
#else
#define KERNEL_HAS_AVX2 0
#define KERNEL_CAN_AVX2 0
#endif

#endif
