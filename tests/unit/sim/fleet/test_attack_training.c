/* Attacks against real training: ten devices, federated averaging, the trainer that devices run. What
 * each attack is for must happen: accuracy falls, or the trigger is obeyed while accuracy stays. */
#include "data/partition.h"
#include "sim/fleet/attack.h"

#include <mycel/error.h>
#include <mycel/nn.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DEVICES 10u
#define ROUNDS 20u
#define SIDE 8u
#define CLASSES 4u
#define TESTS 500u
#define PARAMS_MAX 2048u
#define ARENA_BYTES 65536u

struct federation {
    struct mycel_model model;
    struct mycel_nn_plan plan;
    struct mycel_nn *nn;
    _Alignas(MYCEL_NN_ALIGN) uint8_t arena[ARENA_BYTES];
    struct dataset all;
    struct dataset tests;
    struct partition parts;
    float base[PARAMS_MAX];
    float sum[PARAMS_MAX];
    float mean[PARAMS_MAX];
    float squares[PARAMS_MAX];
    float earlier[DEVICES][PARAMS_MAX];
    uint32_t n;
};

static struct federation f;

static int make(void **state)
{
    (void)state;
    struct mycel_model_error error;
    const struct mycel_nn_config config = {.input = MYCEL_NN_U8,
                                           .input_scale = 1.0f / 255.0f,
                                           .batch = 10,
                                           .learning_rate = 0.1f,
                                           .shuffle = true};
    struct partition_spec spec = {.kind = PARTITION_IID};
    if (mycel_model_parse(&f.model, "64 > dense 16 relu > dense 4 softmax", &error) < 0 ||
        mycel_nn_plan(&f.plan, &f.model, &config) < 0 || f.model.param_count > PARAMS_MAX ||
        mycel_nn_init(&f.nn, &f.plan, f.arena, sizeof f.arena) < 0 ||
        dataset_make(1000, SIDE, SIDE, CLASSES, 7, 0, &f.all) < 0 ||
        dataset_make(TESTS, SIDE, SIDE, CLASSES, 7, 1, &f.tests) < 0 ||
        partition_all(&f.all, &spec, DEVICES, 1, 1, &f.parts) < 0) {
        return -1;
    }
    f.n = f.model.param_count;
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    dataset_free(&f.all);
    dataset_free(&f.tests);
    partition_free(&f.parts);
    return 0;
}

/* The trainer takes labels of a byte. */
static struct mycel_nn_data view(const struct dataset *set, uint8_t *labels)
{
    for (uint32_t i = 0; i < set->samples; i++) {
        labels[i] = (uint8_t)set->labels[i];
    }
    return (struct mycel_nn_data){.count = set->samples, .inputs = set->inputs, .labels = labels};
}

static float accuracy(const struct dataset *set)
{
    uint8_t labels[TESTS];
    struct mycel_nn_data data = view(set, labels);
    uint32_t right = 0;
    assert_int_equal(mycel_nn_write(f.nn, MYCEL_NN_PARAMS, 0, f.n, f.base), 0);
    for (uint32_t i = 0; i < set->samples; i++) {
        float out[CLASSES];
        uint32_t best = 0;
        assert_int_equal(mycel_nn_predict(f.nn, &data, i, 1, out), 0);
        for (uint32_t k = 1; k < CLASSES; k++) {
            best = out[k] > out[best] ? k : best;
        }
        right += best == set->labels[i];
    }
    return (float)right / (float)set->samples;
}

/* Trains device `a->device` from the base; its report is in `weights`. */
static void train(struct attacker *a, struct attack_crowd *crowd, float *weights)
{
    uint8_t labels[1000];
    struct dataset own;
    uint32_t first = f.parts.offsets[a->device];
    assert_int_equal(
        dataset_pick(&f.all, f.parts.indices + first, f.parts.offsets[a->device + 1] - first, &own),
        0);
    assert_int_equal(attack_samples(a, &own), 0);
    if (attack_trains(a->spec)) {
        struct mycel_nn_data data = view(&own, labels);
        const struct mycel_nn_budget budget = {.epochs = 2};
        assert_int_equal(mycel_nn_write(f.nn, MYCEL_NN_PARAMS, 0, f.n, f.base), 0);
        mycel_nn_start(f.nn, a->round * DEVICES + a->device, 0);
        assert_int_equal(mycel_nn_train(f.nn, &data, &budget), 0);
        assert_int_equal(mycel_nn_read(f.nn, MYCEL_NN_PARAMS, 0, f.n, weights), 0);
    }
    dataset_free(&own);
    if (a->spec->kind == ATTACK_ALIE) {
        attack_crowd_add(crowd, f.base, weights);
        a->crowd = crowd;
    }
    if (a->spec->kind == ATTACK_REPLAY && a->round == 0) {
        attack_delta(f.base, weights, f.n, f.earlier[a->device]);
    }
    a->earlier = a->round > 0 ? f.earlier[a->device] : NULL;
    attack_report(a, f.base, weights, f.n);
}

/* Federated averaging in which the first `liars` devices attack; the model stays in f.base. Ends early
 * with a model of NaNs, which the trainer would refuse. */
static struct attack_spec run(const char *text, uint32_t liars)
{
    struct attack_spec attack;
    struct attack_spec honest = {.kind = ATTACK_NONE};
    struct option_error error;
    struct attack_crowd crowd = {.params = f.n, .mean = f.mean, .squares = f.squares};
    assert_int_equal(attack_parse(text, &attack, &error), 0);
    mycel_model_init_params(&f.model, 3, f.base);
    for (uint32_t round = 0; round < ROUNDS && !isnan(f.base[0]); round++) {
        memset(f.sum, 0, sizeof f.sum);
        attack_crowd_reset(&crowd);
        for (uint32_t device = 0; device < DEVICES; device++) {
            float weights[PARAMS_MAX];
            struct attacker a = {.spec = device < liars ? &attack : &honest,
                                 .seed = 1,
                                 .device = device,
                                 .round = round};
            train(&a, &crowd, weights);
            for (uint32_t i = 0; i < f.n; i++) {
                f.sum[i] += weights[i] / DEVICES;
            }
        }
        memcpy(f.base, f.sum, sizeof f.base);
    }
    return attack;
}

static void test_honest_fleet_learns(void **state)
{
    (void)state;
    (void)run("none", 0);
    assert_true(accuracy(&f.tests) > 0.9f);
}

/* ALIE's usual z of 1.5 hides in the spread of ten devices that are much alike; a large one shows where
 * it pushes. */
static void test_untargeted_attacks_cost_accuracy(void **state)
{
    (void)state;
    (void)run("none", 0);
    float honest = accuracy(&f.tests);
    static const struct {
        const char *text;
        uint32_t liars;
        float below;
    } rows[] = {
        {"sign", 5, 0.5f}, {"scale:-10", 2, 0.5f}, {"labelflip", 6, 0.5f}, {"alie:20", 4, 0.6f}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)run(rows[i].text, rows[i].liars);
        float attacked = accuracy(&f.tests);
        if (!(attacked < rows[i].below && attacked < honest - 0.2f)) {
            fail_msg("%s by %u: %g, honest %g", rows[i].text, rows[i].liars, (double)attacked,
                     (double)honest);
        }
    }
    (void)run("nan", 1);
    assert_true(isnan(f.base[0]));
}

/* Those who only want to be paid do little harm. */
static void test_lazy_devices_are_hard_to_see(void **state)
{
    (void)state;
    (void)run("freerider:0.001", 3);
    assert_true(accuracy(&f.tests) > 0.85f);
    (void)run("replay", 3);
    assert_true(accuracy(&f.tests) > 0.85f);
}

static void test_backdoor_opens(void **state)
{
    (void)state;
    struct dataset triggered;
    struct attack_spec attack = run("backdoor:target=1,patch=2,share=0.5", 0);
    assert_int_equal(attack_trigger_set(&attack, &f.tests, &triggered), 0);
    float closed = accuracy(&triggered);
    (void)run("backdoor:target=1,patch=2,share=0.5,boost=2", 3);
    float opened = accuracy(&triggered);
    float clean = accuracy(&f.tests);
    if (!(closed < 0.3f && opened > 0.8f && clean > 0.85f)) {
        fail_msg("success %g without, %g with the attack; accuracy %g", (double)closed,
                 (double)opened, (double)clean);
    }
    dataset_free(&triggered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest_fleet_learns),
        cmocka_unit_test(test_untargeted_attacks_cost_accuracy),
        cmocka_unit_test(test_lazy_devices_are_hard_to_see),
        cmocka_unit_test(test_backdoor_opens),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
