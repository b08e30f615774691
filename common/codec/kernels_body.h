/*
 * The body of the kernels, included by one file per instruction set with KERNEL_NAME(name) defined.
 * Vectors of eight are the compilers' own (GCC 12, Clang): they become whatever the target has. No
 * reassociation of float sums and no fused multiply-add, so that every target gives the same bits.
 */
#include <math.h>
#include <string.h>

#include "common/assert.h"
#include "common/codec/half.h"
#include "common/codec/kernels.h"

#define LANES 16u

typedef float f32x8 __attribute__((vector_size(32)));
typedef int32_t s32x8 __attribute__((vector_size(32)));
typedef uint32_t u32x8 __attribute__((vector_size(32)));

void KERNEL_NAME(accumulate_rows)(const void *const *values, const struct kernel_term *terms,
                                  uint32_t rows, uint32_t count, int64_t *acc)
{
    for (uint32_t r = 0; r < rows; r++) {
        KERNEL_NAME(accumulate)(values[r], &terms[r], count, acc);
    }
}

struct kernel_stats KERNEL_NAME(scan)(const float *values, uint32_t count)
{
    f32x8 sums[2] = {{0}, {0}};
    s32x8 tops[2] = {{0}, {0}}; /* bits of |x|, which order like |x|, infinity and NaN on top */
    uint32_t whole = count - count % LANES;
    for (uint32_t i = 0; i < whole; i += LANES) {
        for (uint32_t j = 0; j < 2u; j++) {
            f32x8 x;
            s32x8 bits, larger;
            memcpy(&x, values + i + 8u * j, sizeof x);
            memcpy(&bits, &x, sizeof bits);
            bits &= 0x7fffffff;
            larger = bits > tops[j];
            tops[j] = (bits & larger) | (tops[j] & ~larger);
            sums[j] += x * x;
        }
    }
    float squares[LANES];
    int32_t largest[LANES];
    memcpy(squares, sums, sizeof squares);
    memcpy(largest, tops, sizeof largest);
    for (uint32_t i = whole; i < count; i++) {
        int32_t bits = (int32_t)(float_bits(values[i]) & 0x7fffffffu);
        squares[i - whole] += values[i] * values[i];
        largest[0] = bits > largest[0] ? bits : largest[0];
    }
    for (uint32_t half = LANES / 2u; half > 0; half /= 2u) {
        for (uint32_t j = 0; j < half; j++) {
            squares[j] += squares[j + half];
            largest[j] = largest[j] > largest[j + half] ? largest[j] : largest[j + half];
        }
    }
    return (struct kernel_stats){
        .squares = squares[0],
        .max_abs = float_from_bits((uint32_t)largest[0]),
        .finite = largest[0] < 0x7f800000,
    };
}

/* Strides 1, 2 and 4: within vectors. Where the sign is −1, a sum becomes the difference. */
static void hadamard_low(float *x, uint32_t size)
{
    const f32x8 sign1 = {1, -1, 1, -1, 1, -1, 1, -1};
    const f32x8 sign2 = {1, 1, -1, -1, 1, 1, -1, -1};
    const f32x8 sign4 = {1, 1, 1, 1, -1, -1, -1, -1};
    for (uint32_t i = 0; i < size; i += 8u) {
        f32x8 v;
        memcpy(&v, x + i, sizeof v);
        v = v * sign1 + __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6);
        v = v * sign2 + __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5);
        v = v * sign4 + __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3);
        memcpy(x + i, &v, sizeof v);
    }
}

/* Strides `stride` and 2·stride at once, which halves the traffic to memory. */
static void hadamard_pair(float *restrict p0, float *restrict p1, float *restrict p2,
                          float *restrict p3, uint32_t stride)
{
    for (uint32_t i = 0; i < stride; i++) {
        float sum01 = p0[i] + p1[i], difference01 = p0[i] - p1[i];
        float sum23 = p2[i] + p3[i], difference23 = p2[i] - p3[i];
        p0[i] = sum01 + sum23;
        p1[i] = difference01 + difference23;
        p2[i] = sum01 - sum23;
        p3[i] = difference01 - difference23;
    }
}

static void hadamard_single(float *restrict low, float *restrict high, uint32_t stride)
{
    for (uint32_t i = 0; i < stride; i++) {
        float a = low[i], b = high[i];
        low[i] = a + b;
        high[i] = a - b;
    }
}

void KERNEL_NAME(hadamard)(float *x, uint32_t size)
{
    MYCEL_ASSERT(size >= 8u && size <= 1024u && (size & (size - 1u)) == 0);
    hadamard_low(x, size);
    uint32_t stride = 8u;
    for (; 4u * stride <= size; stride *= 4u) {
        for (uint32_t i = 0; i < size; i += 4u * stride) {
            hadamard_pair(x + i, x + i + stride, x + i + 2u * stride, x + i + 3u * stride, stride);
        }
    }
    for (uint32_t i = 0; stride < size && i < size; i += 2u * stride) {
        hadamard_single(x + i, x + i + stride, stride);
    }
}

void KERNEL_NAME(negate)(float *x, const uint32_t *words, uint32_t count)
{
    const u32x8 lanes = {0, 1, 2, 3, 4, 5, 6, 7};
    for (uint32_t i = 0; i < count; i += 8u) {
        u32x8 bits, clear = (u32x8){0} + ~(words[i / 32u] >> (i % 32u));
        memcpy(&bits, x + i, sizeof bits);
        bits ^= clear >> lanes << 31;
        memcpy(x + i, &bits, sizeof bits);
    }
}

void KERNEL_NAME(spread)(float *x, float value, const uint32_t *words, uint32_t count)
{
    const u32x8 lanes = {0, 1, 2, 3, 4, 5, 6, 7};
    for (uint32_t i = 0; i < count; i += 8u) {
        u32x8 clear = (u32x8){0} + ~(words[i / 32u] >> (i % 32u));
        u32x8 bits = float_bits(value) ^ (clear >> lanes << 31);
        memcpy(x + i, &bits, sizeof bits);
    }
}
