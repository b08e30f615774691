/*
 * Kernel sets against each other: scalar code is the yardstick, the others agree with it within
 * rounding, and each gives the same bits every time.
 */
#include <stdlib.h>

#include "fixture.h"

static const uint8_t sets[] = {MYCEL_NN_KERNELS_SCALAR, MYCEL_NN_KERNELS_SSE2,
                               MYCEL_NN_KERNELS_AVX2, MYCEL_NN_KERNELS_AVX512,
                               MYCEL_NN_KERNELS_NEON};

static const char *const models[] = {
    "33 > dense 37 relu > dense 21 tanh > dense 10 softmax",
    "70 > dense 64 relu > dense 3 softmax",
    "9x11x3 > conv 9 3x3 same relu > conv 20 3x3 stride 2 same relu > dense 5 softmax",
    "8x8x4 > depthwise 3x3 same relu > pointwise 37 relu > globalpool > dense 7 softmax",
    "16x8 > conv1d 12 5 stride 2 same relu > groupnorm 4 > dense 6 softmax",
};

/* Without bits of their own. */
static const char *const further_models[] = {
    "12x12x1 > conv 9 3x3 same relu > maxpool 2 > conv 12 3x3 same > maxpool 3 stride 2 > "
    "dense 5 softmax",
    "8x8x4 > pointwise 16 relu > maxpool 2 stride 1 > maxpool 4 > dense 7 softmax",
};

/* Trains with one set; false when this machine lacks it. */
static bool train_with(uint8_t set, const char *model, uint32_t batch, uint8_t optimizer,
                       float *params)
{
    struct mycel_nn_config config = {
        .batch = batch, .kernels = set, .learning_rate = 0.02f, .optimizer = optimizer};
    struct mycel_model parsed;
    struct mycel_nn_plan plan;
    struct mycel_nn *nn;
    static uint8_t arena[1 << 20];
    assert_int_equal(mycel_model_parse(&parsed, model, NULL), 0);
    assert_int_equal(mycel_nn_plan(&plan, &parsed, &config), 0);
    if (mycel_nn_init(&nn, &plan, arena, sizeof arena) == MYCEL_E_UNSUPPORTED) {
        return false;
    }
    struct fixture f;
    struct samples s;
    struct mycel_nn_budget budget = {.epochs = 3};
    fixture_open(&f, model, &config, 4);
    samples_open(&s, &f.model, 41, 5);
    assert_int_equal(mycel_nn_train(f.nn, &s.data, &budget), 0);
    fixture_read(&f, MYCEL_NN_PARAMS, params);
    samples_close(&s);
    fixture_close(&f);
    return true;
}

/* How many sets this machine has besides the scalar one. */
static uint32_t sets_agree_on(const char *description)
{
    enum { PARAMS_MAX = 20000 };
    static float scalar[PARAMS_MAX];
    static float other[PARAMS_MAX];
    static float again[PARAMS_MAX];
    uint32_t compared = 0;
    struct mycel_model model;
    assert_int_equal(mycel_model_parse(&model, description, NULL), 0);
    assert_true(model.param_count <= PARAMS_MAX);
    for (uint32_t batch = 1; batch <= 13; batch += 4) {
        assert_true(train_with(sets[0], description, batch, MYCEL_NN_SGD, scalar));
        for (size_t k = 1; k < sizeof sets; k++) {
            if (!train_with(sets[k], description, batch, MYCEL_NN_SGD, other)) {
                continue;
            }
            compared++;
            assert_true(largest_difference(scalar, other, model.param_count) < 2e-5f);
            assert_true(train_with(sets[k], description, batch, MYCEL_NN_SGD, again));
            assert_memory_equal(other, again, model.param_count * sizeof(float));
        }
    }
    return compared;
}

static void sets_agree(void **state)
{
    (void)state;
    for (size_t m = 0; m < sizeof models / sizeof models[0]; m++) {
        assert_true(sets_agree_on(models[m]) > 0);
    }
    for (size_t m = 0; m < sizeof further_models / sizeof further_models[0]; m++) {
        assert_true(sets_agree_on(further_models[m]) > 0);
    }
}

/* What the microcontroller's run of the same training must print; see tests/m4. Only plain
 * products and sums may be behind it. */
static void scalar_bits_are_those_of_every_machine(void **state)
{
    (void)state;
    static float w[20000];
    static const uint64_t expected[][2] = {
#include "scalar_hashes.h"
    };
    for (size_t m = 0; m < sizeof models / sizeof models[0]; m++) {
        struct mycel_model model;
        assert_int_equal(mycel_model_parse(&model, models[m], NULL), 0);
        for (int way = 0; way < 2; way++) {
            train_with(MYCEL_NN_KERNELS_SCALAR, models[m], 8,
                       way == 0 ? MYCEL_NN_SGD : MYCEL_NN_ADAMW, w);
            uint64_t hash = hash_of(w, model.param_count * sizeof(float));
            if (hash != expected[m][way]) {
                fail_msg("%s: optimizer %d gives 0x%016llx", models[m], way,
                         (unsigned long long)hash);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_agree),
        cmocka_unit_test(scalar_bits_are_those_of_every_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
