/* Attacks: what each reports and does to samples, by hand-computed numbers, and every wrong text. */
#include "common/rng.h"
#include "sim/fleet/attack.h"

#include <mycel/error.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const float base[] = {1.0f, -2.0f, 0.5f};
static const float trained[] = {1.5f, -2.25f, 0.5f};
#define N 3u

static struct attack_spec spec_of(const char *text)
{
    struct attack_spec spec;
    struct option_error error;
    int rc = attack_parse(text, &spec, &error);
    if (rc < 0) {
        fail_msg("'%s': column %d: %s", text, error.column, error.text);
    }
    return spec;
}

static void check_report(const char *text, const float *earlier, const float *expected)
{
    struct attack_spec spec = spec_of(text);
    struct attacker a = {.spec = &spec, .seed = 1, .device = 2, .round = 3, .earlier = earlier};
    float weights[N];
    memcpy(weights, trained, sizeof weights);
    attack_report(&a, base, weights, N);
    for (uint32_t i = 0; i < N; i++) {
        if (fabsf(weights[i] - expected[i]) > 1e-6f) {
            fail_msg("%s reports %g and not %g", text, (double)weights[i], (double)expected[i]);
        }
    }
}

static void test_reports(void **state)
{
    (void)state;
    static const float earlier[] = {1.0f, 1.0f, -1.0f};
    check_report("none", NULL, trained);
    check_report("labelflip", NULL, trained);
    check_report("sign", NULL, (const float[]){0.5f, -1.75f, 0.5f});
    check_report("scale", NULL, (const float[]){-4.0f, 0.5f, 0.5f});
    check_report("scale:2", NULL, (const float[]){2.0f, -2.5f, 0.5f});
    check_report("backdoor", NULL, trained);
    check_report("backdoor:boost=4", NULL, (const float[]){3.0f, -3.0f, 0.5f});
    check_report("replay", NULL, trained);
    check_report("replay", earlier, (const float[]){2.0f, -1.0f, -0.5f});
    check_report("freerider:0", NULL, base);
    float delta[N];
    attack_delta(base, trained, N, delta);
    assert_true(delta[0] == 0.5f && delta[1] == -0.25f && delta[2] == 0.0f);
    float weights[N];
    struct attack_spec spec = spec_of("nan");
    struct attacker a = {.spec = &spec};
    attack_report(&a, base, weights, N);
    assert_true(isnan(weights[0]) && isnan(weights[1]) && isnan(weights[2]));
    assert_false(attack_trains(&spec));
    spec = spec_of("freerider");
    assert_false(attack_trains(&spec));
    spec = spec_of("sign");
    assert_true(attack_trains(&spec));
}

static void test_freerider_noise(void **state)
{
    (void)state;
    enum { M = 40000 };
    static float zeros[M], one[M], two[M];
    struct attack_spec spec = spec_of("freerider:0.25");
    struct attacker a = {.spec = &spec, .seed = 1, .device = 2, .round = 3};
    attack_report(&a, zeros, one, M);
    double sum = 0, squares = 0;
    for (int i = 0; i < M; i++) {
        sum += (double)one[i];
        squares += (double)one[i] * (double)one[i];
    }
    assert_true(fabs(sum / M) < 0.005);
    assert_true(fabs(sqrt(squares / M) - 0.25) < 0.005);
    attack_report(&a, zeros, two, M);
    assert_memory_equal(one, two, sizeof one);
    a.device = 3; /* others look different, and so do other rounds */
    attack_report(&a, zeros, two, M);
    assert_memory_not_equal(one, two, sizeof one);
    a.device = 2;
    a.round = 4;
    attack_report(&a, zeros, two, M);
    assert_memory_not_equal(one, two, sizeof one);
}

/* The running mean and deviation are those of the whole crowd, computed here in double. */
static void test_alie(void **state)
{
    (void)state;
    enum { PARAMS = 64, CROWD = 20 };
    float mean[PARAMS], squares[PARAMS], zeros[PARAMS] = {0}, weights[CROWD][PARAMS];
    struct attack_crowd crowd = {.params = PARAMS, .mean = mean, .squares = squares};
    struct attack_spec spec = spec_of("alie:1.5");
    struct attacker a = {.spec = &spec, .crowd = &crowd};
    float report[PARAMS];
    attack_crowd_reset(&crowd);
    for (uint32_t c = 0; c < CROWD; c++) {
        for (uint32_t i = 0; i < PARAMS; i++) {
            weights[c][i] = rng_f32(1, c, i) - 0.25f;
        }
        attack_crowd_add(&crowd, zeros, weights[c]);
        memcpy(report, weights[c], sizeof report);
        attack_report(&a, zeros, report, PARAMS);
        if (c == 0) { /* alone, it is honest */
            assert_memory_equal(report, weights[0], sizeof report);
        }
    }
    for (uint32_t i = 0; i < PARAMS; i++) {
        double m = 0, v = 0;
        for (uint32_t c = 0; c < CROWD; c++) {
            m += (double)weights[c][i] / CROWD;
        }
        for (uint32_t c = 0; c < CROWD; c++) {
            v += ((double)weights[c][i] - m) * ((double)weights[c][i] - m) / CROWD;
        }
        assert_true(fabs((double)report[i] - (m - 1.5 * sqrt(v))) < 1e-5);
    }
    attack_crowd_reset(&crowd);
    assert_int_equal(crowd.count, 0);
    attack_report(&a, zeros, report, PARAMS); /* nobody added anything: as it was */
    attack_crowd_add(&crowd, zeros, weights[3]);
    attack_report(&a, zeros, report, PARAMS);
    assert_memory_equal(report, weights[3], sizeof report);
}

/* ---- samples */

static void test_label_flip(void **state)
{
    (void)state;
    struct dataset before, after;
    struct attack_spec spec = spec_of("labelflip");
    struct attacker a = {.spec = &spec};
    assert_int_equal(dataset_make(100, 4, 4, 10, 1, 0, &before), 0);
    assert_int_equal(dataset_make(100, 4, 4, 10, 1, 0, &after), 0);
    assert_int_equal(attack_samples(&a, &after), 0);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(after.labels[i], 9 - before.labels[i]);
    }
    assert_memory_equal(after.inputs, before.inputs, 1600);
    free(after.labels);
    after.labels = NULL;
    assert_int_equal(attack_samples(&a, &after), MYCEL_E_INVALID);
    spec = spec_of("sign"); /* leaves samples alone, whatever they are */
    assert_int_equal(attack_samples(&a, &after), 0);
    dataset_free(&before);
    dataset_free(&after);
}

static void test_backdoor(void **state)
{
    (void)state;
    struct dataset before, after, again;
    struct attack_spec spec = spec_of("backdoor:target=3,patch=2,share=0.3");
    struct attacker a = {.spec = &spec, .seed = 5, .device = 9, .round = 1};
    assert_int_equal(dataset_make(5000, 4, 5, 10, 1, 0, &before), 0);
    assert_int_equal(dataset_make(5000, 4, 5, 10, 1, 0, &after), 0);
    assert_int_equal(dataset_make(5000, 4, 5, 10, 1, 0, &again), 0);
    assert_int_equal(attack_samples(&a, &after), 0);
    a.round = 2;
    assert_int_equal(attack_samples(&a, &again), 0);
    assert_memory_equal(after.inputs, again.inputs, 5000 * 20);
    uint32_t poisoned = 0;
    for (uint32_t i = 0; i < 5000; i++) {
        const uint8_t *x = (const uint8_t *)before.inputs + i * 20u;
        const uint8_t *y = (const uint8_t *)after.inputs + i * 20u;
        bool touched = memcmp(x, y, 20) != 0;
        poisoned += touched;
        assert_int_equal(after.labels[i], touched ? 3 : before.labels[i]);
        for (uint32_t j = 0; j < 20; j++) {
            bool corner = j / 5 >= 2 && j % 5 >= 3;
            assert_int_equal(y[j], touched && corner ? 255 : x[j]);
        }
    }
    assert_in_range(poisoned, 1400, 1600);
    spec.target = 10;
    assert_int_equal(attack_samples(&a, &after), MYCEL_E_INVALID);
    dataset_free(&before);
    dataset_free(&after);
    dataset_free(&again);
}

/* Channels last, floats, and a patch larger than the image. */
static void test_trigger_shapes(void **state)
{
    (void)state;
    float values[12] = {0};
    uint32_t labels[1] = {1};
    struct attack_spec spec = spec_of("backdoor:target=0,patch=1,share=1");
    struct attacker a = {.spec = &spec};
    struct dataset set = {.type = DATASET_F32,
                          .samples = 1,
                          .features = 12,
                          .height = 2,
                          .width = 2,
                          .classes = 2,
                          .inputs = values,
                          .labels = labels};
    assert_int_equal(attack_samples(&a, &set), 0);
    for (int i = 0; i < 12; i++) {
        assert_true(values[i] == (i >= 9 ? 1.0f : 0.0f));
    }
    assert_int_equal(labels[0], 0);
    memset(values, 0, sizeof values);
    set.height = 1;
    set.width = 12;
    spec.patch = 4;
    assert_int_equal(attack_samples(&a, &set), 0);
    for (int i = 0; i < 12; i++) {
        assert_true(values[i] == (i >= 8 ? 1.0f : 0.0f));
    }
    set.height = 3;
    set.width = 4;
    spec.patch = 100;
    assert_int_equal(attack_samples(&a, &set), 0);
    for (int i = 0; i < 12; i++) {
        assert_true(values[i] == 1.0f);
    }
}

static void test_trigger_set(void **state)
{
    (void)state;
    struct dataset tests, out;
    struct attack_spec spec = spec_of("backdoor:target=3,patch=2");
    assert_int_equal(dataset_make(500, 4, 4, 10, 1, 1, &tests), 0);
    uint32_t others = 0;
    for (uint32_t i = 0; i < 500; i++) {
        others += tests.labels[i] != 3;
    }
    assert_int_equal(attack_trigger_set(&spec, &tests, &out), 0);
    assert_int_equal(out.samples, others);
    for (uint32_t i = 0; i < out.samples; i++) {
        const uint8_t *x = (const uint8_t *)out.inputs + i * 16u;
        assert_int_equal(out.labels[i], 3);
        assert_true(x[10] == 255 && x[11] == 255 && x[14] == 255 && x[15] == 255);
    }
    dataset_free(&out);
    for (uint32_t i = 0; i < 500; i++) {
        tests.labels[i] = 3;
    }
    assert_int_equal(attack_trigger_set(&spec, &tests, &out), MYCEL_E_INVALID);
    spec = spec_of("sign");
    assert_int_equal(attack_trigger_set(&spec, &tests, &out), MYCEL_E_INVALID);
    assert_null(out.inputs);
    dataset_free(&tests);
}

/* ---- text */

static void test_parse(void **state)
{
    (void)state;
    struct attack_spec spec = spec_of("backdoor");
    assert_int_equal(spec.target, 0);
    assert_int_equal(spec.patch, 3);
    assert_true(spec.share == 0.5f && spec.factor == 1.0f);
    spec = spec_of("backdoor:share=0.25,target=7,patch=5");
    assert_int_equal(spec.target, 7);
    assert_int_equal(spec.patch, 5);
    assert_true(spec.share == 0.25f);
    assert_true(spec_of("scale").factor == -10.0f);
    assert_true(spec_of("scale:-2.5").factor == -2.5f);
    assert_true(spec_of("alie").z == 1.5f);
    assert_true(spec_of("alie:0.3").z == 0.3f);
    assert_true(spec_of("freerider").noise == 0.001f);
    assert_true(spec_of("freerider:0.01").noise == 0.01f);
    for (int kind = ATTACK_NONE; kind <= ATTACK_NAN; kind++) {
        assert_int_equal(spec_of(attack_name((enum attack_kind)kind)).kind, kind);
    }
}

static void test_parse_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int column;
    } rows[] = {
        {"", 1},
        {"Sign", 1},
        {"signs", 1},
        {"sign:1", 5},
        {"nan:", 4},
        {"scale:", 7},
        {"scale:x", 7},
        {"scale:2x", 8},
        {"scale:nan", 7},
        {"scale:1e9", 7},
        {"freerider:-1", 11},
        {"alie: 1", 6},
        {"backdoor:target=1.5", 17},
        {"backdoor:patch=0", 16},
        {"backdoor:target=0,share=1.5", 25},
        {"backdoor:target=0,colour=1", 19},
        {"backdoor:target=0,target=1", 19},
        {"backdoor:target", 16},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct attack_spec spec;
        struct option_error error = {.column = 0};
        int rc = attack_parse(rows[i].text, &spec, &error);
        if (rc != MYCEL_E_MALFORMED || error.column != rows[i].column) {
            fail_msg("'%s': %d, column %d: %s", rows[i].text, rc, error.column,
                     error.text != NULL ? error.text : "");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reports),       cmocka_unit_test(test_freerider_noise),
        cmocka_unit_test(test_alie),          cmocka_unit_test(test_label_flip),
        cmocka_unit_test(test_backdoor),      cmocka_unit_test(test_trigger_shapes),
        cmocka_unit_test(test_trigger_set),   cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
