/* Test helper: test data for the codecs that is exact on every machine, and frames in memory. */
#ifndef MYCEL_TESTS_CODEC_VECTORS_H
#define MYCEL_TESTS_CODEC_VECTORS_H

#include "common/codec/codec.h"

/* Values whose spread resembles a delta's: a sum of uniforms, exact in f32, of deviation `deviation`. */
void vector_fill(float *values, uint32_t count, uint32_t seed, float deviation);

/* Encodes; asserts that it succeeds with exactly codec_frame_bytes. The result is the caller's to free. */
uint8_t *vector_encode(enum codec_id codec, const float *values, uint32_t count, uint32_t seed,
                       float *residual, uint32_t *bytes);

/* Opens a frame that must be valid. */
struct codec_frame vector_open(const uint8_t *data, uint32_t bytes);

/* ‖a − b‖² / ‖a‖² */
double vector_nmse(const float *a, const float *b, uint32_t count);

#endif
