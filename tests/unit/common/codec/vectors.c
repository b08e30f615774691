/* See vectors.h. */
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/rng.h"

void vector_fill(float *values, uint32_t count, uint32_t seed, float deviation)
{
    for (uint32_t i = 0; i < count; i++) {
        int32_t sum = 0;
        for (uint32_t j = 0; j < 12u; j++) {
            sum += (int32_t)(rng_u32(seed, 77, (uint64_t)i * 12u + j) >> 16) - 32768;
        }
        values[i] = deviation * ((float)sum * (1.0f / 65536.0f));
    }
}

uint8_t *vector_encode(enum codec_id codec, const float *values, uint32_t count, uint32_t seed,
                       float *residual, uint32_t *bytes)
{
    float scratch[CODEC_BLOCK_PARAMS_MAX];
    struct codec_header header = {codec, count, 3, seed, 600};
    *bytes = codec_frame_bytes(codec, count);
    uint8_t *frame = malloc(*bytes);
    assert_non_null(frame);
    assert_int_equal(codec_encode(&header, values, residual, scratch, frame, *bytes), *bytes);
    return frame;
}

struct codec_frame vector_open(const uint8_t *data, uint32_t bytes)
{
    struct codec_frame frame;
    assert_int_equal(codec_open(&frame, data, bytes), 0);
    return frame;
}

double vector_nmse(const float *a, const float *b, uint32_t count)
{
    double error = 0, square = 0;
    for (uint32_t i = 0; i < count; i++) {
        error += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        square += (double)a[i] * (double)a[i];
    }
    return error / square;
}
