/*
 * Training as a whole: the field's oldest example to its last digit, budgets, interruption,
 * batches of every kind, determinism, and what a bad sample does.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

static void train_epochs(struct fixture *f, const struct mycel_nn_data *data, uint32_t epochs)
{
    struct mycel_nn_budget budget = {.epochs = epochs};
    assert_int_equal(mycel_nn_train(f->nn, data, &budget), 0);
}

/* Three lights, one unit, one sample at a time, 40 passes in order (design: "street crossing"). */
static void street_crossing_is_exact(void **state)
{
    (void)state;
    static const float lights[6][3] = {{1, 0, 1}, {0, 1, 1}, {0, 0, 1},
                                       {1, 1, 1}, {0, 1, 1}, {1, 0, 1}};
    static const float walk[6] = {0, 1, 0, 1, 1, 0};
    static const float first[6] = {-0.2f, -0.2f, -0.56f, 0.616f, 0.1728f, 0.17552f};
    static const float last[6] = {-0.00224103f, 0.99787455f, -0.01672126f,
                                  1.01511275f,  0.99694921f, -0.00262562f};
    const float start[3] = {0.5f, 0.48f, -0.7f};
    struct fixture f;
    struct mycel_nn_config config = {.batch = 1, .learning_rate = 0.1f};
    struct mycel_nn_data data = {.count = 6, .inputs = lights, .targets = walk};
    fixture_open(&f, "3 > dense 1 nobias > mse", &config, 0);
    fixture_write(&f, start);
    for (uint32_t pass = 0; pass < 40; pass++) {
        float squares = 0.0f;
        for (uint32_t i = 0; i < 6; i++) {
            float y;
            struct mycel_nn_budget one = {.epochs = 40, .steps_max = 1};
            assert_int_equal(mycel_nn_predict(f.nn, &data, i, 1, &y), 0);
            assert_int_equal(mycel_nn_train(f.nn, &data, &one), pass == 39 && i == 5 ? 0 : 1);
            squares += (walk[i] - y) * (walk[i] - y);
            const float *expected = pass == 0 ? first : last;
            if (pass == 0 || pass == 39) {
                assert_true(fabsf(y - expected[i]) < 1e-6f);
            }
        }
        if (pass == 0) {
            assert_true(fabsf(squares - 2.6561231104f) < 2e-6f);
        } else if (pass == 39) {
            assert_true(fabsf(squares - 0.00053373677f) < 1e-8f);
        }
    }
    fixture_close(&f);
}

static const char net[] =
    "6x6x2 > conv 5 3x3 same relu > maxpool 2 > dropout 0.2 > dense 4 softmax";

/* However often a run is interrupted, the weights come out the same to the last bit. */
static void interruption_changes_nothing(void **state)
{
    (void)state;
    for (uint8_t optimizer = 0; optimizer <= MYCEL_NN_ADAMW; optimizer++) {
        struct mycel_nn_config config = {
            .batch = 4, .shuffle = true, .optimizer = optimizer, .learning_rate = 0.02f};
        struct fixture f;
        struct samples s;
        uint64_t hash[2];
        fixture_open(&f, net, &config, 1);
        samples_open(&s, &f.model, 23, 2);
        for (uint32_t steps = 0; steps < 2; steps++) {
            fixture_write(&f, f.params);
            mycel_nn_start(f.nn, 77, 0.0f);
            struct mycel_nn_budget budget = {.epochs = 3, .steps_max = steps};
            float *w = malloc(f.count * sizeof(float));
            uint32_t calls = 1;
            while (mycel_nn_train(f.nn, &s.data, &budget) == MYCEL_NN_MORE) {
                float y[4];
                assert_int_equal(mycel_nn_predict(f.nn, &s.data, calls % 23, 1, y), 0);
                calls++;
            }
            assert_int_equal(calls, steps == 0 ? 1 : 3 * 6);
            fixture_read(&f, MYCEL_NN_PARAMS, w);
            hash[steps] = hash_of(w, f.count * sizeof(float));
            free(w);
        }
        assert_true(hash[0] == hash[1]);
        samples_close(&s);
        fixture_close(&f);
    }
}

static uint32_t ticking_clock(void *ctx)
{
    return *(uint32_t *)ctx += 10;
}

static void time_budget_stops(void **state)
{
    (void)state;
    struct mycel_nn_config config = {.batch = 1};
    struct fixture f;
    struct samples s;
    struct mycel_nn_status status;
    uint32_t now_ms = UINT32_MAX - 15; /* wraps on the way */
    fixture_open(&f, "3 > dense 2 softmax", &config, 1);
    samples_open(&s, &f.model, 100, 2);
    struct mycel_nn_budget budget = {
        .epochs = 1, .time_max_ms = 35, .now_ms = ticking_clock, .ctx = &now_ms};
    assert_int_equal(mycel_nn_train(f.nn, &s.data, &budget), MYCEL_NN_MORE);
    mycel_nn_status(f.nn, &status);
    assert_int_equal(status.steps, 4);
    samples_close(&s);
    fixture_close(&f);
}

/* Micro-batches average as the whole batch does: only rounding may differ. */
static void micro_batches_change_only_rounding(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 3, 5, 12};
    struct samples s;
    float *whole = NULL;
    for (size_t i = 0; i < 4; i++) {
        struct mycel_nn_config config = {
            .batch = 12, .micro_batch = sizes[3 - i], .learning_rate = 0.1f, .shuffle = true};
        struct fixture f;
        fixture_open(&f, net, &config, 1);
        if (i == 0) {
            samples_open(&s, &f.model, 30, 2); /* the last batch is a partial one */
            whole = malloc(f.count * sizeof(float));
        }
        mycel_nn_start(f.nn, 5, 0.0f);
        train_epochs(&f, &s.data, 2);
        fixture_read(&f, MYCEL_NN_PARAMS, i == 0 ? whole : f.params);
        assert_true(i == 0 || largest_difference(whole, f.params, f.count) < 1e-5f);
        fixture_close(&f);
    }
    free(whole);
    samples_close(&s);
}

/* A partial last batch divides by its own size: the same as a batch of that size. */
static void partial_batch_is_a_mean(void **state)
{
    (void)state;
    struct mycel_nn_config config = {.batch = 8, .learning_rate = 0.5f};
    struct fixture large;
    struct fixture exact;
    struct samples s;
    fixture_open(&large, "9 > dense 7 relu > dense 3 softmax", &config, 1);
    config.batch = 3;
    fixture_open(&exact, "9 > dense 7 relu > dense 3 softmax", &config, 1);
    samples_open(&s, &large.model, 3, 2);
    train_epochs(&large, &s.data, 1);
    train_epochs(&exact, &s.data, 1);
    fixture_read(&large, MYCEL_NN_PARAMS, large.params);
    fixture_read(&exact, MYCEL_NN_PARAMS, exact.params);
    assert_true(hash_of(large.params, large.count * 4) == hash_of(exact.params, exact.count * 4));
    samples_close(&s);
    fixture_close(&large);
    fixture_close(&exact);
}

struct counting {
    const struct samples *s;
    uint32_t inputs;
    uint32_t seen[50];
    int fail_at; /* calls until it fails; -1 never */
};

static int counting_fetch(void *ctx, uint32_t index, void *stage, struct mycel_nn_sample *sample)
{
    struct counting *c = ctx;
    if (c->fail_at >= 0 && c->fail_at-- == 0) {
        return MYCEL_E_IO;
    }
    c->seen[index]++;
    memcpy(stage, c->s->inputs + (size_t)index * c->inputs, c->inputs * sizeof(float));
    sample->input = stage;
    sample->label = c->s->labels[index];
    return 0;
}

/* A shuffled epoch visits everything once, each in another order, through a staged fetch. */
static void epochs_visit_each_sample_once(void **state)
{
    (void)state;
    struct mycel_nn_config config = {.batch = 7, .shuffle = true, .stage = true};
    struct fixture f;
    struct samples s;
    struct counting c = {.fail_at = -1};
    fixture_open(&f, "5 > dense 3 softmax", &config, 1);
    samples_open(&s, &f.model, 50, 2);
    c.s = &s;
    c.inputs = 5;
    struct mycel_nn_data data = {.count = 50, .fetch = counting_fetch, .ctx = &c};
    for (uint32_t epoch = 1; epoch <= 4; epoch++) {
        train_epochs(&f, &data, epoch);
        for (uint32_t i = 0; i < 50; i++) {
            assert_int_equal(c.seen[i], epoch);
        }
    }
    samples_close(&s);
    fixture_close(&f);
}

/* A fetch that fails leaves the weights as they were before its step, and training can go on. */
static void failed_fetch_leaves_no_half_step(void **state)
{
    (void)state;
    struct mycel_nn_config config = {.batch = 6, .stage = true, .shuffle = true};
    struct fixture f;
    struct samples s;
    struct counting c = {.fail_at = -1};
    fixture_open(&f, "5 > dense 3 softmax", &config, 1);
    samples_open(&s, &f.model, 12, 2);
    c.s = &s;
    c.inputs = 5;
    struct mycel_nn_data data = {.count = 12, .fetch = counting_fetch, .ctx = &c};
    float *before = malloc(f.count * sizeof(float));
    c.fail_at = 4;
    struct mycel_nn_budget budget = {.epochs = 1};
    assert_int_equal(mycel_nn_train(f.nn, &data, &budget), MYCEL_E_IO);
    fixture_read(&f, MYCEL_NN_PARAMS, before);
    assert_memory_equal(before, f.params, f.count * sizeof(float));
    c.fail_at = -1;
    train_epochs(&f, &data, 1);
    free(before);
    samples_close(&s);
    fixture_close(&f);
}

static void bad_samples_are_refused(void **state)
{
    (void)state;
    struct mycel_nn_config config = {.batch = 2};
    struct mycel_nn_budget budget = {.epochs = 1};
    struct fixture f;
    struct samples s;
    fixture_open(&f, "5 > dense 3 softmax", &config, 1);
    samples_open(&s, &f.model, 4, 2);
    s.labels[1] = 3;
    assert_int_equal(mycel_nn_train(f.nn, &s.data, &budget), MYCEL_E_INVALID);
    s.data.labels = NULL;
    assert_int_equal(mycel_nn_train(f.nn, &s.data, &budget), MYCEL_E_INVALID);
    s.data.count = 0;
    assert_int_equal(mycel_nn_train(f.nn, &s.data, &budget), MYCEL_E_INVALID);
    samples_close(&s);
    fixture_close(&f);
}

static void divergence_is_reported(void **state)
{
    (void)state;
    struct mycel_nn_config config = {.batch = 2, .learning_rate = 1e6f};
    struct mycel_nn_budget budget = {.epochs = 50};
    struct fixture f;
    struct samples s;
    fixture_open(&f, "5 > dense 4 > dense 3 > mse", &config, 1);
    samples_open(&s, &f.model, 6, 2);
    assert_int_equal(mycel_nn_train(f.nn, &s.data, &budget), MYCEL_E_NONFINITE);
    samples_close(&s);
    fixture_close(&f);
}

/* Bytes with a scale, floats that say the same, and scales for each feature: one model. */
static void raw_inputs_equal_floats(void **state)
{
    (void)state;
    static const char *const models[] = {
        "6x6x2 > conv 5 3x3 same relu > dense 3 softmax", "6x6x2 > dense 11 relu > dense 3 softmax",
        "6x6x2 > pointwise 4 relu > dense 3 softmax", "6x6x2 > maxpool 2 > dense 3 softmax"};
    uint8_t bytes[9 * 72];
    float floats[9 * 72];
    float scale[72];
    float shift[72];
    uint8_t labels[9];
    for (uint32_t i = 0; i < 9 * 72; i++) {
        bytes[i] = (uint8_t)(i * 37u + i / 72u);
        floats[i] = (float)bytes[i] * (1.0f / 128.0f) - 1.0f;
        labels[i % 9] = (uint8_t)(i % 3);
        scale[i % 72] = 1.0f / 128.0f;
        shift[i % 72] = -1.0f;
    }
    for (size_t m = 0; m < 4; m++) {
        float out[3][9 * 3];
        for (int way = 0; way < 3; way++) {
            struct fixture f;
            struct mycel_nn_config config = {.batch = 4, .learning_rate = 0.1f};
            config.input = way == 0 ? MYCEL_NN_F32 : MYCEL_NN_U8;
            config.input_scale = way == 1 ? 1.0f / 128.0f : 0.0f;
            config.input_shift = way == 1 ? -1.0f : 0.0f;
            config.feature_scale = way == 2 ? scale : NULL;
            config.feature_shift = way == 2 ? shift : NULL;
            fixture_open(&f, models[m], &config, 1);
            struct mycel_nn_data data = {
                .count = 9, .inputs = way == 0 ? (void *)floats : bytes, .labels = labels};
            train_epochs(&f, &data, 3);
            assert_int_equal(mycel_nn_predict(f.nn, &data, 0, 9, out[way]), 0);
            fixture_close(&f);
        }
        assert_true(largest_difference(out[0], out[1], 27) < 1e-5f);
        assert_true(largest_difference(out[0], out[2], 27) < 1e-5f);
    }
}

/* Samples that are widened once a step are the samples that kernels widen when they meet them: the
 * same bits, unless a batch has one sample, which is summed in another order. */
static void widening_early_changes_nothing(void **state)
{
    (void)state;
    static const char *const models[] = {
        "6x6x2 > conv 5 3x3 same relu > dense 3 softmax", "6x6x2 > dense 11 relu > dense 3 softmax",
        "6x6x2 > pointwise 4 relu > dense 3 softmax", "6x6x2 > maxpool 2 > dense 3 softmax",
        "72 > dense 5 relu > dense 72 > mse"};
    uint8_t bytes[9 * 72];
    uint8_t labels[9];
    for (uint32_t i = 0; i < 9 * 72; i++) {
        bytes[i] = (uint8_t)(i * 37u + i / 72u);
        labels[i % 9] = (uint8_t)(i % 3);
    }
    const struct mycel_nn_data data = {.count = 8, .inputs = bytes, .labels = labels};
    for (size_t m = 0; m < sizeof models / sizeof models[0]; m++) {
        float out[2][1000];
        uint32_t count = 0;
        for (int way = 0; way < 2; way++) {
            struct fixture f;
            struct mycel_nn_config config = {.input = MYCEL_NN_U8,
                                             .input_scale = 1.0f / 255.0f,
                                             .widen = way == 1,
                                             .shuffle = true,
                                             .batch = 4,
                                             .learning_rate = 0.01f};
            fixture_open(&f, models[m], &config, 1);
            train_epochs(&f, &data, 3);
            count = f.count;
            assert_true(count <= 1000);
            fixture_read(&f, MYCEL_NN_PARAMS, out[way]);
            fixture_close(&f);
        }
        assert_memory_equal(out[0], out[1], count * sizeof(float));
    }
    struct mycel_model model;
    struct mycel_nn_plan plan;
    const struct mycel_nn_config both = {.widen = true, .stage = true};
    assert_int_equal(mycel_model_parse(&model, models[0], NULL), 0);
    assert_int_equal(mycel_nn_plan(&plan, &model, &both), MYCEL_E_UNSUPPORTED);
}

/* An autoencoder needs no targets: its inputs are. */
static void autoencoder_learns_its_inputs(void **state)
{
    (void)state;
    struct mycel_nn_config config = {
        .batch = 4, .learning_rate = 0.02f, .optimizer = MYCEL_NN_ADAMW};
    struct mycel_nn_score before;
    struct mycel_nn_score after;
    struct fixture f;
    struct samples s;
    fixture_open(&f, "8 > dense 6 tanh > dense 8 > mse", &config, 1);
    samples_open(&s, &f.model, 16, 2);
    s.data.targets = NULL;
    assert_int_equal(mycel_nn_evaluate(f.nn, &s.data, 0, 16, &before), 0);
    train_epochs(&f, &s.data, 200);
    assert_int_equal(mycel_nn_evaluate(f.nn, &s.data, 0, 16, &after), 0);
    assert_true(after.loss < 0.2f * before.loss);
    samples_close(&s);
    fixture_close(&f);
}

/* The loss counted while training and the loss of evaluate are the same thing. */
static void evaluation_agrees_with_training(void **state)
{
    (void)state;
    struct mycel_nn_config config = {.batch = 10};
    struct mycel_nn_score score;
    struct fixture f;
    struct samples s;
    fixture_open(&f, "5 > dense 6 relu > dense 3 softmax", &config, 1);
    samples_open(&s, &f.model, 20, 2);
    assert_int_equal(mycel_nn_evaluate(f.nn, &s.data, 0, 10, &score), 0);
    assert_int_equal(score.count, 10);
    float loss = fixture_step(&f, &s.data, 1);
    assert_true(fabsf(loss - score.loss) < 1e-6f);
    assert_int_equal(mycel_nn_evaluate(f.nn, &s.data, 15, 6, &score), MYCEL_E_INVALID);
    samples_close(&s);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(street_crossing_is_exact),
        cmocka_unit_test(interruption_changes_nothing),
        cmocka_unit_test(time_budget_stops),
        cmocka_unit_test(micro_batches_change_only_rounding),
        cmocka_unit_test(partial_batch_is_a_mean),
        cmocka_unit_test(epochs_visit_each_sample_once),
        cmocka_unit_test(failed_fetch_leaves_no_half_step),
        cmocka_unit_test(bad_samples_are_refused),
        cmocka_unit_test(divergence_is_reported),
        cmocka_unit_test(raw_inputs_equal_floats),
        cmocka_unit_test(widening_early_changes_nothing),
        cmocka_unit_test(autoencoder_learns_its_inputs),
        cmocka_unit_test(evaluation_agrees_with_training),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
