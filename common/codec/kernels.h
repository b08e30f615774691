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

#define KERNEL_ROWS_MAX 4u

/*
 * X(result, name, parameters, arguments); those of KERNEL_WIDE_TABLE have a variant for AVX-512 as well:
 *
 * accumulate  acc[i] += (weight · round(multiplier · values[i])) << shift, to nearest, ties to even. Terms
 *             beyond ±2^30 give something, but nothing undefined. `values` are floats of any alignment.
 * accumulate_rows  The same for 1 … KERNEL_ROWS_MAX updates at once.
 * accumulate_int8  The same for the values scale · codes[i].
 * scan        Sum of squares in a fixed order (16 lanes, then halves), largest magnitude, and whether
 *             all are finite.
 * hadamard    x := H x in place, H the Walsh–Hadamard matrix; size a power of two from 8 to 1024.
 * negate      x[i] := −x[i] where bit i % 32 of words[i / 32] is clear; count a multiple of 32.
 * spread      x[i] := value where that bit is set, −value where it is clear.
 */
#define KERNEL_WIDE_TABLE(X)                                                                       \
    X(void, accumulate_rows,                                                                       \
      (const void *const *values, const struct kernel_term *terms, uint32_t rows, uint32_t count,  \
       int64_t *acc),                                                                              \
      (values, terms, rows, count, acc))                                                           \
    X(void, accumulate_int8,                                                                       \
      (const uint8_t *codes, float scale, const struct kernel_term *term, uint32_t count,          \
       int64_t *acc),                                                                              \
      (codes, scale, term, count, acc))                                                            \
    X(void, hadamard, (float *x, uint32_t size), (x, size))                                        \
    X(void, negate, (float *x, const uint32_t *words, uint32_t count), (x, words, count))          \
    X(void, spread, (float *x, float value, const uint32_t *words, uint32_t count),                \
      (x, value, words, count))

#define KERNEL_TABLE(X)                                                                            \
    X(void, accumulate,                                                                            \
      (const void *values, const struct kernel_term *term, uint32_t count, int64_t *acc),          \
      (values, term, count, acc))                                                                  \
    X(struct kernel_stats, scan, (const float *values, uint32_t count), (values, count))

#define KERNEL_DECLARE(result, name, parameters, arguments)                                        \
    result kernel_##name parameters;                                                               \
    result kernel_##name##_base parameters;                                                        \
    result kernel_##name##_avx2 parameters;
#define KERNEL_DECLARE_WIDE(result, name, parameters, arguments)                                   \
    KERNEL_DECLARE(result, name, parameters, arguments)                                            \
    result kernel_##name##_avx512 parameters;
KERNEL_TABLE(KERNEL_DECLARE)
KERNEL_WIDE_TABLE(KERNEL_DECLARE_WIDE)
#undef KERNEL_DECLARE
#undef KERNEL_DECLARE_WIDE

/* Whether this build has the other variants; whether this processor can run them. */
#if defined(__x86_64__)
#define KERNEL_HAS_X86 1
#define KERNEL_CAN_AVX2 __builtin_cpu_supports("avx2")
#define KERNEL_CAN_AVX512 (KERNEL_CAN_AVX2 && __builtin_cpu_supports("avx512f"))
#else
#define KERNEL_HAS_X86 0
#define KERNEL_CAN_AVX2 0
#define KERNEL_CAN_AVX512 0
#endif

#endif
