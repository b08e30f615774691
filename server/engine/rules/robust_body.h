/*
 * Trimmed mean and median by a sorting network over the columns, included once for each instruction set
 * with ROBUST_NAME(name) and ROBUST_LANES defined. A vector holds the same row of ROBUST_LANES
 * neighbouring coordinates, so that one minimum and one maximum put two rows of all of them in order, and
 * the order of operations does not depend on the values: every width gives the same bits.
 *
 * Blocks of 16 rows are sorted in registers and then merged in pairs (Batcher's bitonic merge, AFIPS 1968).
 * The last merge does only what it takes to know which rows are dropped; it leaves those that stay in no
 * particular order.
 */
#include <string.h>

#include "common/assert.h"
#include "server/engine/rules/robust.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#define BLOCK ROBUST_BLOCK

typedef float vec __attribute__((vector_size(ROBUST_LANES * sizeof(float)), may_alias));
typedef int32_t bits __attribute__((vector_size(ROBUST_LANES * sizeof(float)), may_alias));

/* Puts two rows in ascending order, lane by lane. There is no NaN and no −0 among them. */
static inline void sort_pair(vec *low, vec *high)
{
    vec a = *low, b = *high;
#if defined(__AVX512F__)
    *low = (vec)_mm512_min_ps((__m512)a, (__m512)b);
    *high = (vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    *low = (vec)_mm256_min_ps((__m256)a, (__m256)b);
    *high = (vec)_mm256_max_ps((__m256)a, (__m256)b);
#else
    bits less = a < b;
    *low = (vec)(((bits)a & less) | ((bits)b & ~less));
    *high = (vec)(((bits)b & less) | ((bits)a & ~less));
#endif
}

/* ---- blocks --------------------------------------------------------------------------------- */

#define PAIR(i, j) sort_pair(&r[i], &r[j])

/* The shortest network known for 16: 60 pairs (Green 1969; Knuth, volume 3, section 5.3.4). */
static inline void block_sort(vec r[BLOCK])
{
    PAIR(0, 13), PAIR(1, 12), PAIR(2, 15), PAIR(3, 14), PAIR(4, 8), PAIR(5, 6), PAIR(7, 11);
    PAIR(9, 10), PAIR(0, 5), PAIR(1, 7), PAIR(2, 9), PAIR(3, 4), PAIR(6, 13), PAIR(8, 14);
    PAIR(10, 15), PAIR(11, 12), PAIR(0, 1), PAIR(2, 3), PAIR(4, 5), PAIR(6, 8), PAIR(7, 9);
    PAIR(10, 11), PAIR(12, 13), PAIR(14, 15), PAIR(0, 2), PAIR(1, 3), PAIR(4, 10), PAIR(5, 11);
    PAIR(6, 7), PAIR(8, 9), PAIR(12, 14), PAIR(13, 15), PAIR(1, 2), PAIR(3, 12), PAIR(4, 6);
    PAIR(5, 7), PAIR(8, 10), PAIR(9, 11), PAIR(13, 14), PAIR(1, 4), PAIR(2, 6), PAIR(5, 8);
    PAIR(7, 10), PAIR(9, 13), PAIR(11, 14), PAIR(2, 4), PAIR(3, 6), PAIR(9, 12), PAIR(11, 13);
    PAIR(3, 5), PAIR(6, 8), PAIR(7, 9), PAIR(10, 12), PAIR(3, 4), PAIR(5, 6), PAIR(7, 8);
    PAIR(9, 10), PAIR(11, 12), PAIR(6, 7), PAIR(8, 9);
}

/* Sorts a block that is bitonic: the last four steps of a merge. */
static void block_merge(vec *block)
{
    vec r[BLOCK];
    memcpy(r, block, sizeof r);
    PAIR(0, 8), PAIR(1, 9), PAIR(2, 10), PAIR(3, 11), PAIR(4, 12), PAIR(5, 13), PAIR(6, 14);
    PAIR(7, 15), PAIR(0, 4), PAIR(1, 5), PAIR(2, 6), PAIR(3, 7), PAIR(8, 12), PAIR(9, 13);
    PAIR(10, 14), PAIR(11, 15), PAIR(0, 2), PAIR(1, 3), PAIR(4, 6), PAIR(5, 7), PAIR(8, 10);
    PAIR(9, 11), PAIR(12, 14), PAIR(13, 15), PAIR(0, 1), PAIR(2, 3), PAIR(4, 5), PAIR(6, 7);
    PAIR(8, 9), PAIR(10, 11), PAIR(12, 13), PAIR(14, 15);
    memcpy(block, r, sizeof r);
}

/* ROBUST_LANES columns of 16 rows of the input, sorted. −0 becomes +0: the two must not depend on their order. */
static void block_load(const float *const *rows, uint32_t first, vec *block)
{
    vec r[BLOCK];
    for (uint32_t i = 0; i < BLOCK; i++) {
        memcpy(&r[i], rows[i] + first, sizeof r[i]);
        r[i] += 0.0f;
    }
    block_sort(r);
    memcpy(block, r, sizeof r);
}

/* The same where rows or columns are missing; +∞ stands for the rows. */
static void part_load(const float *const *rows, uint32_t n, uint32_t first, uint32_t width,
                      vec *block)
{
    vec r[BLOCK];
    for (uint32_t i = 0; i < BLOCK; i++) {
        r[i] = (vec){0} + __builtin_inff();
        if (i < n) {
            memcpy(&r[i], rows[i] + first, width * sizeof(float));
        }
        r[i] += 0.0f;
    }
    block_sort(r);
    memcpy(block, r, sizeof r);
}

/* ---- columns -------------------------------------------------------------------------------- */

/* The ranks first … end − 1 stay; which of them is which, and which of the others, is not asked. */
struct cut {
    uint32_t first, end;
};

/* Whether the rows at … at + length − 1 have to be ordered among themselves any further. Without a cut:
 * yes. */
static inline int is_cut(const struct cut *cut, uint32_t at, uint32_t length)
{
    return !cut || (at < cut->first && cut->first < at + length) ||
           (at < cut->end && cut->end < at + length);
}

/* Merges two neighbouring sorted runs, the first of `run` rows and the second of no more. What lies behind
 * the last row counts as +∞, which no step would move. */
static void runs_merge(vec *row, uint32_t run, uint32_t rows, const struct cut *cut)
{
    for (uint32_t i = 0; i < rows - run; i++) {
        sort_pair(&row[run - 1u - i], &row[run + i]);
    }
    for (uint32_t step = run / 2u; step >= BLOCK; step /= 2u) {
        for (uint32_t at = 0; at + step < rows; at += 2u * step) {
            uint32_t left = rows - at - step, pairs = left < step ? left : step;
            pairs = is_cut(cut, at, 2u * step) ? pairs : 0;
            for (uint32_t i = 0; i < pairs; i++) {
                sort_pair(&row[at + i], &row[at + step + i]);
            }
        }
    }
    for (uint32_t at = 0; at < rows; at += BLOCK) {
        if (is_cut(cut, at, BLOCK)) {
            block_merge(&row[at]);
        }
    }
}

/*
 * Of two neighbouring sorted runs, brings the `low` smallest rows to the front and the `high` largest to the
 * end. The smallest are the minima of first[i] and second[low − 1 − i], and likewise at the other end; a row
 * of the second run may take part in both, one of the first must not, so low + high ≤ run.
 */
static void runs_drop(vec *row, uint32_t run, uint32_t rows, uint32_t low, uint32_t high)
{
    for (uint32_t i = 0; i < low; i++) {
        sort_pair(&row[i], &row[run + low - 1u - i]);
    }
    for (uint32_t i = 0; i < high; i++) {
        sort_pair(&row[run - 1u - i], &row[rows - high + i]);
    }
}

/* The blocks of one set of columns, each of which is sorted: brings the ranks that stay to their place. */
static void columns_merge(vec *row, uint32_t rows, const struct cut *cut)
{
    uint32_t run = BLOCK;
    for (; 2u * run < rows; run *= 2u) {
        for (uint32_t at = 0; at + run < rows; at += 2u * run) {
            uint32_t left = rows - at, both = left < 2u * run ? left : 2u * run;
            runs_merge(&row[at], run, both, NULL);
        }
    }
    if (run >= rows) {
        return;
    }
    uint32_t low = cut->first, high = rows - cut->end;
    if (low + high <= run && low <= rows - run && high <= rows - run) {
        runs_drop(row, run, rows, low, high);
    } else {
        runs_merge(row, run, rows, cut);
    }
}

/* Mean of the rows that stay. Four sums side by side, so that no addition waits for the one before. */
static vec columns_mean(const vec *row, const struct cut *cut)
{
    vec a = {0}, b = {0}, c = {0}, d = {0};
    uint32_t u = cut->first;
    for (; u + 4u <= cut->end; u += 4u) {
        a += row[u];
        b += row[u + 1u];
        c += row[u + 2u];
        d += row[u + 3u];
    }
    for (; u < cut->end; u++) {
        a += row[u];
    }
    return ((a + b) + (c + d)) / (float)(cut->end - cut->first);
}

/* Sorts the blocks of up to ROBUST_TILE columns: 16 inputs are read at a time, each from end to end. */
static void tile_load(const float *const *rows, uint32_t n, uint32_t first, uint32_t count,
                      vec *scratch)
{
    uint32_t filled = robust_rows_filled(n);
    for (uint32_t block = 0; block < filled; block += BLOCK) {
        uint32_t some = n - block < BLOCK ? n - block : BLOCK;
        vec *at = scratch + block;
        for (uint32_t i = 0; i < count; i += ROBUST_LANES, at += filled) {
            uint32_t width = count - i < ROBUST_LANES ? count - i : ROBUST_LANES;
            if (some == BLOCK && width == ROBUST_LANES) {
                block_load(rows + block, first + i, at);
            } else {
                part_load(rows + block, some, first + i, width, at);
            }
        }
    }
}

void ROBUST_NAME(trimmed)(const float *const *rows, uint32_t n, uint32_t count, uint32_t drop,
                          float *scratch, float *out)
{
    MYCEL_ASSERT(n > 0 && n <= RULE_GATHER_MAX && 2u * drop < n);
    MYCEL_ASSERT((uintptr_t)scratch % ROBUST_ALIGN == 0);
    const struct cut cut = {drop, n - drop};
    uint32_t filled = robust_rows_filled(n);
    for (uint32_t first = 0; first < count; first += ROBUST_TILE) {
        uint32_t left = count - first < ROBUST_TILE ? count - first : ROBUST_TILE;
        vec *row = (vec *)(void *)scratch;
        tile_load(rows, n, first, left, row);
        for (uint32_t i = 0; i < left; i += ROBUST_LANES, row += filled) {
            uint32_t width = left - i < ROBUST_LANES ? left - i : ROBUST_LANES;
            columns_merge(row, filled, &cut);
            vec mean = columns_mean(row, &cut);
            memcpy(out + first + i, &mean, width * sizeof *out);
        }
    }
}
