/* See rotation.h. Signs are the bits of common/rng.h's stream, 64 at a time; a set bit is +1. */
#include "common/codec/rotation.h"

#include <string.h>

#include "common/assert.h"
#include "common/codec/kernels.h"
#include "common/rng.h"

static void multiply_by_signs(const struct codec_block *block, float *values)
{
    uint32_t words[ROTATION_SIZE / 32u];
    for (uint32_t i = 0; i < ROTATION_SIZE / 64u; i++) {
        uint64_t counter = (uint64_t)block->index * (ROTATION_SIZE / 64u) + i;
        uint64_t bits = rng_u64(block->seed, RNG_STREAM_CODEC_ROTATION, counter);
        words[2u * i] = (uint32_t)bits;
        words[2u * i + 1u] = (uint32_t)(bits >> 32);
    }
    kernel_negate(values, words, ROTATION_SIZE);
}

void rotation_apply(const struct codec_block *block, float *values)
{
    MYCEL_ASSERT(block->size == ROTATION_SIZE);
    memset(values + block->count, 0, (ROTATION_SIZE - block->count) * sizeof *values);
    multiply_by_signs(block, values);
    kernel_hadamard(values, ROTATION_SIZE);
    for (uint32_t i = 0; i < ROTATION_SIZE; i++) {
        values[i] *= ROTATION_NORM;
    }
}

void rotation_revert(const struct codec_block *block, float *values)
{
    MYCEL_ASSERT(block->size == ROTATION_SIZE);
    kernel_hadamard(values, ROTATION_SIZE);
    multiply_by_signs(block, values);
}
