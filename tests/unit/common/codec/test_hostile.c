/*
 * Frames as an attacker would send them: every truncation and every flipped bit of small frames of all
 * codecs, lies in the header, random bytes. Each is refused with a code or decodes to finite values, and
 * nothing is read outside the frame, which lies in memory of its exact size so that a sanitizer sees it.
 */
#include <math.h>
#include <mycel/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "common/rng.h"
#include "vectors.h"

#define PARAMS 1100u
#define PARAMS_OPEN 2048u /* codecs with padded blocks cannot tell 1,025 … 2,048 apart by length */

struct tally {
    uint32_t refused, decoded;
};

/* Runs everything that a coordinator does with a frame. The memory is exactly `bytes` long. */
static void digest(const uint8_t *original, uint32_t bytes, struct tally *tally)
{
    static float values[PARAMS_OPEN];
    static int64_t acc[PARAMS_OPEN];
    uint8_t *data = malloc(bytes ? bytes : 1u);
    assert_non_null(data);
    memcpy(data, original, bytes);
    struct codec_frame frame;
    struct codec_stats stats;
    int error = codec_open(&frame, data, bytes);
    if (!error) {
        assert_true(frame.header.params <= PARAMS_OPEN);
        /* Also without a scan, nothing may be read out of bounds. */
        codec_decode(&frame, 0, frame.header.params, values);
        error = codec_scan(&frame, &stats);
    }
    if (error) {
        assert_int_equal(mycel_error_class(error), MYCEL_CLASS_PEER);
        tally->refused++;
        free(data);
        return;
    }
    for (uint32_t i = 0; i < frame.header.params; i++) {
        assert_true(isfinite(values[i]) && fabsf(values[i]) <= stats.max_abs);
    }
    struct codec_term term = {1, 600, stats.max_abs, 20};
    error = codec_term_check(&term);
    assert_true(error == 0 || error == MYCEL_E_NORM);
    if (!error) {
        codec_accumulate(&frame, &term, 0, frame.header.params, acc);
    }
    tally->decoded++;
    free(data);
}

static void every_flipped_bit(void **state)
{
    (void)state;
    float values[PARAMS];
    vector_fill(values, PARAMS, 1, 0.01f);
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        struct tally tally = {0, 0};
        uint32_t bytes;
        uint8_t *data = vector_encode((enum codec_id)codec, values, PARAMS, 2, NULL, &bytes);
        for (uint32_t bit = 0; bit < 8u * bytes; bit++) {
            data[bit / 8u] ^= (uint8_t)(1u << (bit % 8u));
            digest(data, bytes, &tally);
            data[bit / 8u] ^= (uint8_t)(1u << (bit % 8u));
        }
        printf("  %-8s %u bits flipped: %u refused, %u decode to finite values\n",
               codec_name(codec), 8u * bytes, tally.refused, tally.decoded);
        assert_int_equal(tally.refused + tally.decoded, 8u * bytes);
        assert_true(tally.refused > 0 && tally.decoded > 0);
        free(data);
    }
}

static void every_truncation_and_extension(void **state)
{
    (void)state;
    float values[PARAMS];
    vector_fill(values, PARAMS, 1, 0.01f);
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        struct tally tally = {0, 0};
        uint32_t bytes;
        uint8_t *data = vector_encode((enum codec_id)codec, values, PARAMS, 2, NULL, &bytes);
        uint8_t *longer = calloc(1, bytes + 64u);
        memcpy(longer, data, bytes);
        for (uint32_t length = 0; length < bytes + 64u; length++) {
            if (length != bytes) {
                digest(longer, length, &tally);
            }
        }
        assert_int_equal(tally.decoded, 0);
        free(longer);
        free(data);
    }
}

struct lie {
    uint32_t offset, width;
    uint32_t value;
    int error;
};

static void lies_in_the_header(void **state)
{
    (void)state;
    static const struct lie lies[] = {
        {0, 1, 'G', MYCEL_E_MALFORMED},
        {1, 1, 0, MYCEL_E_MALFORMED},
        {2, 1, 0, MYCEL_E_VERSION},
        {2, 1, 2, MYCEL_E_VERSION},
        {2, 1, 255, MYCEL_E_VERSION},
        {3, 1, CODEC_COUNT, MYCEL_E_CODEC},
        {3, 1, 255, MYCEL_E_CODEC},
        {3, 1, CODEC_F16, MYCEL_E_MALFORMED},
        {4, 4, 0, MYCEL_E_MALFORMED},
        {4, 4, PARAMS - 1, MYCEL_E_MALFORMED},
        {4, 4, PARAMS + 1, MYCEL_E_MALFORMED},
        {4, 4, CODEC_PARAMS_MAX, MYCEL_E_MALFORMED},
        {4, 4, CODEC_PARAMS_MAX + 1, MYCEL_E_TOO_LARGE},
        {4, 4, 0x40000000, MYCEL_E_TOO_LARGE},
        {4, 4, 0x80000000, MYCEL_E_TOO_LARGE},
        {4, 4, 0xffffffff, MYCEL_E_TOO_LARGE},
        {20, 1, 0, MYCEL_E_MALFORMED},
        {20, 1, 9, MYCEL_E_MALFORMED},
        {20, 1, 255, MYCEL_E_MALFORMED},
        {21, 1, 1, MYCEL_E_MALFORMED},
        {22, 2, 0, MYCEL_E_MALFORMED},
        {22, 2, 4, MYCEL_E_MALFORMED},
        {22, 2, 65535, MYCEL_E_MALFORMED},
        {24, 2, 0x7c00, MYCEL_E_NONFINITE}, /* first scale */
        {24, 2, 0x7e00, MYCEL_E_NONFINITE},
        {24, 2, 0xbc00, MYCEL_E_MALFORMED},
        {24, 2, 0x8000, MYCEL_E_MALFORMED},
    };
    float values[PARAMS];
    vector_fill(values, PARAMS, 1, 0.01f);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        uint32_t bytes;
        uint8_t *data = vector_encode(CODEC_INT8, values, PARAMS, 2, NULL, &bytes);
        for (uint32_t b = 0; b < lies[i].width; b++) {
            data[lies[i].offset + b] = (uint8_t)(lies[i].value >> (8u * b));
        }
        struct codec_frame frame;
        struct codec_stats stats;
        int error = codec_open(&frame, data, bytes);
        error = error ? error : codec_scan(&frame, &stats);
        if (error != lies[i].error) {
            fail_msg("lie %zu: %d", i, error);
        }
        free(data);
    }
}

static void nonfinite_and_absurd_values(void **state)
{
    (void)state;
    static const struct {
        uint32_t bits;
        int error;
    } cases[] = {{0x7f800000, MYCEL_E_NONFINITE},
                 {0xff800000, MYCEL_E_NONFINITE},
                 {0x7fc00000, MYCEL_E_NONFINITE},
                 {0x7f800001, MYCEL_E_NONFINITE},
                 {0xffffffff, MYCEL_E_NONFINITE},
                 {0x7f7fffff, MYCEL_E_NORM},
                 {0x60000000, MYCEL_E_NORM},
                 {0x00000001, 0},
                 {0x80000000, 0},
                 {0x42c80000, 0}};
    float values[PARAMS];
    vector_fill(values, PARAMS, 1, 0.01f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (uint32_t at = 0; at < PARAMS; at += 61u) {
            uint32_t bytes;
            struct codec_stats stats;
            uint8_t *data = vector_encode(CODEC_F32, values, PARAMS, 2, NULL, &bytes);
            put_u32le(data + CODEC_HEADER_BYTES + 4u * at, cases[i].bits);
            struct codec_frame frame = vector_open(data, bytes);
            assert_int_equal(codec_scan(&frame, &stats), cases[i].error);
            free(data);
        }
    }
}

/* Valid header, random scales and codes: what a fuzzer would find first. */
static void random_codes(void **state)
{
    (void)state;
    float values[PARAMS];
    vector_fill(values, PARAMS, 1, 0.01f);
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        struct tally tally = {0, 0};
        uint32_t bytes;
        uint8_t *data = vector_encode((enum codec_id)codec, values, PARAMS, 2, NULL, &bytes);
        for (uint32_t draw = 0; draw < 2000; draw++) {
            uint32_t from = draw % 2u ? CODEC_HEADER_BYTES : CODEC_HEADER_BYTES + 4u;
            for (uint32_t i = from; i < bytes; i++) {
                data[i] = (uint8_t)rng_u32(draw, (uint64_t)codec, i);
            }
            digest(data, bytes, &tally);
        }
        assert_int_equal(tally.refused + tally.decoded, 2000);
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flipped_bit),  cmocka_unit_test(every_truncation_and_extension),
        cmocka_unit_test(lies_in_the_header), cmocka_unit_test(nonfinite_and_absurd_values),
        cmocka_unit_test(random_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
