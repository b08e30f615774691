/*
 * The randomised Hadamard rotation of a block, in place: x -> H D x / sqrt(size), D = ±1 from the seed.
 * H is symmetric and orthonormal, so the way back is the same transform and then D.
 */
#ifndef MYCEL_COMMON_CODEC_HADAMARD_H
#define MYCEL_COMMON_CODEC_HADAMARD_H

#include <stdint.h>

/* Orthonormal fast Walsh–Hadamard transform of `size` values; a power of two from 16 to 1024. */
void hadamard_transform(float *x, uint32_t size);

/* Multiplies each of `size` values (a multiple of 64) by its sign of block `index`. */
void hadamard_signs(float *x, uint32_t size, uint32_t seed, uint32_t index);

#endif
