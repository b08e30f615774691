/*
 * The randomised rotation of a block, in place: x -> H D x / √size with H the Walsh–Hadamard matrix and D
 * a diagonal of ±1 drawn from the seed. H is symmetric and orthonormal, so the way back is the same
 * transform and then D.
 */
#ifndef MYCEL_COMMON_CODEC_ROTATION_H
#define MYCEL_COMMON_CODEC_ROTATION_H

#include "common/codec/codec_ops.h"

/* Rotated blocks always have this many values; 1/√size is a power of two, so scaling by it is exact, and
 * the decoder applies it to the scale instead of to every value. */
#define ROTATION_SIZE 1024u
#define ROTATION_NORM (1.0f / 32.0f)

/* Pads the block with zeros to its size and rotates it. */
void rotation_apply(const struct codec_block *block, float *values);

/* The inverse, of all values, which the caller has multiplied by ROTATION_NORM already. */
void rotation_revert(const struct codec_block *block, float *values);

#endif
