/* Arrays from NumPy: each version and type, archives of both kinds, and damaged bytes of all sorts. */
#include "common/rng.h"
#include "data/npy.h"
#include "data/zip.h"

#include <mycel/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#define BYTES_MAX 8192u

static char folder[] = "/tmp/mycel-npy-XXXXXX";
static char path_x[64];
static char path_y[64];
static char path_z[64];
static char problem[DATASET_PROBLEM_BYTES];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(path_x, sizeof path_x, "%s/x.npy", folder);
    snprintf(path_y, sizeof path_y, "%s/y.npy", folder);
    snprintf(path_z, sizeof path_z, "%s/z.npz", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path_x);
    unlink(path_y);
    unlink(path_z);
    return rmdir(folder);
}

struct block {
    uint8_t bytes[BYTES_MAX];
    size_t size;
};

static void put(struct block *b, const void *data, size_t bytes)
{
    assert_true(b->size + bytes <= sizeof b->bytes);
    memcpy(b->bytes + b->size, data, bytes);
    b->size += bytes;
}

static void put_number(struct block *b, uint32_t value, unsigned bytes)
{
    uint8_t le[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                     (uint8_t)(value >> 24)};
    put(b, le, bytes);
}

/* As numpy.save() writes it, but for the padding. */
static struct block array(unsigned version, const char *header, const void *values, size_t bytes)
{
    struct block b = {.size = 0};
    put(&b, "\x93NUMPY", 6);
    put_number(&b, version, 2);
    put_number(&b, (uint32_t)strlen(header), version == 1 ? 2 : 4);
    put(&b, header, strlen(header));
    put(&b, values, bytes);
    return b;
}

static void write_block(const char *path, const struct block *b)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b->bytes, 1, b->size, f), b->size);
    assert_int_equal(fclose(f), 0);
}

#define HEADER(type, shape) "{'descr': '" type "', 'fortran_order': False, 'shape': " shape ", }\n"

static void test_types(void **state)
{
    (void)state;
    static const uint8_t u8[] = {1, 250}, i8[] = {1, 0xFF}, u16[] = {1, 0, 0xFF, 0xFF};
    static const uint8_t i16[] = {1, 0, 0xFE, 0xFF}, u32[] = {1, 0, 0, 0, 0, 0, 1, 0};
    static const uint8_t i32[] = {1, 0, 0, 0, 0xFD, 0xFF, 0xFF, 0xFF};
    static const uint8_t i64[] = {1,    0,    0,    0,    0,    0,    0,    0,
                                  0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    static const float f32[] = {1, -0.5f};
    static const double f64[] = {1, -0.25};
    static const struct {
        const char *header;
        const void *values;
        size_t bytes;
        enum npy_type type;
        float second;
    } rows[] = {{HEADER("|u1", "(2,)"), u8, sizeof u8, NPY_U8, 250},
                {HEADER("|b1", "(2,)"), u8, sizeof u8, NPY_U8, 250},
                {HEADER("|i1", "(2,)"), i8, sizeof i8, NPY_I8, -1},
                {HEADER("<u2", "(2,)"), u16, sizeof u16, NPY_U16, 65535},
                {HEADER("<i2", "(2,)"), i16, sizeof i16, NPY_I16, -2},
                {HEADER("<u4", "(2,)"), u32, sizeof u32, NPY_U32, 65536},
                {HEADER("<i4", "(2,)"), i32, sizeof i32, NPY_I32, -3},
                {HEADER("<i8", "(2,)"), i64, sizeof i64, NPY_I64, -4},
                {HEADER("<u8", "(2,)"), i64, sizeof i64, NPY_U64, 18446744073709551615.0f},
                {HEADER("<f4", "(2,)"), f32, sizeof f32, NPY_F32, -0.5f},
                {HEADER("<f8", "(2,)"), f64, sizeof f64, NPY_F64, -0.25f},
                {"{\"shape\":(2L,),\"descr\":\"<f8\",\"fortran_order\":False}", f64, sizeof f64,
                 NPY_F64, -0.25f}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned version = 1; version <= 3; version++) {
            struct block b = array(version, rows[i].header, rows[i].values, rows[i].bytes);
            struct npy_array a;
            const char *why = "";
            int rc = npy_parse(b.bytes, b.size, &a, &why);
            if (rc < 0) {
                fail_msg("row %zu version %u: %d %s", i, version, rc, why);
            }
            assert_int_equal(a.type, rows[i].type);
            assert_int_equal(a.dims, 1);
            assert_int_equal(a.count, 2);
            assert_true(npy_value(&a, 0) == 1.0f);
            assert_true(npy_value(&a, 1) == rows[i].second);
        }
    }
}

static void test_headers_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        int code;
        const char *why;
    } rows[] = {
        {HEADER("<c8", "(2,)"), MYCEL_E_UNSUPPORTED, "element type"},
        {HEADER("|O", "(2,)"), MYCEL_E_UNSUPPORTED, "element type"},
        {HEADER(">f4", "(2,)"), MYCEL_E_UNSUPPORTED, "big endian"},
        {HEADER("<f2", "(2,)"), MYCEL_E_UNSUPPORTED, "element type"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", MYCEL_E_UNSUPPORTED,
         "element type"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2,)}", MYCEL_E_UNSUPPORTED, "Fortran"},
        {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,)}", MYCEL_E_MALFORMED, "damaged"},
        {"{'descr': '<f4', 'shape': (2,)}", MYCEL_E_MALFORMED, "not whole"},
        {"{'descr': '<f4', 'descr': '<f4', 'shape': (2,)}", MYCEL_E_MALFORMED, "damaged"},
        {"{'descr': '<f4', 'colour': 'red'}", MYCEL_E_MALFORMED, "damaged"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)", MYCEL_E_MALFORMED, "damaged"},
        {"", MYCEL_E_MALFORMED, "damaged"},
        {HEADER("<f4", "(1,1,1,1,1,1,1,1,1)"), MYCEL_E_UNSUPPORTED, "8 axes"},
        {HEADER("<f4", "(-2,)"), MYCEL_E_MALFORMED, "shape"},
        {HEADER("<f4", "(2 2)"), MYCEL_E_MALFORMED, "shape"},
        {HEADER("<f4", "(2,"), MYCEL_E_MALFORMED, "shape"},
        {HEADER("<f4", "(99999999999999999999,)"), MYCEL_E_TOO_LARGE, "larger"},
        {HEADER("<f4", "(4294967296,4294967296,4294967296)"), MYCEL_E_TOO_LARGE, "larger"},
        {HEADER("<f4", "(3,)"), MYCEL_E_MALFORMED, "last value"},
    };
    static const float values[] = {1, 2};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct block b = array(1, rows[i].header, values, sizeof values);
        struct npy_array a;
        const char *why = "";
        int rc = npy_parse(b.bytes, b.size, &a, &why);
        if (rc != rows[i].code || !strstr(why, rows[i].why)) {
            fail_msg("row %zu: %d, %s", i, rc, why);
        }
    }
    struct block b = array(4, HEADER("<f4", "(2,)"), values, sizeof values);
    struct npy_array a;
    const char *why = "";
    assert_int_equal(npy_parse(b.bytes, b.size, &a, &why), MYCEL_E_VERSION);
}

/* ---- data sets */

static void test_two_files(void **state)
{
    (void)state;
    static const uint8_t pixels[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const uint8_t labels[16] = {7, 0, 0, 0, 0, 0, 0, 0, 1};
    struct block x = array(1, HEADER("|u1", "(2, 2, 3)"), pixels, sizeof pixels);
    struct block y = array(1, HEADER("<i8", "(2, 1)"), labels, sizeof labels);
    struct dataset set;
    write_block(path_x, &x);
    write_block(path_y, &y);
    assert_int_equal(dataset_read(path_x, path_y, &set, problem), 0);
    assert_int_equal(set.type, DATASET_U8);
    assert_int_equal(set.samples, 2);
    assert_int_equal(set.features, 6);
    assert_int_equal(set.height, 2);
    assert_int_equal(set.width, 3);
    assert_int_equal(set.classes, 8);
    assert_int_equal(set.labels[1], 1);
    assert_memory_equal(set.inputs, pixels, sizeof pixels);
    dataset_free(&set);

    static const double targets[] = {0.5, -2};
    static const float features[] = {1, 2, 3, 4};
    x = array(2, HEADER("<f4", "(2, 2)"), features, sizeof features);
    y = array(3, HEADER("<f8", "(2,)"), targets, sizeof targets);
    write_block(path_x, &x);
    write_block(path_y, &y);
    struct dataset_source either = {.inputs = path_x, .labels = path_y, .target = DATASET_EITHER};
    assert_int_equal(dataset_read_from(&either, &set, problem), 0);
    assert_int_equal(set.type, DATASET_F32);
    assert_int_equal(set.width, 2);
    assert_null(set.labels);
    assert_true(set.targets[1] == -2.0f);
    assert_memory_equal(set.inputs, features, sizeof features);
    dataset_free(&set);
    assert_int_equal(dataset_read(path_x, path_y, &set, problem), MYCEL_E_MALFORMED);
    assert_non_null(strstr(problem, "y.npy: the label of sample 0"));
}

static void test_sets_refused(void **state)
{
    (void)state;
    static const uint8_t zeros[64] = {0};
    static const uint8_t nan[] = {0, 0, 0, 0, 0, 0, 0xC0, 0x7F};
    static const struct {
        const char *x, *y;
        int code;
        const char *why;
    } rows[] = {
        {HEADER("|u1", "(2, 3)"), HEADER("|u1", "(3,)"), MYCEL_E_SHAPE, "y.npy: does not have one"},
        {HEADER("|u1", "(2, 3)"), HEADER("|u1", "(2, 2)"), MYCEL_E_SHAPE, "one value for each"},
        {HEADER("|u1", "(2, 3)"), HEADER("|u1", "()"), MYCEL_E_SHAPE, "one value for each"},
        {HEADER("|u1", "(0, 3)"), HEADER("|u1", "(0,)"), MYCEL_E_MALFORMED,
         "x.npy: has no samples"},
        {HEADER("|u1", "()"), HEADER("|u1", "()"), MYCEL_E_MALFORMED, "no samples"},
        {HEADER("|u1", "(1, 3, 4, 5)"), HEADER("|u1", "(1,)"), MYCEL_E_SHAPE, "channels first"},
    };
    struct dataset set;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct block x = array(1, rows[i].x, zeros, sizeof zeros);
        struct block y = array(1, rows[i].y, zeros, sizeof zeros);
        write_block(path_x, &x);
        write_block(path_y, &y);
        int rc = dataset_read(path_x, path_y, &set, problem);
        if (rc != rows[i].code || !strstr(problem, rows[i].why)) {
            fail_msg("row %zu: %d, %s", i, rc, problem);
        }
        assert_null(set.inputs);
    }
    struct block x = array(1, HEADER("<f4", "(2,)"), nan, sizeof nan);
    write_block(path_x, &x);
    assert_int_equal(dataset_read(path_x, path_y, &set, problem), MYCEL_E_MALFORMED);
    assert_non_null(strstr(problem, "sample 1 is not finite"));
    assert_int_equal(dataset_read(path_x, NULL, &set, problem), MYCEL_E_INVALID);
    assert_int_equal(dataset_read(path_x, "labels.idx", &set, problem), MYCEL_E_INVALID);
    assert_int_equal(dataset_read("/nonexistent.npy", path_y, &set, problem), MYCEL_E_NOT_FOUND);
}

/* ---- archives */

struct archive {
    struct block file;
    struct block directory;
    unsigned members;
};

static void add(struct archive *z, const char *name, const struct block *content, bool deflated)
{
    uint8_t packed[BYTES_MAX];
    z_stream s = {.next_in = (uint8_t *)(uintptr_t)content->bytes,
                  .avail_in = (uInt)content->size,
                  .next_out = packed,
                  .avail_out = sizeof packed};
    assert_int_equal(deflateInit2(&s, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&s, Z_FINISH), Z_STREAM_END);
    deflateEnd(&s);
    uint32_t size = deflated ? (uint32_t)s.total_out : (uint32_t)content->size;
    struct block common = {.size = 0};
    put_number(&common, 20, 2);
    put_number(&common, 0, 2);
    put_number(&common, deflated ? 8 : 0, 2);
    put_number(&common, 0, 4);
    put_number(&common, (uint32_t)crc32(0, content->bytes, (uInt)content->size), 4);
    put_number(&common, size, 4);
    put_number(&common, (uint32_t)content->size, 4);
    put_number(&common, (uint32_t)strlen(name), 2);
    size_t local = z->file.size;
    put_number(&z->file, 0x04034B50, 4);
    put(&z->file, common.bytes, common.size);
    put_number(&z->file, 4, 2); /* an extra field, as NumPy's ZIP64 ones are */
    put(&z->file, name, strlen(name));
    put(&z->file, "\1\0\0\0", 4);
    put(&z->file, deflated ? packed : content->bytes, size);
    put_number(&z->directory, 0x02014B50, 4);
    put_number(&z->directory, 20, 2);
    put(&z->directory, common.bytes, common.size);
    put(&z->directory, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
    put_number(&z->directory, (uint32_t)local, 4);
    put(&z->directory, name, strlen(name));
    z->members++;
}

static struct block finish(const struct archive *z)
{
    struct block b = z->file;
    put(&b, z->directory.bytes, z->directory.size);
    put_number(&b, 0x06054B50, 4);
    put_number(&b, 0, 4);
    put_number(&b, z->members, 2);
    put_number(&b, z->members, 2);
    put_number(&b, (uint32_t)z->directory.size, 4);
    put_number(&b, (uint32_t)z->file.size, 4);
    put_number(&b, 0, 2);
    return b;
}

static struct block sample_archive(bool deflated, const char *x_name, const char *y_name)
{
    static const uint8_t pixels[600] = {9, 8, 7};
    static const uint8_t labels[6] = {5, 4, 3, 2, 1, 0};
    struct block x = array(1, HEADER("|u1", "(6, 10, 10, 1)"), pixels, sizeof pixels);
    struct block y = array(1, HEADER("|u1", "(6,)"), labels, sizeof labels);
    struct archive z = {.members = 0};
    add(&z, "readme.npy", &y, deflated);
    add(&z, x_name, &x, deflated);
    add(&z, y_name, &y, deflated);
    return finish(&z);
}

static void check_sample(const char *inputs, const char *labels)
{
    struct dataset set;
    int rc = dataset_read(inputs, labels, &set, problem);
    if (rc < 0) {
        fail_msg("%d, %s", rc, problem);
    }
    assert_int_equal(set.samples, 6);
    assert_int_equal(set.features, 100);
    assert_int_equal(set.height, 10);
    assert_int_equal(set.width, 10);
    assert_int_equal(set.labels[0], 5);
    assert_int_equal(((uint8_t *)set.inputs)[2], 7);
    dataset_free(&set);
}

static void test_archives(void **state)
{
    (void)state;
    struct dataset set;
    char x[96], y[96];
    for (int deflated = 0; deflated < 2; deflated++) {
        struct block z = sample_archive(deflated, "x_train.npy", "y_train.npy");
        write_block(path_z, &z);
        check_sample(path_z, NULL);
        z = sample_archive(deflated, "photos.npy", "what.npy");
        write_block(path_z, &z);
        assert_int_equal(dataset_read(path_z, NULL, &set, problem), MYCEL_E_NOT_FOUND);
        assert_non_null(strstr(problem, "usual names"));
        snprintf(x, sizeof x, "%s:photos", path_z);
        snprintf(y, sizeof y, "%s:what", path_z);
        check_sample(x, y);
        snprintf(y, sizeof y, "%s:where", path_z);
        assert_int_equal(dataset_read(x, y, &set, problem), MYCEL_E_NOT_FOUND);
        assert_non_null(strstr(problem, "z.npz:where: has no array"));
    }
}

/* Any cut and many random flips: a set or a reason, and never memory that is not ours. */
static void test_damaged(void **state)
{
    (void)state;
    struct dataset set;
    for (int deflated = 0; deflated < 2; deflated++) {
        struct block whole = sample_archive(deflated, "x.npy", "y.npy");
        for (size_t size = 0; size < whole.size; size++) {
            struct block cut = whole;
            cut.size = size;
            write_block(path_z, &cut);
            assert_true(dataset_read(path_z, NULL, &set, problem) < 0);
            assert_null(set.inputs);
        }
        unsigned refused = 0;
        for (uint32_t i = 0; i < 4000; i++) {
            struct block bad = whole;
            uint32_t flips = 1 + rng_below(1, 1, i, 4);
            for (uint32_t f = 0; f < flips; f++) {
                bad.bytes[rng_below(1, 2, 8 * i + f, (uint32_t)whole.size)] ^=
                    (uint8_t)(1u << rng_below(1, 3, 8 * i + f, 8));
            }
            write_block(path_z, &bad);
            int rc = dataset_read(path_z, NULL, &set, problem);
            refused += rc < 0;
            assert_true(rc == 0 || set.inputs == NULL);
            dataset_free(&set);
        }
        assert_true(refused > 2000);
    }
}

/* A small archive that promises gigabytes is not believed. */
static void test_bomb(void **state)
{
    (void)state;
    struct block z = sample_archive(true, "x.npy", "y.npy");
    struct zip_archive zip;
    struct zip_member member;
    const char *why = "";
    assert_int_equal(zip_open(z.bytes, z.size, &zip, &why), 0);
    memcpy(z.bytes + zip.directory + 24, "\xFE\xFF\xFF\xFF", 4);
    assert_int_equal(zip_find(&zip, "readme.npy", &member, &why), MYCEL_E_MALFORMED);
    assert_non_null(strstr(why, "more bytes than it can hold"));
    memcpy(z.bytes + zip.directory + 24, "\xFF\xFF\xFF\xFF", 4);
    assert_int_equal(zip_find(&zip, "readme.npy", &member, &why), MYCEL_E_UNSUPPORTED);
    z.bytes[zip.directory + 8] |= 1;
    assert_int_equal(zip_find(&zip, "readme.npy", &member, &why), MYCEL_E_UNSUPPORTED);
    assert_non_null(strstr(why, "encrypted"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),     cmocka_unit_test(test_headers_refused),
        cmocka_unit_test(test_two_files), cmocka_unit_test(test_sets_refused),
        cmocka_unit_test(test_archives),  cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_bomb),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
