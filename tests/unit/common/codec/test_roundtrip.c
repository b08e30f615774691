/* Every codec, sizes from nothing to several blocks: bounds on the error of each value, tiles that give the
 * same as the whole, and writes that stay within the frame. */
#include <math.h>
#include <mycel/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/codec/half.h"
#include "common/rng.h"
#include "vectors.h"

static const uint32_t sizes[] = {0,   1,   2,   3,   7,    8,    25,   31,   32,   33,   255,
                                 256, 257, 511, 512, 1000, 1023, 1024, 1025, 2048, 5000, 25450};

#define SIZES (sizeof sizes / sizeof *sizes)
#define PARAMS_MAX 25450u

static float values[PARAMS_MAX], decoded[PARAMS_MAX], again[PARAMS_MAX];

/* The largest error that the codec's definition allows for a value. */
static double error_bound(int codec, uint32_t count, uint32_t i)
{
    double value = fabs((double)values[i]), top = 0;
    uint32_t first = i / 256u * 256u;
    for (uint32_t j = first; j < first + 256u && j < count; j++) {
        top = fmax(top, fabs((double)values[j]));
    }
    switch (codec) {
    case CODEC_F32:
        return 0;
    case CODEC_F16:
        return value * 0x1p-11 + 0x1p-25;
    case CODEC_INT8:
        return top / 127 * 1.002 + 0x1p-24;
    case CODEC_INT4:
        return top / 7 * 1.002 + 0x1p-24;
    default:
        return HUGE_VAL;
    }
}

static void values_come_back(void **state)
{
    (void)state;
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        for (size_t s = 0; s < SIZES; s++) {
            uint32_t bytes, count = sizes[s];
            vector_fill(values, count, 5u + (uint32_t)s, 0.05f);
            uint8_t *data = vector_encode((enum codec_id)codec, values, count, 9, NULL, &bytes);
            struct codec_frame frame = vector_open(data, bytes);
            struct codec_stats stats;
            assert_int_equal(codec_scan(&frame, &stats), 0);
            codec_decode(&frame, 0, count, decoded);
            for (uint32_t i = 0; i < count; i++) {
                double error = fabs((double)values[i] - (double)decoded[i]);
                if (!(error <= error_bound(codec, count, i))) {
                    fail_msg("%s of %u: value %u is off by %g", codec_name(codec), count, i, error);
                }
                assert_true(isfinite(decoded[i]));
            }
            free(data);
        }
    }
}

static void statistics_are_those_of_the_values(void **state)
{
    (void)state;
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        uint32_t bytes, count = 5000;
        vector_fill(values, count, 6, 0.05f);
        uint8_t *data = vector_encode((enum codec_id)codec, values, count, 9, NULL, &bytes);
        struct codec_frame frame = vector_open(data, bytes);
        struct codec_stats stats;
        double square = 0, top = 0;
        assert_int_equal(codec_scan(&frame, &stats), 0);
        codec_decode(&frame, 0, count, decoded);
        for (uint32_t i = 0; i < count; i++) {
            square += (double)decoded[i] * (double)decoded[i];
            top = fmax(top, fabs((double)decoded[i]));
        }
        assert_true(fabs((double)stats.squared_norm - square) < 1e-5 * square);
        if (codec == CODEC_DRIVE1 || codec == CODEC_EDEN2) {
            assert_true((double)stats.max_abs >= top && (double)stats.max_abs < 20 * top);
        } else {
            assert_true((double)stats.max_abs == top);
        }
        free(data);
    }
}

static void tiles_give_the_same(void **state)
{
    (void)state;
    uint32_t count = 5000;
    vector_fill(values, count, 7, 0.05f);
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        uint32_t bytes;
        uint8_t *data = vector_encode((enum codec_id)codec, values, count, 9, NULL, &bytes);
        struct codec_frame frame = vector_open(data, bytes);
        codec_decode(&frame, 0, count, decoded);
        for (uint32_t draw = 0; draw < 200; draw++) {
            uint32_t first = rng_below(8, 1, draw, count + 1u);
            uint32_t length = rng_below(8, 2, draw, count - first + 1u);
            memset(again, 0xee, sizeof again);
            codec_decode(&frame, first, length, again);
            assert_memory_equal(again, decoded + first, length * sizeof *again);
            assert_int_equal(float_bits(again[length]), 0xeeeeeeee);
        }
        free(data);
    }
}

/* A writer that checks that each byte of the frame is written exactly once. */
struct careful_memory {
    uint8_t data[110000];
    uint8_t written[110000];
    uint32_t bytes;
};

static int careful_write(void *user, uint32_t offset, const void *data, size_t bytes)
{
    struct careful_memory *memory = user;
    assert_true(offset <= memory->bytes && bytes <= memory->bytes - offset);
    for (size_t i = 0; i < bytes; i++) {
        assert_int_equal(memory->written[offset + i]++, 0);
    }
    memcpy(memory->data + offset, data, bytes);
    return 0;
}

static void encoder_fills_each_byte_once(void **state)
{
    (void)state;
    static struct careful_memory memory;
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        for (size_t s = 0; s < SIZES; s++) {
            uint32_t count = sizes[s];
            struct codec_header header = {(enum codec_id)codec, count, 3, 9, 600};
            struct codec_encoder encoder;
            memset(&memory, 0, sizeof memory);
            memory.bytes = codec_frame_bytes(header.codec, count);
            vector_fill(values, count, 5, 0.05f);
            uint32_t step = codec_block_params(header.codec, count);
            assert_int_equal(codec_encode_begin(&encoder, &header, careful_write, &memory), 0);
            for (uint32_t first = 0; first < count; first += step) {
                float block[CODEC_BLOCK_PARAMS_MAX];
                uint32_t length = count - first < step ? count - first : step;
                assert_int_equal(codec_encode_end(&encoder), MYCEL_E_STATE);
                memcpy(block, values + first, length * sizeof *block);
                assert_int_equal(codec_encode_block(&encoder, block, length, NULL), 0);
            }
            assert_int_equal(codec_encode_end(&encoder), memory.bytes);
            for (uint32_t i = 0; i < memory.bytes; i++) {
                assert_int_equal(memory.written[i], 1);
            }
        }
    }
}

static int failing_write(void *user, uint32_t offset, const void *data, size_t bytes)
{
    (void)offset;
    (void)data;
    (void)bytes;
    int *left = user;
    return (*left)-- > 0 ? 0 : MYCEL_E_IO;
}

static void failing_writes_are_passed_on(void **state)
{
    (void)state;
    float block[CODEC_BLOCK_PARAMS_MAX] = {1, 2, 3};
    struct codec_header header = {CODEC_INT8, 3, 3, 9, 600};
    for (int good = 0; good < 3; good++) {
        int left = good;
        struct codec_encoder encoder;
        int error = codec_encode_begin(&encoder, &header, failing_write, &left);
        error = error ? error : codec_encode_block(&encoder, block, 3, NULL);
        assert_int_equal(error, MYCEL_E_IO);
    }
}

static void what_cannot_be_encoded_is_refused(void **state)
{
    (void)state;
    float scratch[CODEC_BLOCK_PARAMS_MAX], residual[3] = {0.5f, 0.5f, 0.5f};
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    uint8_t data[512];
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        struct codec_header header = {(enum codec_id)codec, 3, 3, 9, 600};
        for (size_t i = 0; i < 3; i++) {
            float three[3] = {1, bad[i], 2};
            assert_int_equal(codec_encode(&header, three, residual, scratch, data, sizeof data),
                             MYCEL_E_NONFINITE);
            assert_true(residual[0] == 0.5f && residual[1] == 0.5f && residual[2] == 0.5f);
        }
        float huge[3] = {3e38f, 1, 2};
        int error = codec_encode(&header, huge, NULL, scratch, data, sizeof data);
        if (codec == CODEC_F32 || codec == CODEC_F16 || codec == CODEC_TOPK) {
            assert_true(error > 0);
        } else {
            assert_int_equal(error, MYCEL_E_TOO_LARGE);
        }
        uint32_t bytes = codec_frame_bytes(header.codec, 3);
        assert_int_equal(codec_encode(&header, residual, NULL, scratch, data, bytes - 1u),
                         MYCEL_E_NO_MEMORY);
    }
    struct codec_header header = {CODEC_COUNT, 3, 3, 9, 600};
    assert_int_equal(codec_encode(&header, residual, NULL, scratch, data, sizeof data),
                     MYCEL_E_CODEC);
    header = (struct codec_header){CODEC_F32, CODEC_PARAMS_MAX + 1u, 3, 9, 600};
    assert_int_equal(codec_encode(&header, residual, NULL, scratch, data, sizeof data),
                     MYCEL_E_TOO_LARGE);
}

static void sizes_are_the_designs(void **state)
{
    (void)state;
    /* 25,450 parameters; figures of the design, header and scales included. */
    static const struct {
        enum codec_id codec;
        uint32_t most;
    } upload[] = {{CODEC_F32, 101824}, {CODEC_F16, 50924},    {CODEC_INT8, 25700},
                  {CODEC_INT4, 12950}, {CODEC_EDEN2, 6500},   {CODEC_DRIVE1, 3280},
                  {CODEC_SIGN, 3260},  {CODEC_TERNARY, 1060}, {CODEC_TOPK, 800}};
    for (size_t i = 0; i < sizeof upload / sizeof *upload; i++) {
        assert_true(codec_frame_bytes(upload[i].codec, 25450) <= upload[i].most);
    }
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        assert_int_equal(codec_frame_bytes((enum codec_id)codec, 0), CODEC_HEADER_BYTES);
        assert_true(codec_frame_bytes((enum codec_id)codec, CODEC_PARAMS_MAX) >
                    CODEC_PARAMS_MAX / 64);
        assert_int_equal(codec_from_name(codec_name(codec)), codec);
        assert_true(strlen(codec_name(codec)) < CODEC_NAME_BYTES_MAX);
    }
    assert_null(codec_name(CODEC_COUNT));
    assert_null(codec_name(-1));
    assert_int_equal(codec_from_name("int9"), MYCEL_E_NOT_FOUND);
    /* The header counts at most 65,535 scales. */
    assert_int_equal(codec_block_params(CODEC_INT8, 65535u * 256u), 256);
    assert_int_equal(codec_block_params(CODEC_INT8, 65535u * 256u + 1u), 512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_back),
        cmocka_unit_test(statistics_are_those_of_the_values),
        cmocka_unit_test(tiles_give_the_same),
        cmocka_unit_test(encoder_fills_each_byte_once),
        cmocka_unit_test(failing_writes_are_passed_on),
        cmocka_unit_test(what_cannot_be_encoded_is_refused),
        cmocka_unit_test(sizes_are_the_designs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
