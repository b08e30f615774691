/*
 * The gathering rules' loops for x86-64 with AVX2 and FMA; built with -mavx2 -mfma. Inner products are
 * written with intrinsics: twelve sums in registers, so that three loads feed four multiplications each.
 */
#include "server/engine/rules/robust.h"

#if ROBUST_HAS_X86
#define ROBUST_LANES 8u
#define ROBUST_NAME(name) robust_##name##_avx2
#include "server/engine/rules/robust_body.h"

#define ROWS_A 3u
#define ROWS_B 4u

static inline void gram_step(const float *const a[ROWS_A], const float *const b[ROWS_B], uint32_t k,
                             __m256i mask, __m256 sums[ROWS_A][ROWS_B])
{
    __m256 left[ROWS_A];
    for (uint32_t i = 0; i < ROWS_A; i++) {
        left[i] = _mm256_maskload_ps(a[i] + k, mask);
    }
    for (uint32_t j = 0; j < ROWS_B; j++) {
        __m256 right = _mm256_maskload_ps(b[j] + k, mask);
        for (uint32_t i = 0; i < ROWS_A; i++) {
            sums[i][j] = _mm256_fmadd_ps(left[i], right, sums[i][j]);
        }
    }
}

/* All products of ROWS_A by ROWS_B rows. */
static void gram_block(const float *const a[ROWS_A], const float *const b[ROWS_B], uint32_t count,
                       float products[ROWS_A][ROWS_B])
{
    __m256 sums[ROWS_A][ROWS_B];
    uint32_t whole = count - count % ROBUST_GRAM_LANES;
    for (uint32_t i = 0; i < ROWS_A; i++) {
        for (uint32_t j = 0; j < ROWS_B; j++) {
            sums[i][j] = _mm256_setzero_ps();
        }
    }
    for (uint32_t k = 0; k < whole; k += ROBUST_GRAM_LANES) {
        __m256 left[ROWS_A];
        for (uint32_t i = 0; i < ROWS_A; i++) {
            left[i] = _mm256_loadu_ps(a[i] + k);
        }
        for (uint32_t j = 0; j < ROWS_B; j++) {
            __m256 right = _mm256_loadu_ps(b[j] + k);
            for (uint32_t i = 0; i < ROWS_A; i++) {
                sums[i][j] = _mm256_fmadd_ps(left[i], right, sums[i][j]);
            }
        }
    }
    if (whole < count) {
        const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(count - whole)), lanes);
        gram_step(a, b, whole, mask, sums);
    }
    for (uint32_t i = 0; i < ROWS_A; i++) {
        for (uint32_t j = 0; j < ROWS_B; j++) {
            float lanes[ROBUST_GRAM_LANES];
            _mm256_storeu_ps(lanes, sums[i][j]);
            products[i][j] = robust_lanes_sum(lanes);
        }
    }
}

/* Rows row, row + 1, …, from coordinate `first`; beyond the last one that one again, whose products are not
 * used. */
static void rows_list(const float *const *rows, uint32_t n, uint32_t row, uint32_t first,
                      const float **list, uint32_t room)
{
    for (uint32_t i = 0; i < room; i++) {
        list[i] = rows[row + i < n ? row + i : n - 1u] + first;
    }
}

static void gram_chunk(const float *const *rows, uint32_t n, uint32_t first, uint32_t count,
                       double *matrix, uint32_t stride)
{
    for (uint32_t i = 0; i < n; i += ROWS_A) {
        for (uint32_t j = 0; j < i + ROWS_A && j < n; j += ROWS_B) {
            const float *a[ROWS_A], *b[ROWS_B];
            float products[ROWS_A][ROWS_B];
            rows_list(rows, n, i, first, a, ROWS_A);
            rows_list(rows, n, j, first, b, ROWS_B);
            gram_block(a, b, count, products);
            for (uint32_t r = 0; r < ROWS_A && i + r < n; r++) {
                for (uint32_t c = 0; c < ROWS_B && j + c <= i + r; c++) {
                    matrix[(size_t)(i + r) * stride + j + c] += (double)products[r][c];
                }
            }
        }
    }
}

void robust_gram_avx2(const float *const *rows, uint32_t n, uint32_t count, double *matrix,
                      uint32_t stride)
{
    for (uint32_t first = 0; first < count; first += ROBUST_GRAM_CHUNK) {
        uint32_t left = count - first;
        uint32_t chunk = left < ROBUST_GRAM_CHUNK ? left : ROBUST_GRAM_CHUNK;
        gram_chunk(rows, n, first, chunk, matrix, stride);
    }
}
#endif
