/*
 * Golden vectors under proto/vectors/codec: for each codec a frame, and the values it decodes to, as hex
 * text. They pin the bytes for every other implementation. To write them anew after a deliberate
 * change of the format: MYCEL_WRITE_VECTORS=1 <this test>.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "common/codec/half.h"
#include "vectors.h"

#define PARAMS 1100u /* a full block and a part of one, for every block size */
#define SEED 20251u
#define HEX_BYTES_MAX (4u * PARAMS + CODEC_HEADER_BYTES)
#define LINE_BYTES 32u

static void path_of(char *path, size_t size, int codec, const char *kind)
{
    snprintf(path, size, "%s/proto/vectors/codec/%s.%s.hex", MYCEL_SOURCE_DIR, codec_name(codec),
             kind);
}

static void hex_write(const char *path, const uint8_t *data, uint32_t bytes)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (uint32_t i = 0; i < bytes; i++) {
        fprintf(file, "%02x%s", data[i], (i + 1u) % LINE_BYTES == 0 || i + 1u == bytes ? "\n" : "");
    }
    assert_int_equal(fclose(file), 0);
}

static uint32_t hex_read(const char *path, uint8_t *data, uint32_t room)
{
    FILE *file = fopen(path, "r");
    unsigned byte;
    uint32_t bytes = 0;
    if (!file) {
        fail_msg("%s is missing", path);
    }
    while (bytes < room && fscanf(file, "%2x", &byte) == 1) {
        data[bytes++] = (uint8_t)byte;
    }
    fclose(file);
    return bytes;
}

static void expect_file(int codec, const char *kind, const uint8_t *data, uint32_t bytes)
{
    char path[512];
    uint8_t golden[HEX_BYTES_MAX + 1u];
    path_of(path, sizeof path, codec, kind);
    if (getenv("MYCEL_WRITE_VECTORS")) {
        hex_write(path, data, bytes);
    }
    uint32_t found = hex_read(path, golden, sizeof golden);
    assert_int_equal(found, bytes);
    for (uint32_t i = 0; i < bytes; i++) {
        if (golden[i] != data[i]) {
            fail_msg("%s differs at byte %u: %02x, expected %02x", path, i, data[i], golden[i]);
        }
    }
}

/* Encoding must give the stored frame, and decoding the stored frame the stored values. */
static void frames_are_the_stored_ones(void **state)
{
    (void)state;
    float values[PARAMS], decoded[PARAMS], residual[PARAMS];
    vector_fill(values, PARAMS, 1, 0.01f);
    values[3] = 0;
    values[4] = -0.0f;
    values[700] = 0.25f; /* an outlier */
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        uint32_t bytes;
        uint8_t words[4u * PARAMS];
        memset(residual, 0, sizeof residual);
        uint8_t *data = vector_encode((enum codec_id)codec, values, PARAMS, SEED, residual, &bytes);
        expect_file(codec, "frame", data, bytes);
        struct codec_frame frame = vector_open(data, bytes);
        codec_decode(&frame, 0, PARAMS, decoded);
        for (uint32_t i = 0; i < PARAMS; i++) {
            put_u32le(words + 4u * i, float_bits(decoded[i]));
        }
        expect_file(codec, "values", words, sizeof words);
        free(data);
    }
}

/* The header's layout, byte by byte, as PROTOCOL has it. */
static void header_bytes(void **state)
{
    (void)state;
    static const uint8_t expected[CODEC_HEADER_BYTES] = {
        'F',  'U',  1,    2,    /* magic, version, int8 */
        0x2c, 1,    0,    0,    /* params 300 */
        0x78, 0x56, 0x34, 0x12, /* base version */
        0xef, 0xbe, 0xad, 0xde, /* seed */
        0x40, 0xe2, 0x01, 0x00, /* weight 123456 */
        8,    0,    2,    0,    /* blocks of 256, no flags, 2 scales */
    };
    float values[300], scratch[CODEC_BLOCK_PARAMS_MAX];
    uint8_t data[CODEC_HEADER_BYTES + 2 * 2 + 300];
    vector_fill(values, 300, 1, 1);
    struct codec_header header = {CODEC_INT8, 300, 0x12345678, 0xdeadbeef, 123456};
    assert_int_equal(codec_encode(&header, values, NULL, scratch, data, sizeof data), sizeof data);
    assert_memory_equal(data, expected, sizeof expected);
    struct codec_frame frame = vector_open(data, sizeof data);
    assert_int_equal(frame.header.codec, CODEC_INT8);
    assert_int_equal(frame.header.params, 300);
    assert_int_equal(frame.header.base_version, 0x12345678);
    assert_int_equal(frame.header.seed, 0xdeadbeef);
    assert_int_equal(frame.header.weight, 123456);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_the_stored_ones),
        cmocka_unit_test(header_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
