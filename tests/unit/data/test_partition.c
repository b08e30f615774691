/* Partitions: each kind's promise, the results that must never change, and everything refused. */
#include "common/rng.h"
#include "data/partition.h"

#include <mycel/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CLASSES 10u

static void make_set(struct dataset *set, uint32_t samples, uint32_t classes)
{
    assert_int_equal(dataset_make(samples, 1, 1, classes, 1, 0, set), 0);
}

static struct partition_spec spec_of(const char *text)
{
    struct partition_spec spec;
    assert_int_equal(partition_parse(text, &spec), 0);
    return spec;
}

static struct partition cut(const struct dataset *set, const char *text, uint32_t parts,
                            uint32_t least, uint64_t seed)
{
    struct partition_spec spec = spec_of(text);
    struct partition p;
    int rc = partition_disjoint(set, &spec, parts, least, seed, &p);
    if (rc < 0) {
        fail_msg("%s: %d, %s", text, rc, p.problem);
    }
    return p;
}

static uint64_t hash_of(const struct partition *p)
{
    uint64_t h = 0;
    for (uint32_t part = 0; part < p->parts; part++) {
        h = rng_mix64(h ^ (p->offsets[part + 1] - p->offsets[part])) + 1;
        for (uint32_t i = p->offsets[part]; i < p->offsets[part + 1]; i++) {
            h = rng_mix64(h ^ p->indices[i]) + 1;
        }
    }
    return h;
}

/* What devices in the field have agreed on: a change here gives them other samples. The first seven
 * were computed by the first release's code, one part at a time. */
static void test_results_never_change(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t samples, classes, parts, least, seed;
        uint64_t hash;
    } rows[] = {
        {"iid", 3000, 10, 7, 1, 9, 0x7B69865AD807DB6Au},
        {"iid", 1000, 10, 1000, 1, 1, 0xDBAD81A1CF19D342u},
        {"dirichlet:0.5", 3000, 10, 10, 20, 9, 0xF6A470E825ED75B3u},
        {"dirichlet:0.1", 3000, 10, 10, 5, 4, 0x7FEEC2CAD6D591C7u},
        {"dirichlet:100", 3000, 10, 3, 20, 9, 0xED231C0D003BCD66u},
        {"dirichlet:0.05", 5000, 10, 10, 1, 3, 0xD9B3916A415AF5D5u},
        {"dirichlet:0.5", 6000, 3, 100, 2, 7, 0xC1E44E8B8565BAE4u},
        {"shards:2", 6000, 10, 100, 10, 7, 0x69BB8EFBAE66D408u},
        {"labels:3", 6000, 10, 100, 10, 7, 0x7A5DA48E9603C1F4u},
        {"quantity:0.5", 6000, 10, 20, 10, 7, 0xDA9C687FA0D029A2u},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dataset set;
        make_set(&set, rows[i].samples, rows[i].classes);
        struct partition p = cut(&set, rows[i].text, rows[i].parts, rows[i].least, rows[i].seed);
        if (hash_of(&p) != rows[i].hash) {
            fail_msg("%s: 0x%016llX", rows[i].text, (unsigned long long)hash_of(&p));
        }
        partition_free(&p);
        dataset_free(&set);
    }
}

/* Every sample has exactly one owner, every part its least, and the fleet's call says the same. */
static void check_whole(const char *text, uint32_t parts, uint32_t least)
{
    struct dataset set;
    struct partition_spec spec = spec_of(text);
    make_set(&set, 3000, CLASSES);
    struct partition p = cut(&set, text, parts, least, 9);
    assert_int_equal(p.parts, parts);
    assert_int_equal(p.offsets[0], 0);
    assert_int_equal(p.offsets[parts], set.samples);
    assert_false(p.shared);
    uint8_t *owners = calloc(set.samples, 1);
    for (uint32_t part = 0; part < parts; part++) {
        assert_true(p.offsets[part + 1] >= p.offsets[part] + least);
        for (uint32_t i = p.offsets[part]; i < p.offsets[part + 1]; i++) {
            assert_in_range(p.indices[i], 0, set.samples - 1);
            assert_int_equal(owners[p.indices[i]]++, 0);
        }
    }
    free(owners);
    struct partition all;
    assert_int_equal(partition_all(&set, &spec, parts, least, 9, &all), 0);
    assert_false(all.shared);
    assert_memory_equal(all.offsets, p.offsets, (parts + 1) * sizeof *p.offsets);
    assert_memory_equal(all.indices, p.indices, set.samples * sizeof *p.indices);
    struct partition other;
    assert_int_equal(partition_all(&set, &spec, parts, least, 10, &other), 0);
    assert_true(hash_of(&other) != hash_of(&all));
    partition_free(&other);
    partition_free(&all);
    partition_free(&p);
    dataset_free(&set);
}

static void test_partitions_cover_and_are_disjoint(void **state)
{
    (void)state;
    check_whole("iid", 7, 1);
    check_whole("iid", 3000, 1);
    check_whole("dirichlet:0.5", 10, 20);
    check_whole("dirichlet:100", 3, 20);
    check_whole("shards:2", 100, 30);
    check_whole("shards:1", 3000, 1);
    check_whole("labels:2", 50, 1);
    check_whole("labels:10", 50, 40);
    check_whole("quantity:0.5", 10, 5);
    check_whole("quantity:1000", 100, 20);
    check_whole("quantity:0.01", 300, 9);
    check_whole("quantity:0.5", 299, 10);
}

static uint32_t classes_of(const struct dataset *set, const struct partition *p, uint32_t part,
                           uint32_t *most)
{
    uint32_t counts[CLASSES] = {0};
    uint32_t seen = 0;
    *most = 0;
    for (uint32_t i = p->offsets[part]; i < p->offsets[part + 1]; i++) {
        uint32_t n = ++counts[set->labels[p->indices[i]]];
        seen += n == 1;
        *most = n > *most ? n : *most;
    }
    return seen;
}

/* The largest class's share of a part: near 1/10 for a large alpha, near 1 for a small one. */
static float skew_of(const char *text)
{
    struct dataset set;
    float sum = 0;
    make_set(&set, 5000, CLASSES);
    struct partition p = cut(&set, text, 10, 1, 5);
    for (uint32_t part = 0; part < 10; part++) {
        uint32_t most;
        (void)classes_of(&set, &p, part, &most);
        sum += (float)most / (float)(p.offsets[part + 1] - p.offsets[part]) / 10;
    }
    partition_free(&p);
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
    struct dataset set; /* all shares underflow, and each class still has an owner */
    make_set(&set, 500, CLASSES);
    struct partition p = cut(&set, "dirichlet:0.000001", 10, 0, 5);
    assert_int_equal(p.offsets[10], 500);
    partition_free(&p);
    dataset_free(&set);
}

static void test_labels_per_part(void **state)
{
    (void)state;
    struct dataset set;
    make_set(&set, 6000, CLASSES);
    for (uint32_t k = 1; k <= CLASSES; k++) {
        char text[16];
        uint32_t most;
        (void)snprintf(text, sizeof text, "labels:%u", k);
        struct partition p = cut(&set, text, 40, 1, 3);
        for (uint32_t part = 0; part < 40; part++) {
            assert_int_equal(classes_of(&set, &p, part, &most), k);
        }
        partition_free(&p);
        (void)snprintf(text, sizeof text, "shards:%u", k);
        p = cut(&set, text, 40, 1, 3);
        for (uint32_t part = 0; part < 40; part++) { /* a shard may span a border between classes */
            assert_in_range(classes_of(&set, &p, part, &most), 1, 2 * k);
            assert_in_range(p.offsets[part + 1] - p.offsets[part], 6000 / 40 - k, 6000 / 40 + k);
        }
        partition_free(&p);
    }
    dataset_free(&set);
}

static void test_quantity_skews_sizes_only(void **state)
{
    (void)state;
    struct dataset set;
    make_set(&set, 20000, CLASSES);
    struct partition p = cut(&set, "quantity:0.5", 10, 20, 2);
    uint32_t largest = 0;
    for (uint32_t part = 0; part < 10; part++) {
        uint32_t most, size = p.offsets[part + 1] - p.offsets[part];
        (void)classes_of(&set, &p, part, &most);
        assert_true(size < 500 || most < size / 5); /* all classes alike */
        largest = size > largest ? size : largest;
    }
    assert_true(largest > 4000); /* twice the fair share */
    partition_free(&p);
    dataset_free(&set);
}

/* A fleet that is larger than its data. */
static void test_shared(void **state)
{
    (void)state;
    static const char *const kinds[] = {"iid",      "dirichlet:0.1", "dirichlet:0.0001",
                                        "shards:2", "labels:2",      "quantity:0.5"};
    struct dataset set;
    make_set(&set, 500, CLASSES);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct partition_spec spec = spec_of(kinds[i]);
        struct partition p, again;
        assert_int_equal(partition_disjoint(&set, &spec, 2000, 8, 3, &p), MYCEL_E_FULL);
        assert_int_equal(partition_all(&set, &spec, 2000, 8, 3, &p), 0);
        assert_int_equal(partition_all(&set, &spec, 2000, 8, 3, &again), 0);
        assert_int_equal(hash_of(&p), hash_of(&again));
        assert_true(p.shared);
        bool quantity = spec.kind == PARTITION_QUANTITY;
        uint32_t most, largest = 0, classes = 0;
        for (uint32_t part = 0; part < 2000; part++) {
            uint32_t size = p.offsets[part + 1] - p.offsets[part];
            assert_true(quantity ? size >= 8 : size == 8);
            classes += classes_of(&set, &p, part, &most);
            largest = size > largest ? size : largest;
        }
        for (uint32_t j = 0; j < p.offsets[2000]; j++) {
            assert_in_range(p.indices[j], 0, 499);
        }
        float seen = (float)classes / 2000;
        if (spec.kind == PARTITION_LABELS) {
            assert_true(seen == 2.0f);
        } else if (spec.kind == PARTITION_IID) {
            assert_true(seen > 5.0f && seen < 6.5f); /* 10 (1 - 0.9^8) = 5.7 */
        } else if (!quantity) {
            assert_true(seen < 3.0f);
        }
        assert_true(!quantity || (largest > 32 && p.offsets[2000] <= 2000 * 16));
        partition_free(&p);
        partition_free(&again);
    }
    dataset_free(&set);
}

/* Enough samples for all, but Dirichlet shares never deal them out so. */
static void test_shared_where_shares_starve(void **state)
{
    (void)state;
    struct dataset set;
    struct partition p;
    make_set(&set, 1000, CLASSES);
    struct partition_spec spec = spec_of("dirichlet:0.1");
    assert_int_equal(partition_disjoint(&set, &spec, 300, 3, 1, &p), MYCEL_E_FULL);
    assert_int_equal(partition_all(&set, &spec, 300, 3, 1, &p), 0);
    assert_true(p.shared);
    assert_string_equal(p.problem, "");
    assert_int_equal(p.offsets[300], 900);
    partition_free(&p);
    dataset_free(&set);
}

static void test_a_million_parts(void **state)
{
    (void)state;
    struct dataset set;
    struct partition p;
    make_set(&set, 60000, CLASSES);
    struct partition_spec spec = spec_of("labels:2");
    assert_int_equal(partition_all(&set, &spec, 1000000, 10, 1, &p), 0);
    assert_int_equal(p.offsets[1000000], 10000000);
    uint32_t most;
    for (uint32_t part = 0; part < 1000000; part += 997) {
        assert_int_equal(classes_of(&set, &p, part, &most), 2);
    }
    partition_free(&p);
    dataset_free(&set);
}

/* ---- what the data itself says */

static char path[] = "/tmp/mycel-lists-XXXXXX";

static void write_lists(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void test_file(void **state)
{
    (void)state;
    char text[64], problem[DATASET_PROBLEM_BYTES];
    struct dataset set;
    struct partition p;
    assert_true(close(mkstemp(path)) == 0);
    make_set(&set, 20, CLASSES);
    (void)snprintf(text, sizeof text, "file:%s", path);
    struct partition_spec spec = spec_of(text);
    write_lists("# who has what\n3 1,2\n 19\t,0 \r\n7\n\n");
    static const uint32_t indices[] = {3, 1, 2, 19, 0, 7, 3, 1, 2, 19, 0};
    static const uint32_t offsets[] = {0, 3, 5, 6, 9, 11};
    assert_int_equal(partition_natural(&set, &spec, problem), 3);
    assert_int_equal(partition_disjoint(&set, &spec, 4, 1, 1, &p), MYCEL_E_FULL);
    assert_non_null(strstr(p.problem, "names 3 parts, not 4"));
    for (uint32_t parts = 1; parts <= 5; parts++) {
        assert_int_equal(partition_all(&set, &spec, parts, 1, parts, &p), 0);
        assert_int_equal(p.shared, parts > 3);
        assert_memory_equal(p.offsets, offsets, (parts + 1) * sizeof *offsets);
        assert_memory_equal(p.indices, indices, offsets[parts] * sizeof *indices);
        partition_free(&p);
    }
    static const struct {
        const char *text;
        const char *place;
    } bad[] = {{"", "holds no parts"},        {"\n\n", "holds no parts"},
               {"1\n\n2\n", ":2: column 1"},  {"1 20\n", ":1: column 3"},
               {"1\n2,,3\n", ":2: column 3"}, {"1,\n", ":1: column 3"},
               {",1\n", ":1: column 1"},      {"1 -2\n", ":1: column 3"},
               {"1 2x\n", ":1: column 4"},    {"99999999999999999999\n", ":1: column"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_lists(bad[i].text);
        assert_int_equal(partition_all(&set, &spec, 1, 1, 1, &p), MYCEL_E_MALFORMED);
        if (!strstr(p.problem, bad[i].place)) {
            fail_msg("case %zu says \"%s\" and not \"%s\"", i, p.problem, bad[i].place);
        }
        assert_null(p.indices);
        assert_int_equal(partition_natural(&set, &spec, problem), MYCEL_E_MALFORMED);
        assert_string_equal(problem, p.problem);
    }
    unlink(path);
    assert_int_equal(partition_all(&set, &spec, 1, 1, 1, &p), MYCEL_E_NOT_FOUND);
    dataset_free(&set);
}

static void test_column(void **state)
{
    (void)state;
    struct dataset set;
    struct partition p;
    struct partition_spec spec = spec_of("column:sensor");
    make_set(&set, 6, CLASSES);
    assert_int_equal(partition_all(&set, &spec, 2, 1, 1, &p), MYCEL_E_INVALID);
    static const uint32_t groups[] = {0, 1, 0, 2, 1, 0};
    set.groups = malloc(sizeof groups);
    memcpy(set.groups, groups, sizeof groups);
    set.groups_count = 3;
    static const uint32_t indices[] = {0, 2, 5, 1, 4, 3, 0, 2, 5};
    static const uint32_t offsets[] = {0, 3, 5, 6, 9};
    assert_int_equal(partition_natural(&set, &spec, NULL), 3);
    assert_int_equal(partition_disjoint(&set, &spec, 4, 1, 1, &p), MYCEL_E_FULL);
    for (uint32_t parts = 1; parts <= 4; parts++) {
        assert_int_equal(partition_all(&set, &spec, parts, 1, 1, &p), 0);
        assert_int_equal(p.shared, parts > 3);
        assert_memory_equal(p.offsets, offsets, (parts + 1) * sizeof *offsets);
        assert_memory_equal(p.indices, indices, offsets[parts] * sizeof *indices);
        partition_free(&p);
    }
    dataset_free(&set);
}

/* ---- refusals */

static void test_parse_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "IID",          "iid:",           "iid:1",       "dirichlet",  "dirichlet:",
        "shards",    "dirichlet:0",  "dirichlet:-1",   "shards:0",    "shards:-1",  "shards:+2",
        "labels: 2", "dirichlet:1x", "dirichlet:nan",  "shards:2x",   "labels:",    "quantity:inf",
        "file",      "file:",        "shards:9999999", "column:",     "columns:id", "i",
        "labels:2 ", "quantity:0",   "shards:1e1",     "labels:65537"};
    struct partition_spec spec;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (partition_parse(bad[i], &spec) != MYCEL_E_INVALID) {
            fail_msg("'%s' was taken", bad[i]);
        }
    }
}

static void refuse(const struct dataset *set, const char *text, uint32_t parts, uint32_t least,
                   int code, const char *why)
{
    struct partition_spec spec = spec_of(text);
    struct partition p;
    assert_int_equal(partition_disjoint(set, &spec, parts, least, 1, &p), code);
    assert_null(p.indices);
    assert_null(p.offsets);
    if (!strstr(p.problem, why)) {
        fail_msg("%s says \"%s\" and not \"%s\"", text, p.problem, why);
    }
}

static void test_cut_refused(void **state)
{
    (void)state;
    struct dataset set;
    make_set(&set, 20, CLASSES);
    refuse(&set, "iid", 0, 1, MYCEL_E_INVALID, "1 to 1000000 parts");
    refuse(&set, "iid", PARTITION_PARTS_MAX + 1, 1, MYCEL_E_INVALID, "1 to 1000000 parts");
    refuse(&set, "iid", 30, 1, MYCEL_E_FULL, "too few for 30 parts");
    refuse(&set, "dirichlet:0.01", 10, 2, MYCEL_E_FULL, "larger alpha");
    refuse(&set, "quantity:0.01", 10, 3, MYCEL_E_FULL, "too few for 10 parts");
    refuse(&set, "labels:1", 20, 1, MYCEL_E_FULL, "would have");
    refuse(&set, "shards:3", 10, 1, MYCEL_E_FULL, "more than 20 samples");
    refuse(&set, "labels:11", 2, 1, MYCEL_E_INVALID, "cannot see 11 labels");
    struct partition_spec spec = spec_of("iid");
    struct partition p;
    assert_int_equal(partition_all(&set, &spec, 1000000, 1000000, 1, &p), MYCEL_E_TOO_LARGE);
    free(set.labels);
    set.labels = NULL;
    refuse(&set, "labels:2", 2, 1, MYCEL_E_INVALID, "targets");
    refuse(&set, "shards:2", 2, 1, MYCEL_E_INVALID, "targets");
    refuse(&set, "dirichlet:1", 2, 1, MYCEL_E_INVALID, "targets");
    p = cut(&set, "quantity:5", 2, 1, 1); /* needs none */
    partition_free(&p);
    dataset_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_never_change),
        cmocka_unit_test(test_partitions_cover_and_are_disjoint),
        cmocka_unit_test(test_alpha_means_skew),
        cmocka_unit_test(test_labels_per_part),
        cmocka_unit_test(test_quantity_skews_sizes_only),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_shared_where_shares_starve),
        cmocka_unit_test(test_a_million_parts),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_column),
        cmocka_unit_test(test_parse_refused),
        cmocka_unit_test(test_cut_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
