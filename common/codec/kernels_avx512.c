/*
 * The sums and rotations for x86-64 with AVX-512; the build compiles this file with -mavx512f. Several updates at
 * once: a sum is loaded and stored once for four of them, and four streams from memory bring more than one. A
 * weight that does not fit 32 bits with its shift is left to the AVX2 kernels, which shift afterwards. A transform of
 * 1,024 goes through memory twice: all its strides below 128 are done in eight registers, and all above in eight others.
 */
#include "common/codec/kernels.h"

#if KERNEL_HAS_X86
#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>

#define LANES 16u
#define ROWS KERNEL_ROWS_MAX
#define PREFETCH_BYTES 2048 /* enough to cross into the next page in time */

struct factors {
    __m512 multiplier;
    __m512i weight;
};

static bool fits(const struct kernel_term *term)
{
    return (int64_t)term->weight * ((int64_t)1 << term->shift) <= INT32_MAX;
}

static inline struct factors factors_of(const struct kernel_term *term)
{
    return (struct factors){_mm512_set1_ps(term->multiplier),
                            _mm512_set1_epi64((int64_t)term->weight << term->shift)};
}

/* Products of the even lanes of q, and of the odd ones. */
static inline __m512i even_products(__m512i q, __m512i weight)
{
    return _mm512_mul_epi32(q, weight);
}

static inline __m512i odd_products(__m512i q, __m512i weight)
{
    return _mm512_mul_epi32(_mm512_srli_epi64(q, 32), weight);
}

/* Adds 16 sums that stand in even and odd order. */
static inline void add_to(int64_t *acc, __m512i even, __m512i odd)
{
    const __m512i low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    __m512i first = _mm512_loadu_si512(acc), second = _mm512_loadu_si512(acc + 8);
    first = _mm512_add_epi64(first, _mm512_permutex2var_epi64(even, low, odd));
    second = _mm512_add_epi64(second, _mm512_permutex2var_epi64(even, high, odd));
    _mm512_storeu_si512(acc, first);
    _mm512_storeu_si512(acc + 8, second);
}

/* Four updates; `count` is a multiple of LANES. */
static void four(const void *const *values, const struct kernel_term *terms, uint32_t count,
                 int64_t *acc)
{
    struct factors f[ROWS];
    for (uint32_t r = 0; r < ROWS; r++) {
        f[r] = factors_of(&terms[r]);
    }
    for (uint32_t i = 0; i < count; i += LANES) {
        __m512i even = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
        for (uint32_t r = 0; r < ROWS; r++) {
            const char *at = (const char *)values[r] + 4u * (size_t)i;
            _mm_prefetch(at + PREFETCH_BYTES, _MM_HINT_T0);
            __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(at), f[r].multiplier));
            even = _mm512_add_epi64(even, even_products(q, f[r].weight));
            odd = _mm512_add_epi64(odd, odd_products(q, f[r].weight));
        }
        add_to(acc + i, even, odd);
    }
}

void kernel_accumulate_rows_avx512(const void *const *values, const struct kernel_term *terms,
                                   uint32_t rows, uint32_t count, int64_t *acc)
{
    uint32_t whole = 0;
    if (rows == ROWS && fits(&terms[0]) && fits(&terms[1]) && fits(&terms[2]) && fits(&terms[3])) {
        whole = count - count % LANES;
        four(values, terms, whole, acc);
    }
    for (uint32_t r = 0; r < rows && whole < count; r++) {
        const uint8_t *rest = (const uint8_t *)values[r] + 4u * (size_t)whole;
        kernel_accumulate_avx2(rest, &terms[r], count - whole, acc + whole);
    }
}

void kernel_accumulate_int8_avx512(const uint8_t *codes, float scale,
                                   const struct kernel_term *term, uint32_t count, int64_t *acc)
{
    const __m512 step = _mm512_set1_ps(scale);
    const struct factors f = factors_of(term);
    uint32_t whole = fits(term) ? count - count % LANES : 0;
    for (uint32_t i = 0; i < whole; i += LANES) {
        __m128i sixteen = _mm_loadu_si128((const __m128i *)(const void *)(codes + i));
        __m512 x = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(sixteen)), step);
        __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(x, f.multiplier));
        add_to(acc + i, even_products(q, f.weight), odd_products(q, f.weight));
    }
    kernel_accumulate_int8_avx2(codes + whole, scale, term, count - whole, acc + whole);
}

/* --- rotations ---------------------------------------------------------------------------------- */

#define HADAMARD_SIZE 1024u
#define GROUP 8u /* vectors that are in registers together */

/* Sum where the stride's bit of the lane is clear, difference where it is set. */
static inline __m512 butterfly(__m512 v, __m512 partner, __mmask16 set)
{
    return _mm512_mask_sub_ps(_mm512_add_ps(v, partner), set, partner, v);
}

/* Strides 1, 2, 4 and 8: within a vector. */
static inline __m512 within(__m512 v)
{
    v = butterfly(v, _mm512_permute_ps(v, 0xB1), 0xAAAA);
    v = butterfly(v, _mm512_permute_ps(v, 0x4E), 0xCCCC);
    v = butterfly(v, _mm512_shuffle_f32x4(v, v, 0xB1), 0xF0F0);
    return butterfly(v, _mm512_shuffle_f32x4(v, v, 0x4E), 0xFF00);
}

static inline void pair(__m512 *low, __m512 *high)
{
    __m512 sum = _mm512_add_ps(*low, *high);
    *high = _mm512_sub_ps(*low, *high);
    *low = sum;
}

/* Three strides over eight vectors that lie `stride` floats apart. */
static inline void across(float *x, uint32_t stride, bool inner)
{
    __m512 v[GROUP];
    for (uint32_t i = 0; i < GROUP; i++) {
        v[i] = _mm512_loadu_ps(x + i * stride);
        v[i] = inner ? within(v[i]) : v[i];
    }
    for (uint32_t step = 1; step < GROUP; step *= 2u) {
        for (uint32_t i = 0; i < GROUP; i++) {
            if ((i & step) == 0) {
                pair(&v[i], &v[i + step]);
            }
        }
    }
    for (uint32_t i = 0; i < GROUP; i++) {
        _mm512_storeu_ps(x + i * stride, v[i]);
    }
}

void kernel_hadamard_avx512(float *x, uint32_t size)
{
    if (size != HADAMARD_SIZE) {
        kernel_hadamard_avx2(x, size);
        return;
    }
    for (uint32_t i = 0; i < HADAMARD_SIZE; i += GROUP * LANES) {
        across(x + i, LANES, true);
    }
    for (uint32_t i = 0; i < GROUP * LANES; i += LANES) {
        across(x + i, GROUP * LANES, false);
    }
}

/* Bits i … i + 15 of the words. */
static inline __mmask16 lanes_of(const uint32_t *words, uint32_t i)
{
    return (__mmask16)(words[i / 32u] >> i % 32u);
}

void kernel_negate_avx512(float *x, const uint32_t *words, uint32_t count)
{
    const __m512i sign = _mm512_set1_epi32(INT32_MIN);
    for (uint32_t i = 0; i < count; i += LANES) {
        __m512i v = _mm512_loadu_si512(x + i);
        __mmask16 clear = (__mmask16)~lanes_of(words, i);
        _mm512_storeu_si512(x + i, _mm512_mask_xor_epi32(v, clear, v, sign));
    }
}

void kernel_spread_avx512(float *x, float value, const uint32_t *words, uint32_t count)
{
    const __m512 set = _mm512_set1_ps(value), clear = _mm512_set1_ps(-value);
    for (uint32_t i = 0; i < count; i += LANES) {
        _mm512_storeu_ps(x + i, _mm512_mask_blend_ps(lanes_of(words, i), clear, set));
    }
}
#endif
