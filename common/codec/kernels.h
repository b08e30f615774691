/*
 * The inner loops over decoded values that the coordinator spends its time in. One body, compiled once
 * for the baseline and once for each instruction set that pays; all of them give the same bits.
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

/* acc[i] += (weight · round(multiplier · values[i])) << shift, rounding to nearest, ties to even.
 * |multiplier · values[i]| ≤ 2^30; beyond that the result is unspecified, but defined. */
void kernel_accumulate(const float *values, const struct kernel_term *term, uint32_t count,
                       int64_t *acc);

/* Sum of squares in a fixed order (16 lanes, then halves), largest magnitude, and whether all are
 * finite. count ≤ CODEC_BLOCK_PARAMS_MAX. */
struct kernel_stats kernel_scan(const float *values, uint32_t count);

/* The variants behind the two functions above; which of them exist depends on the processor family. */
#define KERNEL_VARIANT(suffix)                                                                     \
    void kernel_accumulate_##suffix(const float *values, const struct kernel_term *term,           \
                                    uint32_t count, int64_t *acc);                                 \
    struct kernel_stats kernel_scan_##suffix(const float *values, uint32_t count)

KERNEL_VARIANT(base);
#if defined(__x86_64__)
#define KERNEL_HAS_AVX2 1
KERNEL_VARIANT(avx2);
#else
#define KERNEL_HAS_AVX2 0
#endif

#endif
