/* The archive's bytes, against the formats' specifications. Reading by NumPy is an e2e matter. */
#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include <mycel/error.h>

#include "server/cli/npz.h"

static uint8_t bytes[8192];
static struct npz archive;

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

/* Writes an archive of one 2×3 array and one text; returns its size. */
static size_t make(void)
{
    static const uint32_t dims[] = {2, 3};
    static const uint8_t values[24] = {0, 0, 0x80, 0x3F}; /* 1.0f first */
    memset(bytes, 0, sizeof bytes);
    FILE *out = fmemopen(bytes, sizeof bytes, "wb");
    assert_non_null(out);
    npz_begin(&archive, out);
    assert_int_equal(npz_add_f32(&archive, "w", dims, 2, values, sizeof values), MYCEL_OK);
    assert_int_equal(npz_add_text(&archive, "model", "3 > dense 1"), MYCEL_OK);
    assert_int_equal(npz_end(&archive), MYCEL_OK);
    long size = ftell(out);
    assert_int_equal(fclose(out), 0);
    return (size_t)size;
}

static void test_local_entry(void **state)
{
    (void)state;
    (void)make();
    assert_int_equal(get32(bytes), 0x04034B50);
    assert_int_equal(get16(bytes + 8), 0); /* stored */
    uint32_t size = get32(bytes + 18);
    assert_int_equal(get32(bytes + 22), size);
    assert_int_equal(get16(bytes + 26), 5);
    assert_memory_equal(bytes + 30, "w.npy", 5);
    const uint8_t *npy = bytes + 35;
    assert_int_equal(get32(bytes + 14), crc32(0, npy, size));
    assert_memory_equal(npy, "\x93NUMPY\x01\x00", 8);
    uint32_t header = 10 + get16(npy + 8);
    assert_int_equal(header % 64, 0);
    assert_int_equal(size, header + 24);
    assert_int_equal(npy[header - 1], '\n');
    static const char text[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3,), }";
    assert_memory_equal(npy + 10, text, sizeof text - 1);
    assert_int_equal(get32(npy + header), 0x3F800000);
}

static void test_directory(void **state)
{
    (void)state;
    size_t size = make();
    const uint8_t *end = bytes + size - 22;
    assert_int_equal(get32(end), 0x06054B50);
    assert_int_equal(get16(end + 8), 2);
    assert_int_equal(get16(end + 10), 2);
    uint32_t start = get32(end + 16);
    assert_int_equal(start + get32(end + 12) + 22, size);
    const uint8_t *entry = bytes + start;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(get32(entry), 0x02014B50);
        uint32_t local = get32(entry + 42);
        assert_int_equal(get32(bytes + local), 0x04034B50);
        /* From "version needed" to the lengths, both headers say the same. */
        assert_memory_equal(entry + 6, bytes + local + 4, 26);
        entry += 46 + get16(entry + 28);
    }
    assert_ptr_equal(entry, end);
}

static void test_the_same_twice(void **state)
{
    uint8_t first[sizeof bytes];
    (void)state;
    size_t size = make();
    memcpy(first, bytes, sizeof first);
    assert_int_equal(make(), size);
    assert_memory_equal(first, bytes, size);
}

static void test_limits(void **state)
{
    static const uint32_t dims[NPZ_RANK_MAX + 1u] = {1, 1, 1, 1, 1};
    static const uint8_t value[4];
    char name[NPZ_NAME_BYTES_MAX + 1u];
    (void)state;
    FILE *out = fmemopen(bytes, sizeof bytes, "wb");
    npz_begin(&archive, out);
    assert_int_equal(npz_add_f32(&archive, "a", dims, NPZ_RANK_MAX + 1u, value, 4),
                     MYCEL_E_INVALID);
    memset(name, 'n', sizeof name);
    name[sizeof name - 1u] = '\0';
    assert_int_equal(npz_add_f32(&archive, name, dims, 1, value, 4), MYCEL_E_INVALID);
    assert_int_equal(npz_add_text(&archive, "t", ""), MYCEL_E_INVALID);
    archive.offset = UINT32_MAX - 100u;
    assert_int_equal(npz_add_f32(&archive, "a", dims, 1, value, 4), MYCEL_E_TOO_LARGE);
    archive.count = NPZ_ENTRIES_MAX;
    assert_int_equal(npz_add_f32(&archive, "a", dims, 1, value, 4), MYCEL_E_FULL);
    (void)fclose(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local_entry), cmocka_unit_test(test_directory),
        cmocka_unit_test(test_the_same_twice), cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
