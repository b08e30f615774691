/*
 * The loops of the gathering rules, over one row of up to RULE_TILE floats for each update, wherever it
 * lies. Compiled for each instruction set that pays; all of them give the same bits.
 */
#ifndef MYCEL_ENGINE_RULES_ROBUST_H
#define MYCEL_ENGINE_RULES_ROBUST_H

#include <stdint.h>

#include "server/engine/rules/rules.h"

/* Floats from one row to the next. Not a power of two: the rows of a column would share one cache set. */
#define ROBUST_ROW (RULE_TILE + 16u)

/* Coordinates that robust_trimmed works on at once: as many as its memory, for 100 updates half a megabyte,
 * stays in a core's own cache. */
#define ROBUST_TILE 1024u
#define ROBUST_BLOCK 16u /* rows that it sorts in registers */
#define ROBUST_ALIGN 64u

static inline uint32_t robust_rows_filled(uint32_t n)
{
    return (n + ROBUST_BLOCK - 1u) / ROBUST_BLOCK * ROBUST_BLOCK;
}

/* Bytes of the memory that robust_trimmed needs for n rows. */
static inline size_t robust_scratch_bytes(uint32_t n)
{
    return (size_t)robust_rows_filled(n) * ROBUST_TILE * sizeof(float);
}

/* out[i] = mean of rows[·][i] without the `drop` smallest and the `drop` largest; 2·drop < n. With
 * 2·drop = n − 1 or n − 2 that is the median. A NaN cannot occur: frames were scanned. `scratch` is aligned
 * to ROBUST_ALIGN. */
void robust_trimmed(const float *const *rows, uint32_t n, uint32_t count, uint32_t drop,
                    float *scratch, float *out);

/* matrix[i·stride + j] += ⟨row i, row j⟩ for j ≤ i. Within a chunk in f32, eight lanes wide, with fused
 * multiply-adds; chunks are added in double. */
void robust_gram(const float *const *rows, uint32_t n, uint32_t count, double *matrix,
                 uint32_t stride);

#define ROBUST_GRAM_CHUNK 1024u /* of a row, so that a few rows fit the innermost cache */
#define ROBUST_GRAM_LANES 8u

static inline float robust_lanes_sum(const float lanes[ROBUST_GRAM_LANES])
{
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

#define ROBUST_VARIANT(suffix)                                                                     \
    void robust_trimmed_##suffix(const float *const *rows, uint32_t n, uint32_t count,             \
                                 uint32_t drop, float *scratch, float *out);                       \
    void robust_gram_##suffix(const float *const *rows, uint32_t n, uint32_t count,                \
                              double *matrix, uint32_t stride)

ROBUST_VARIANT(base);
#if defined(__x86_64__)
#define ROBUST_HAS_X86 1
ROBUST_VARIANT(avx2);
void robust_trimmed_avx512(const float *const *rows, uint32_t n, uint32_t count, uint32_t drop,
                           float *scratch, float *out);
#else
#define ROBUST_HAS_X86 0
#endif

#endif
