/* Data sets: good files of each format, and every way in which a file can be wrong. */
#include "data/dataset.h"
#include "data/partition.h"

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
    assert_int_equal(dataset_read_csv(path_a, DATASET_TARGETS, &set, problem), 0);
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

static void check_partition(const char *text, uint32_t parts, uint32_t least)
{
    struct dataset set;
    struct partition_spec spec;
    assert_int_equal(dataset_make(3000, 2, 2, 10, 1, 0, &set), 0);
    assert_int_equal(partition_parse(text, &spec), 0);
    uint8_t *owners = calloc(set.samples, 1);
    uint32_t total = 0;
    for (uint32_t part = 0; part < parts; part++) {
        uint32_t *indices, count, *again, again_count;
        assert_int_equal(partition_indices(&set, &spec, parts, part, least, 9, &indices, &count),
                         0);
        assert_int_equal(
            partition_indices(&set, &spec, parts, part, least, 9, &again, &again_count), 0);
        assert_int_equal(count, again_count);
        assert_memory_equal(indices, again, count * sizeof *indices);
        assert_true(count >= least);
        for (uint32_t i = 0; i < count; i++) {
            assert_in_range(indices[i], 0, set.samples - 1);
            assert_int_equal(owners[indices[i]]++, 0);
        }
        total += count;
        struct dataset picked;
        assert_int_equal(dataset_pick(&set, indices, count, &picked), 0);
        assert_int_equal(picked.labels[0], set.labels[indices[0]]);
        dataset_free(&picked);
        free(indices);
        free(again);
    }
    assert_int_equal(total, set.samples);
    free(owners);
    dataset_free(&set);
}

static void test_partitions_cover_and_are_disjoint(void **state)
{
    (void)state;
    check_partition("iid", 7, 1);
    check_partition("dirichlet:0.5", 10, 20);
    check_partition("dirichlet:100", 3, 20);
}

/* The largest class's share of a part: near 1/10 for a large alpha, near 1 for a small one. */
static float skew_of(const char *text)
{
    struct dataset set;
    struct partition_spec spec;
    float sum = 0;
    assert_int_equal(dataset_make(5000, 2, 2, 10, 3, 0, &set), 0);
    assert_int_equal(partition_parse(text, &spec), 0);
    for (uint32_t part = 0; part < 10; part++) {
        uint32_t *indices, count, classes[10] = {0}, most = 0;
        assert_int_equal(partition_indices(&set, &spec, 10, part, 1, 5, &indices, &count), 0);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t n = ++classes[set.labels[indices[i]]];
            most = n > most ? n : most;
        }
        sum += (float)most / (float)count / 10;
        free(indices);
    }
    dataset_free(&set);
    return sum;
}

static void test_alpha_means_skew(void **state)
{
    (void)state;
    float even = skew_of("dirichlet:1000");
    float some = skew_of("dirichlet:0.5");
    float much = skew_of("dirichlet:0.05");
    assert_true(even < 0.16f);
    assert_true(some > 0.25f && some < 0.65f);
    assert_true(much > some);
}

static void test_partition_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "IID",
                                      "dirichlet",
                                      "dirichlet:",
                                      "dirichlet:0",
                                      "dirichlet:-1",
                                      "dirichlet:nan",
                                      "dirichlet:1x"};
    struct partition_spec spec;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(partition_parse(bad[i], &spec), MYCEL_E_INVALID);
    }
    struct dataset set;
    uint32_t *indices, count;
    assert_int_equal(dataset_make(20, 2, 2, 10, 1, 0, &set), 0);
    partition_parse("iid", &spec);
    assert_int_equal(partition_indices(&set, &spec, 3, 3, 1, 1, &indices, &count), MYCEL_E_INVALID);
    assert_int_equal(partition_indices(&set, &spec, 0, 0, 1, 1, &indices, &count), MYCEL_E_INVALID);
    assert_int_equal(partition_indices(&set, &spec, 30, 0, 1, 1, &indices, &count), MYCEL_E_FULL);
    partition_parse("dirichlet:0.01", &spec);
    assert_int_equal(partition_indices(&set, &spec, 10, 0, 2, 1, &indices, &count), MYCEL_E_FULL);
    dataset_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idx),
        cmocka_unit_test(test_idx_gzip),
        cmocka_unit_test(test_idx_refused),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_refused),
        cmocka_unit_test(test_made_task),
        cmocka_unit_test(test_partitions_cover_and_are_disjoint),
        cmocka_unit_test(test_alpha_means_skew),
        cmocka_unit_test(test_partition_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
