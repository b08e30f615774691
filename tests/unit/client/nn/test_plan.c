/*
 * The memory planner: figures that the design promises, refusals, and that frozen layers cost
 * neither memory nor computation.
 */
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

static uint32_t arena_of(const char *description, const struct mycel_nn_config *config)
{
    static struct mycel_model model;
    static struct mycel_nn_plan plan;
    assert_int_equal(mycel_model_parse(&model, description, NULL), 0);
    assert_int_equal(mycel_nn_plan(&plan, &model, config), 0);
    uint32_t sum = plan.bytes.context + plan.bytes.params + plan.bytes.optimizer +
                   plan.bytes.gradients + plan.bytes.activations + plan.bytes.stage;
    assert_in_range(plan.arena_bytes, sum, sum + 256); /* alignment between classes */
    return plan.arena_bytes;
}

#define MLP784 "28x28x1 > dense 32 relu > dense 10 softmax"
#define MLP64 "64 > dense 32 relu > dense 10 softmax"
#define CNN                                                                                        \
    "28x28x1 > conv 8 3x3 stride 2 same relu > conv 16 3x3 stride 2 same relu > dense 10 softmax"

/* docs/TRAINER.md, table of targets. */
static void arenas_meet_their_targets(void **state)
{
    (void)state;
    struct mycel_nn_config c = {.batch = 32};
    assert_in_range(arena_of(MLP784, &c), 1, 112 * 1024);
    assert_in_range(arena_of(MLP64, &c), 1, 20 * 1024);
    c.optimizer = MYCEL_NN_MOMENTUM;
    assert_in_range(arena_of(MLP784, &c), 1, 214 * 1024);
    c.optimizer = MYCEL_NN_ADAMW;
    assert_in_range(arena_of(MLP784, &c), 1, 316 * 1024);
    c = (struct mycel_nn_config){.batch = 1};
    assert_in_range(arena_of(CNN, &c), 1, 60 * 1024);
}

/* Gradient buffers exist only where something waits for a whole gradient. */
static void classes_follow_the_config(void **state)
{
    (void)state;
    static struct mycel_model model;
    static struct mycel_nn_plan plan;
    assert_int_equal(mycel_model_parse(&model, MLP784, NULL), 0);
    struct mycel_nn_config c = {.batch = 32, .optimizer = MYCEL_NN_ADAMW};
    assert_int_equal(mycel_nn_plan(&plan, &model, &c), 0);
    assert_int_equal(plan.bytes.gradients, 0);
    assert_int_equal(plan.bytes.optimizer, 2 * plan.trained_bytes);
    c.micro_batch = 8;
    assert_int_equal(mycel_nn_plan(&plan, &model, &c), 0);
    assert_true(plan.bytes.gradients >= plan.trained_bytes);
    c = (struct mycel_nn_config){.batch = 32, .use = MYCEL_NN_INFER};
    assert_int_equal(mycel_nn_plan(&plan, &model, &c), 0);
    assert_int_equal(plan.bytes.gradients + plan.bytes.optimizer, 0);
    assert_int_equal(plan.first_trained, model.layer_count);
}

/* An arena that is one byte short is refused, wherever it lies, and a whole one is not. */
static void small_arenas_are_refused(void **state)
{
    (void)state;
    static struct mycel_model model;
    static struct mycel_nn_plan plan;
    struct mycel_nn_config c = {.batch = 4};
    struct mycel_nn *nn;
    assert_int_equal(mycel_model_parse(&model, MLP64, NULL), 0);
    assert_int_equal(mycel_nn_plan(&plan, &model, &c), 0);
    uint8_t *arena = aligned_alloc(64, (plan.arena_bytes + 191u) / 64 * 64);
    for (uint32_t skew = 0; skew < 64; skew += 9) {
        uint32_t lost = skew == 0 ? 0 : 64 - skew;
        uint32_t need = plan.arena_bytes + lost;
        assert_int_equal(mycel_nn_init(&nn, &plan, arena + skew, need), 0);
        assert_int_equal(mycel_nn_init(&nn, &plan, arena + skew, need - 1), MYCEL_E_NO_MEMORY);
    }
    assert_int_equal(mycel_nn_init(&nn, &plan, arena, 0), MYCEL_E_NO_MEMORY);
    free(arena);
}

static void bad_configs_are_refused(void **state)
{
    (void)state;
    static struct mycel_model model;
    static struct mycel_nn_plan plan;
    static const struct mycel_nn_config bad[] = {
        {.batch = MYCEL_NN_BATCH_MAX + 1},
        {.use = 7},
        {.kernels = 200},
        {.optimizer = 9},
        {.schedule = MYCEL_NN_COSINE},
        {.learning_rate = -1.0f},
        {.momentum = 1.5f},
        {.clip_norm = -1.0f},
    };
    assert_int_equal(mycel_model_parse(&model, MLP64, NULL), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(mycel_nn_plan(&plan, &model, &bad[i]), MYCEL_E_INVALID);
    }
    struct mycel_nn_config c = {.int8 = MYCEL_NN_INT8_ALL};
    assert_int_equal(mycel_nn_plan(&plan, &model, &c), MYCEL_E_UNSUPPORTED);
    assert_int_equal(mycel_model_parse(&model, "65535 > dense 1000 relu > dense 900 softmax", NULL),
                     0);
    c = (struct mycel_nn_config){.batch = 1, .optimizer = MYCEL_NN_ADAMW};
    assert_int_equal(mycel_nn_plan(&plan, &model, &c), 0);
    c.batch = MYCEL_NN_BATCH_MAX;
    assert_int_equal(
        mycel_model_parse(&model, "250x250x1 > conv 100 3x3 same > conv 10 3x3 > dense 2 softmax",
                          NULL),
        0);
    assert_int_equal(mycel_nn_plan(&plan, &model, &c), MYCEL_E_TOO_LARGE);
}

/* Working in a tensor's place saves it, and freezing the bottom saves its part of training. */
static void freezing_saves_memory(void **state)
{
    (void)state;
    struct mycel_nn_config c = {.batch = 16, .optimizer = MYCEL_NN_ADAMW};
    uint32_t all = arena_of("16x16x3 > conv 16 3x3 same relu > conv 16 3x3 same relu > maxpool 2 > "
                            "dense 32 relu > dense 10 softmax",
                            &c);
    uint32_t tail =
        arena_of("16x16x3 > conv 16 3x3 same relu frozen > conv 16 3x3 same relu frozen "
                 "> maxpool 2 > dense 32 relu > dense 10 softmax",
                 &c);
    uint32_t head =
        arena_of("16x16x3 > conv 16 3x3 same relu frozen > conv 16 3x3 same relu frozen "
                 "> maxpool 2 > dense 32 relu frozen > dense 10 softmax",
                 &c);
    c.use = MYCEL_NN_INFER;
    uint32_t none =
        arena_of("16x16x3 > conv 16 3x3 same relu > conv 16 3x3 same relu > maxpool 2 > "
                 "dense 32 relu > dense 10 softmax",
                 &c);
    assert_true(tail < all && head < tail);
    /* With only the last layer trained, what remains above inference is its own state. */
    assert_true(head - none < 3 * 4 * (33 * 12 + 64) + 8192);
}

/* The layers below the lowest that trains are never asked for a gradient: their part of training
 * costs what inference does. Counted in fetches of the clock would be guesswork, so the plan is
 * asked, and the weights below are checked to be untouched. */
static void freezing_saves_computation(void **state)
{
    (void)state;
    struct mycel_nn_config c = {.batch = 4};
    struct fixture f;
    struct samples s;
    fixture_open(&f,
                 "8x8x2 > conv 6 3x3 same relu frozen > dropout 0.5 > conv 4 3x3 relu frozen > "
                 "dense 6 relu > dense 3 frozen > dense 3 softmax",
                 &c, 1);
    samples_open(&s, &f.model, 8, 2);
    assert_int_equal(f.plan.first_trained, 3);
    for (uint32_t i = 0; i <= 3; i++) {
        assert_false(f.plan.layer[i].passes);
        assert_true(i == 3 || f.plan.layer[i].scratch_offset[1] == UINT32_MAX);
    }
    assert_true(f.plan.layer[4].passes && !f.plan.layer[4].trains);
    struct mycel_nn_budget budget = {.epochs = 3};
    assert_int_equal(mycel_nn_train(f.nn, &s.data, &budget), 0);
    float *now = malloc(f.count * 4);
    fixture_read(&f, MYCEL_NN_PARAMS, now);
    assert_memory_equal(now, f.params, f.model.layer[3].param_offset * 4);
    assert_memory_equal(now + f.model.layer[4].param_offset,
                        f.params + f.model.layer[4].param_offset, f.model.layer[4].param_count * 4);
    free(now);
    samples_close(&s);
    fixture_close(&f);
}

/* Tensors that are alive together never overlap: every layer's output survives until it is used,
 * seen by comparing with a plan in which nothing is ever reused. */
static void placement_keeps_what_is_needed(void **state)
{
    (void)state;
    static const char *const models[] = {
        "6x6x3 > conv 6 3x3 same relu @a > conv 6 3x3 same relu > conv 6 3x3 same > add @a relu @b "
        "> "
        "depthwise 3x3 same > groupnorm 3 > add @b > dropout 0.3 > maxpool 2 > dense 4 softmax",
        "9 > dense 8 tanh @x > dense 8 relu @y > dense 8 > add @y > dense 8 > add @x > dense 2 "
        "softmax",
    };
    for (size_t m = 0; m < 2; m++) {
        struct mycel_nn_config c = {.batch = 5, .learning_rate = 0.1f};
        struct fixture f;
        struct fixture apart;
        struct samples s;
        fixture_open(&f, models[m], &c, 1);
        samples_open(&s, &f.model, 10, 2);
        /* The same plan with every item moved to a place of its own. */
        assert_int_equal(mycel_model_parse(&apart.model, models[m], NULL), 0);
        assert_int_equal(mycel_nn_plan(&apart.plan, &apart.model, &c), 0);
        uint32_t end = apart.plan.arena_bytes;
        for (uint32_t i = 0; i < apart.model.layer_count; i++) {
            struct mycel_nn_layer_plan *p = &apart.plan.layer[i];
            for (int k = 0; k < 4; k++) {
                if (p->scratch_offset[k] != UINT32_MAX) {
                    p->scratch_offset[k] = end;
                    end += (p->scratch_bytes + 63u) / 64u * 64u;
                }
            }
            if (p->in_place) {
                p->out_offset = apart.plan.layer[i - 1].out_offset;
            } else {
                p->out_offset = end;
                end += (p->activation_bytes + 63u) / 64u * 64u;
            }
        }
        apart.plan.arena_bytes = end;
        apart.arena = aligned_alloc(64, (end + 63u) / 64u * 64u);
        assert_int_equal(mycel_nn_init(&apart.nn, &apart.plan, apart.arena, end), 0);
        assert_int_equal(mycel_nn_write(apart.nn, MYCEL_NN_PARAMS, 0, f.count, f.params), 0);
        struct mycel_nn_budget budget = {.epochs = 4};
        assert_int_equal(mycel_nn_train(f.nn, &s.data, &budget), 0);
        assert_int_equal(mycel_nn_train(apart.nn, &s.data, &budget), 0);
        float *w = malloc(f.count * 4);
        fixture_read(&f, MYCEL_NN_PARAMS, f.params);
        assert_int_equal(mycel_nn_read(apart.nn, MYCEL_NN_PARAMS, 0, f.count, w), 0);
        assert_memory_equal(w, f.params, f.count * 4);
        assert_true(f.plan.arena_bytes < end);
        free(w);
        free(apart.arena);
        samples_close(&s);
        fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arenas_meet_their_targets),
        cmocka_unit_test(classes_follow_the_config),
        cmocka_unit_test(small_arenas_are_refused),
        cmocka_unit_test(bad_configs_are_refused),
        cmocka_unit_test(freezing_saves_memory),
        cmocka_unit_test(freezing_saves_computation),
        cmocka_unit_test(placement_keeps_what_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
