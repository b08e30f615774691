/* Data sets: good files of each format, and every way in which a file can be wrong. */
#include "data/dataset.h"

#include <mycel/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

static char folder[] = "/tmp/mycel-data-XXXXXX";
static char path_a[64];
static char path_b[64];
static char problem[DATASET_PROBLEM_BYTES];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(path_a, sizeof path_a, "%s/a", folder);
    snprintf(path_b, sizeof path_b, "%s/b", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path_a);
    unlink(path_b);
    return rmdir(folder);
}

static void write_file(const char *path, const void *data, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

static void write_text(const char *path, const char *text)
{
    write_file(path, text, strlen(text));
}

/* Two 2×3 images and their labels 7 and 1. */
static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0,  0,  2,  0,  0,
                                 0, 3, 1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14};
static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 1};

static void test_idx(void **state)
{
    (void)state;
    struct dataset set;
    write_file(path_a, images, sizeof images);
    write_file(path_b, labels, sizeof labels);
    assert_int_equal(dataset_read(path_a, path_b, &set, problem), 0);
    assert_int_equal(set.samples, 2);
    assert_int_equal(set.features, 6);
    assert_int_equal(set.height, 2);
    assert_int_equal(set.width, 3);
    assert_int_equal(set.classes, 8);
    assert_int_equal(((uint8_t *)set.inputs)[6], 9);
    assert_int_equal(set.labels[1], 1);
    dataset_free(&set);
}

static void test_idx_gzip(void **state)
{
    (void)state;
    struct dataset set;
    gzFile f = gzopen(path_a, "wb");
    assert_int_equal(gzwrite(f, images, sizeof images), (int)sizeof images);
    gzclose(f);
    write_file(path_b, labels, sizeof labels);
    assert_int_equal(dataset_read_idx(path_a, path_b, &set, problem), 0);
    assert_int_equal(((uint8_t *)set.inputs)[11], 14);
    dataset_free(&set);
}

static void test_idx_refused(void **state)
{
    (void)state;
    struct dataset set;
    uint8_t bad[sizeof images];
    write_file(path_b, labels, sizeof labels);
    for (size_t cut = 0; cut < sizeof images; cut++) {
        write_file(path_a, images, cut);
        assert_int_equal(dataset_read_idx(path_a, path_b, &set, problem), MYCEL_E_MALFORMED);
        assert_null(set.inputs);
    }
    memcpy(bad, images, sizeof bad);
    bad[4] = 0x7F; /* two billion samples */
    write_file(path_a, bad, sizeof bad);
    assert_int_equal(dataset_read_idx(path_a, path_b, &set, problem), MYCEL_E_TOO_LARGE);
    bad[4] = 0;
    bad[7] = 0; /* none */
    write_file(path_a, bad, sizeof bad);
    assert_int_equal(dataset_read_idx(path_a, path_b, &set, problem), MYCEL_E_MALFORMED);

    write_file(path_a, images, sizeof images);
    write_file(path_b, labels, sizeof labels - 1);
    assert_int_equal(dataset_read_idx(path_a, path_b, &set, problem), MYCEL_E_MALFORMED);
    uint8_t fewer[sizeof labels];
    memcpy(fewer, labels, sizeof fewer);
    fewer[7] = 1;
    write_file(path_b, fewer, sizeof fewer);
    assert_int_equal(dataset_read_idx(path_a, path_b, &set, problem), MYCEL_E_SHAPE);
    assert_non_null(strstr(problem, path_b));
    assert_int_equal(dataset_read_idx("/nonexistent", path_b, &set, problem), MYCEL_E_NOT_FOUND);
}

static void test_csv(void **state)
{
    (void)state;
    struct dataset set;
    write_text(path_a, "x,y,label\n1,2.5,0\n\n-3 , 4e1,2\n");
    assert_int_equal(dataset_read(path_a, NULL, &set, problem), 0);
    assert_int_equal(set.samples, 2);
    assert_int_equal(set.features, 2);
    assert_int_equal(set.classes, 3);
    assert_true(((float *)set.inputs)[1] == 2.5f && ((float *)set.inputs)[3] == 40.0f);
    assert_int_equal(set.labels[1], 2);
    dataset_free(&set);

    write_text(path_a, "1,0,1,0\n0,1,1,1");
    struct dataset_source targets = {.inputs = path_a, .target = DATASET_TARGETS};
    assert_int_equal(dataset_read_from(&targets, &set, problem), 0);
    assert_int_equal(set.samples, 2);
    assert_true(set.targets[1] == 1.0f);
    assert_null(set.labels);
    dataset_free(&set);
}

static void test_csv_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        const char *place;
    } rows[] = {
        {"", MYCEL_E_MALFORMED, "no samples"},
        {"a,b\n", MYCEL_E_MALFORMED, "no samples"},
        {"1\n2\n", MYCEL_E_MALFORMED, "feature"},
        {"1,2,0\n1,2\n", MYCEL_E_MALFORMED, ":2: column 3"},
        {"1,2,0\n1,2,0,9\n", MYCEL_E_MALFORMED, ":2: column 4"},
        {"1,2,0\n1,x,0\n", MYCEL_E_MALFORMED, ":2: column 2"},
        {"1,2,0\n1,nan,0\n", MYCEL_E_MALFORMED, ":2: column 2"},
        {"1,2,0\n1,1e99,0\n", MYCEL_E_MALFORMED, ":2: column 2"},
        {"1,2,0\n1,2,-1\n", MYCEL_E_MALFORMED, ":2: column 3"},
        {"1,2,0\n1,2,0.5\n", MYCEL_E_MALFORMED, ":2: column 3"},
        {"1,2,0\n1,2,70000\n", MYCEL_E_MALFORMED, ":2: column 3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dataset set;
        write_text(path_a, rows[i].text);
        assert_int_equal(dataset_read(path_a, NULL, &set, problem), rows[i].code);
        if (!strstr(problem, rows[i].place)) {
            fail_msg("case %zu says \"%s\" and not \"%s\"", i, problem, rows[i].place);
        }
        assert_null(set.inputs);
    }
}

static void test_made_task(void **state)
{
    (void)state;
    struct dataset a, b, other;
    assert_int_equal(dataset_make(500, 12, 12, 10, 7, 0, &a), 0);
    assert_int_equal(dataset_make(500, 12, 12, 10, 7, 0, &b), 0);
    assert_int_equal(dataset_make(500, 12, 12, 10, 7, 1, &other), 0);
    assert_memory_equal(a.inputs, b.inputs, 500 * 144);
    assert_memory_not_equal(a.inputs, other.inputs, 500 * 144);
    dataset_free(&a);
    dataset_free(&b);
    dataset_free(&other);
}

static void test_csv_id_column(void **state)
{
    (void)state;
    struct dataset set;
    write_text(path_a, "sensor,x,label\nroof-7,1,0\ncellar,2,1\n roof-7 ,3,0\n");
    static const char *const columns[] = {"sensor", "1"};
    for (size_t i = 0; i < 2; i++) {
        struct dataset_source source = {.inputs = path_a, .id_column = columns[i]};
        assert_int_equal(dataset_read_from(&source, &set, problem), 0);
        assert_int_equal(set.samples, 3);
        assert_int_equal(set.features, 1);
        assert_int_equal(set.classes, 2);
        assert_int_equal(set.groups_count, 2);
        assert_int_equal(set.groups[0], 0);
        assert_int_equal(set.groups[1], 1);
        assert_int_equal(set.groups[2], 0);
        assert_true(((float *)set.inputs)[2] == 3.0f);
        dataset_free(&set);
    }
    /* Behind the label, without a header, and where the set decides what its last column is. */
    write_text(path_a, "1,0.5,a\n2,1,b\n3,2,b\n");
    struct dataset_source last = {.inputs = path_a, .target = DATASET_EITHER, .id_column = "3"};
    assert_int_equal(dataset_read_from(&last, &set, problem), 0);
    assert_int_equal(set.samples, 3);
    assert_int_equal(set.groups_count, 2);
    assert_non_null(set.targets);
    assert_null(set.labels);
    dataset_free(&set);
}

static void test_csv_id_column_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *column;
        int code;
        const char *place;
    } rows[] = {
        {"id,x,y\n1,2,0\n", "name", MYCEL_E_NOT_FOUND, "id column"},
        {"", "name", MYCEL_E_NOT_FOUND, "id column"},
        {"1,2,0\n", "4", MYCEL_E_NOT_FOUND, "fewer columns"},
        {"1,2,0\n", "0", MYCEL_E_NOT_FOUND, "from 1"},
        {"id,y\n1,2\n", "id", MYCEL_E_MALFORMED, "at least one feature"},
        {"id,x,y\n1,2,0\n ,2,0\n", "id", MYCEL_E_MALFORMED, ":3: column 1"},
        {"id,x,y\n1,2,0\n1,b,0\n", "id", MYCEL_E_MALFORMED, ":3: column 2"},
        {"id,x,y\n1,2,0\n1,2\n", "id", MYCEL_E_MALFORMED, ":3: column 3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dataset set;
        struct dataset_source source = {.inputs = path_a, .id_column = rows[i].column};
        write_text(path_a, rows[i].text);
        assert_int_equal(dataset_read_from(&source, &set, problem), rows[i].code);
        if (!strstr(problem, rows[i].place)) {
            fail_msg("case %zu says \"%s\" and not \"%s\"", i, problem, rows[i].place);
        }
        assert_null(set.inputs);
        assert_null(set.groups);
    }
    struct dataset set;
    struct dataset_source idx = {.inputs = path_a, .labels = path_b, .id_column = "id"};
    assert_int_equal(dataset_read_from(&idx, &set, problem), MYCEL_E_INVALID);
}

/* Ten thousand ids: the table grows and every id keeps its number. */
static void test_many_ids(void **state)
{
    (void)state;
    struct dataset set;
    FILE *f = fopen(path_a, "w");
    assert_non_null(f);
    for (unsigned i = 0; i < 20000; i++) {
        fprintf(f, "node-%u,%u,%u\n", i % 10000, i, i % 3);
    }
    assert_int_equal(fclose(f), 0);
    struct dataset_source source = {.inputs = path_a, .id_column = "1"};
    assert_int_equal(dataset_read_from(&source, &set, problem), 0);
    assert_int_equal(set.groups_count, 10000);
    for (uint32_t i = 0; i < set.samples; i++) {
        assert_int_equal(set.groups[i], i % 10000);
    }
    dataset_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idx),           cmocka_unit_test(test_idx_gzip),
        cmocka_unit_test(test_idx_refused),   cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_refused),   cmocka_unit_test(test_made_task),
        cmocka_unit_test(test_csv_id_column), cmocka_unit_test(test_csv_id_column_refused),
        cmocka_unit_test(test_many_ids),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
