/*
 * Fast Walsh–Hadamard transform with a fixed order of additions. Strides of 16 and more are loops over
 * neighbours, which compilers vectorise; the four smallest strides are done on 16 values at a time.
 */
#include "common/codec/hadamard.h"

#include <math.h>

#include "common/assert.h"
#include "common/codec/codec_ops.h"
#include "common/rng.h"

#define GROUP 16u

static void transform_group(float *x)
{
    for (uint32_t stride = 1; stride < GROUP; stride *= 2u) {
        float y[GROUP];
        for (uint32_t i = 0; i < GROUP; i++) {
            y[i] = (i & stride) ? x[i ^ stride] - x[i] : x[i] + x[i ^ stride];
        }
        for (uint32_t i = 0; i < GROUP; i++) {
            x[i] = y[i];
        }
    }
}

static void butterflies(float *restrict low, float *restrict high, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        float a = low[i], b = high[i];
        low[i] = a + b;
        high[i] = a - b;
    }
}

void hadamard_transform(float *x, uint32_t size)
{
    MYCEL_ASSERT(size >= GROUP && (size & (size - 1u)) == 0);
    for (uint32_t i = 0; i < size; i += GROUP) {
        transform_group(x + i);
    }
    for (uint32_t stride = GROUP; stride < size; stride *= 2u) {
        for (uint32_t i = 0; i < size; i += 2u * stride) {
            butterflies(x + i, x + i + stride, stride);
        }
    }
    float norm = 1.0f / sqrtf((float)size);
    for (uint32_t i = 0; i < size; i++) {
        x[i] *= norm;
    }
}

void hadamard_signs(float *x, uint32_t size, uint32_t seed, uint32_t index)
{
    for (uint32_t i = 0; i < size; i += 64u) {
        uint64_t bits =
            rng_u64(seed, RNG_STREAM_CODEC_ROTATION, ((uint64_t)index * size + i) / 64u);
        for (uint32_t j = 0; j < 64u; j++) {
            x[i + j] = (bits >> j & 1u) ? -x[i + j] : x[i + j];
        }
    }
}
