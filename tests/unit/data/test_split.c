/* Splits and feature skew: what each device's samples become, and that nobody else's changes. */
#include "data/skew.h"
#include "data/split.h"

#include <mycel/error.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char problem[DATASET_PROBLEM_BYTES];

static void test_sizes(void **state)
{
    (void)state;
    struct split_spec spec;
    uint32_t sizes[SPLIT_SHARES];
    assert_int_equal(split_parse("800/100/100", &spec, problem), 0);
    split_sizes(&spec, 605, sizes);
    assert_int_equal(sizes[SPLIT_TRAIN], 485);
    assert_int_equal(sizes[SPLIT_VALIDATION], 60);
    assert_int_equal(sizes[SPLIT_TEST], 60);
    assert_int_equal(split_parse("1/499/500", &spec, problem), 0);
    for (uint32_t count = 1; count < 3000; count++) {
        split_sizes(&spec, count, sizes);
        assert_true(sizes[0] >= 1);
        assert_int_equal(sizes[0] + sizes[1] + sizes[2], count);
    }
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void test_split_stays_within_parts(void **state)
{
    (void)state;
    struct dataset set;
    struct partition p, again, whole;
    struct partition_spec kind;
    struct split_spec spec;
    assert_int_equal(dataset_make(2000, 1, 1, 10, 1, 0, &set), 0);
    assert_int_equal(partition_parse("dirichlet:0.5", &kind), 0);
    assert_int_equal(split_parse("700/100/200", &spec, NULL), 0);
    assert_int_equal(partition_all(&set, &kind, 8, 10, 3, &p), 0);
    assert_int_equal(partition_all(&set, &kind, 8, 10, 3, &again), 0);
    assert_int_equal(partition_all(&set, &kind, 8, 10, 3, &whole), 0);
    split_all(&spec, 5, &p);
    split_all(&spec, 5, &again);
    assert_memory_equal(p.indices, again.indices, set.samples * sizeof *p.indices);
    assert_memory_not_equal(p.indices, whole.indices, set.samples * sizeof *p.indices);
    split_all(&spec, 6, &again);
    assert_memory_not_equal(p.indices, again.indices, set.samples * sizeof *p.indices);
    for (uint32_t part = 0; part < 8; part++) {
        uint32_t first = p.offsets[part], count = p.offsets[part + 1] - first;
        qsort(p.indices + first, count, sizeof *p.indices, by_number);
        qsort(whole.indices + first, count, sizeof *p.indices, by_number);
    }
    assert_memory_equal(p.indices, whole.indices, set.samples * sizeof *p.indices);
    assert_int_equal(split_parse("1000/0/0", &spec, NULL), 0);
    split_all(&spec, 7, &whole);
    assert_memory_equal(p.indices, whole.indices, set.samples * sizeof *p.indices);
    partition_free(&p);
    partition_free(&again);
    partition_free(&whole);
    dataset_free(&set);
}

struct refusal {
    const char *text;
    const char *why;
};

static void test_split_refused(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {"", "column 1: training's share needs"},
        {"800", "column 4: '/' and validation's"},
        {"800/100/50", "column 11: the shares are 950"},
        {"0/500/500", "column 1: training's share is a whole number from 1 to 1000"},
        {"800/100.5/99.5", "column 5: validation's share is a whole"},
        {"800/-1/201", "column 5: validation's share is a whole"},
        {"800/100/100/0", "column 12: '/0' is too much"},
        {"800/ 100/100", "column 5: validation's share needs a number"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct split_spec spec;
        assert_int_equal(split_parse(rows[i].text, &spec, problem), MYCEL_E_INVALID);
        if (!strstr(problem, rows[i].why)) {
            fail_msg("'%s' says \"%s\"", rows[i].text, problem);
        }
    }
}

/* ---- feature skew */

static void test_skew_parse(void **state)
{
    (void)state;
    struct skew_spec spec;
    assert_int_equal(skew_parse("skew:rotate=30,noise=0.1", &spec, problem), 0);
    assert_true(spec.rotate == 30.0f && spec.noise == 0.1f);
    assert_int_equal(skew_parse("noise=0.5", &spec, problem), 0);
    assert_true(spec.rotate == 0 && spec.noise == 0.5f);
    assert_int_equal(skew_parse("none", &spec, problem), 0);
    assert_true(spec.rotate == 0 && spec.noise == 0);
    static const struct refusal rows[] = {
        {"", "column 1: no such setting"},
        {"skew", "column 5: rotate=DEGREES"},
        {"skew:", "column 6: no such setting"},
        {"rotate=200", "column 8: rotate is a number from 0 to 180"},
        {"rotate=30,", "column 11: no such setting"},
        {"rotate=30;noise=1", "column 10: ';noise=1' is too much"},
        {"rotate=1,rotate=2", "column 10: rotate is given twice"},
        {"noise", "column 6: noise needs '='"},
        {"noise=x", "column 7: noise needs a number"},
        {"noise=nan", "column 7: noise needs a number"},
        {"blur=1", "column 1: no such setting: 'blur'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(skew_parse(rows[i].text, &spec, problem), MYCEL_E_INVALID);
        if (!strstr(problem, rows[i].why)) {
            fail_msg("'%s' says \"%s\"", rows[i].text, problem);
        }
    }
}

/* A quarter turn counter-clockwise moves each pixel where it belongs, in both types, each channel. */
static void test_quarter_turn(void **state)
{
    (void)state;
    static const uint8_t before[] = {1,   101, 2,   102, 3,   103, 4,   104, 5,
                                     105, 6,   106, 7,   107, 8,   108, 9,   109};
    static const uint8_t after[] = {3,   103, 6,   106, 9,   109, 2,   102, 5,
                                    105, 8,   108, 1,   101, 4,   104, 7,   107};
    uint8_t bytes[18];
    float floats[18];
    for (int i = 0; i < 18; i++) {
        bytes[i] = before[i];
        floats[i] = before[i];
    }
    struct dataset set = {
        .type = DATASET_U8, .samples = 1, .features = 18, .height = 3, .width = 3, .inputs = bytes};
    struct skew skew = {.degrees = 90.0f};
    assert_int_equal(skew_apply(&skew, &set), 0);
    assert_memory_equal(bytes, after, sizeof after);
    set.type = DATASET_F32;
    set.inputs = floats;
    assert_int_equal(skew_apply(&skew, &set), 0);
    for (int i = 0; i < 18; i++) {
        assert_true(fabsf(floats[i] - after[i]) < 1e-3f);
    }
    set.height = 1;
    set.width = 18;
    assert_int_equal(skew_apply(&skew, &set), MYCEL_E_INVALID);
}

static void test_noise(void **state)
{
    (void)state;
    enum { N = 40000 };
    static float first[N], second[N];
    memset(first, 0, sizeof first);
    memset(second, 0, sizeof second);
    struct dataset set = {
        .type = DATASET_F32, .samples = 40, .features = N / 40, .height = 1, .width = N / 40};
    struct skew skew = {.seed = 3, .part = 7, .noise = 0.5f};
    set.inputs = first;
    assert_int_equal(skew_apply(&skew, &set), 0);
    double sum = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        sum += (double)first[i];
        squares += (double)first[i] * (double)first[i];
    }
    assert_true(fabs(sum / N) < 0.01);
    assert_true(fabs(sqrt(squares / N) - 0.5) < 0.01);
    set.inputs = second;
    assert_int_equal(skew_apply(&skew, &set), 0);
    assert_memory_equal(first, second, sizeof first);
    memset(second, 0, sizeof second);
    skew.part = 8;
    assert_int_equal(skew_apply(&skew, &set), 0);
    assert_memory_not_equal(first, second, sizeof first);
    uint8_t bytes[200] = {0};
    struct dataset tiny = {.type = DATASET_U8, .samples = 2, .features = 100, .inputs = bytes};
    skew.noise = 10.0f; /* ten times full scale: nearly all values are cut off, and none may wrap */
    assert_int_equal(skew_apply(&skew, &tiny), 0);
    unsigned black = 0, white = 0;
    for (int i = 0; i < 200; i++) {
        black += bytes[i] == 0;
        white += bytes[i] == 255;
    }
    assert_true(black > 80 && white > 60 && black + white < 200);
}

/* Parts differ, within the limits, and no part's draw depends on another's. */
static void test_skew_of_parts(void **state)
{
    (void)state;
    struct skew_spec spec = {.rotate = 30.0f, .noise = 0.2f};
    float least = 30, most = -30;
    for (uint32_t part = 0; part < 1000; part++) {
        struct skew a = skew_of_part(&spec, 4, part);
        struct skew b = skew_of_part(&spec, 4, part);
        assert_true(a.degrees == b.degrees && a.noise == b.noise);
        assert_true(fabsf(a.degrees) <= 30.0f && a.noise >= 0 && a.noise < 0.2f);
        least = a.degrees < least ? a.degrees : least;
        most = a.degrees > most ? a.degrees : most;
    }
    assert_true(least < -29.0f && most > 29.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),         cmocka_unit_test(test_split_stays_within_parts),
        cmocka_unit_test(test_split_refused), cmocka_unit_test(test_skew_parse),
        cmocka_unit_test(test_quarter_turn),  cmocka_unit_test(test_noise),
        cmocka_unit_test(test_skew_of_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
