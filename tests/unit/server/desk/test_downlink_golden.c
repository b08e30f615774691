/*
 * Golden vectors under proto/vectors/downlink: a patch of a key frame and a delta, and the model that it leads to, as
 * hex text. They pin what a coordinator makes; the client's test and a reading of docs/PROTOCOL.md alone
 * (common/codec/check_vectors.py) take the same files. To write them anew after a deliberate change:
 * MYCEL_WRITE_VECTORS=1 <this test>.
 */
#include "server/desk/downlink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PARAMS 1100u /* a full block and a part of one, for either codec */
#define BYTES_MAX (4u * PARAMS)
#define LINE_BYTES 32u

static void path_of(char *path, size_t size, const char *name)
{
    snprintf(path, size, "%s/proto/vectors/downlink/%s.hex", MYCEL_SOURCE_DIR, name);
}

static void write_hex(const char *name, const uint8_t *data, size_t bytes)
{
    char path[512];
    path_of(path, sizeof path, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < bytes; i++) {
        fprintf(file, "%02x%s", data[i], (i + 1u) % LINE_BYTES == 0 || i + 1u == bytes ? "\n" : "");
    }
    assert_int_equal(fclose(file), 0);
}

static void expect_file(const char *name, const uint8_t *data, size_t bytes)
{
    char path[512];
    static uint8_t golden[BYTES_MAX + 1u];
    if (getenv("MYCEL_WRITE_VECTORS")) {
        write_hex(name, data, bytes);
    }
    path_of(path, sizeof path, name);
    FILE *file = fopen(path, "r");
    size_t found = 0;
    unsigned byte;
    if (!file) {
        fail_msg("%s is missing", path);
    }
    while (found < sizeof golden && fscanf(file, "%2x", &byte) == 1) {
        golden[found++] = (uint8_t)byte;
    }
    fclose(file);
    assert_int_equal(found, bytes);
    assert_memory_equal(golden, data, bytes);
}

/* Little endian, whatever this machine is. */
static void put_floats(const float *values, uint8_t *out)
{
    for (uint32_t i = 0; i < PARAMS; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        for (unsigned k = 0; k < 4; k++) {
            out[4u * i + k] = (uint8_t)(bits >> 8u * k);
        }
    }
}

static void test_a_key_frame_and_a_delta(void **state)
{
    (void)state;
    static float exact[PARAMS], held[2][PARAMS];
    static uint8_t patch[2u * BYTES_MAX], values[BYTES_MAX];
    size_t bytes = 0;
    for (uint32_t version = 1; version <= 2; version++) {
        for (uint32_t i = 0; i < PARAMS; i++) { /* all exact in binary: no libm, no rounding */
            int32_t coarse = (int32_t)(i * 37u % 201u) - 100;
            int32_t fine = (int32_t)((i * 11u + version * 5u) % 15u) - 7;
            exact[i] = (float)coarse / 128.0f + (version > 1 ? (float)fine / 1024.0f : 0.0f);
        }
        const struct downlink_make make = {.seed = 20261,
                                           .version = version,
                                           .params = PARAMS,
                                           .exact = exact,
                                           .before = version > 1 ? held[0] : NULL,
                                           .frames = version - 1u};
        bool key;
        int frame = downlink_make(&make, patch + bytes, held[version - 1u], &key);
        assert_true(frame > 0);
        assert_int_equal(key, version == 1);
        bytes += (size_t)frame;
    }
    put_floats(held[1], values);
    expect_file("patch.frames", patch, bytes);
    expect_file("patch.values", values, sizeof values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_frame_and_a_delta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
