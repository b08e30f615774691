/*
 * The same training on a Cortex-M4F and on the host: for each case one line with the instructions of a
 * step, the arena's bytes, a fingerprint of all weights afterwards, and the stack that it took.
 * Both machines have to print the same fingerprints.
 */
#include "counter.h"

#include <mycel/nn.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ARENA_BYTES (160 * 1024)
#define SAMPLES 32
#define INPUTS_MAX 784
#define STEPS 2 /* that are not counted, before the one that is */

struct example {
    const char *name;
    const char *model;
    uint32_t batch;
    uint8_t optimizer;
};

static const struct example examples[] = {
#ifndef STATIC_CNN
    {"mlp64_sgd_b32", "64 > dense 32 relu > dense 10 softmax", 32, MYCEL_NN_SGD},
#endif
#ifndef STATIC_PLAN
    {"mlp64_sgd_b1", "64 > dense 32 relu > dense 10 softmax", 1, MYCEL_NN_SGD},
    {"mlp64_adam_b32", "64 > dense 32 relu > dense 10 softmax", 32, MYCEL_NN_ADAMW},
#endif
#if !defined STATIC_PLAN || defined STATIC_CNN
    {"cnn_sgd_b1",
     "28x28x1 > conv 8 3x3 stride 2 pad 1 relu > conv 16 3x3 stride 2 pad 1 relu > "
     "dense 10 softmax",
     1, MYCEL_NN_SGD},
#endif
};

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(MYCEL_NN_ALIGN)));
static float inputs[SAMPLES * INPUTS_MAX / 8]; /* samples overlap to save room */
static uint8_t labels[SAMPLES];

/* Without a parser and a planner: an image has the one plan that was made for it on the host. */
#ifdef STATIC_PLAN
extern const struct mycel_model mycel_static_model;
extern const struct mycel_nn_plan mycel_static_plan;
static const struct mycel_model *const model = &mycel_static_model;
static const struct mycel_nn_plan *const plan = &mycel_static_plan;

static int make_plan(const struct example *example)
{
    (void)example;
    return 0;
}
#else
static struct mycel_model parsed_model;
static struct mycel_nn_plan made_plan;
static const struct mycel_model *const model = &parsed_model;
static const struct mycel_nn_plan *const plan = &made_plan;

static int make_plan(const struct example *example)
{
    const struct mycel_nn_config config = {.kernels = MYCEL_NN_KERNELS_SCALAR,
                                           .batch = example->batch,
                                           .optimizer = example->optimizer,
                                           .learning_rate = 0.01f};
    int rc = mycel_model_parse(&parsed_model, example->model, NULL);
    return rc != 0 ? rc : mycel_nn_plan(&made_plan, &parsed_model, &config);
}
#endif

/* Values from a linear congruential generator, exact in binary32; labels in turn. */
static void make_data(void)
{
    uint32_t state = 1;
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        state = state * 1664525u + 1013904223u;
        inputs[i] = (float)(state >> 24) / 256.0f;
    }
    for (int i = 0; i < SAMPLES; i++) {
        labels[i] = (uint8_t)(i % 10);
    }
}

static int fetch(void *ctx, uint32_t index, void *stage, struct mycel_nn_sample *sample)
{
    uint32_t room = (uint32_t)(sizeof inputs / sizeof inputs[0]) - mycel_model_inputs(model);
    (void)ctx;
    (void)stage;
    sample->input = inputs + index * 67u % (room + 1);
    sample->label = labels[index];
    sample->target = NULL;
    return 0;
}

/* FNV-1a over all parameters' bytes. */
static uint64_t fingerprint(const struct mycel_nn *nn)
{
    uint64_t hash = 14695981039346656037u;
    uint8_t bytes[256];
    for (uint32_t at = 0; at < model->param_count; at += 64) {
        uint32_t count = model->param_count - at < 64 ? model->param_count - at : 64;
        mycel_nn_read(nn, MYCEL_NN_PARAMS, at, count, bytes);
        for (uint32_t i = 0; i < count * 4; i++) {
            hash = (hash ^ bytes[i]) * 1099511628211u;
        }
    }
    return hash;
}

static void load_start(struct mycel_nn *nn)
{
    float params[64];
    for (uint32_t at = 0; at < model->param_count; at += 64) {
        uint32_t count = model->param_count - at < 64 ? model->param_count - at : 64;
        mycel_model_init_range(model, 7, at, count, params);
        mycel_nn_write(nn, MYCEL_NN_PARAMS, at, count, params);
    }
}

static int run(const struct example *example)
{
    struct mycel_nn *nn;
    const struct mycel_nn_data data = {.count = SAMPLES, .fetch = fetch};
    struct mycel_nn_budget budget = {.epochs = 1000, .steps_max = 1};
    int rc = make_plan(example);
    rc = rc ? rc : mycel_nn_init(&nn, plan, arena, sizeof arena);
    if (rc) {
        printf("%s failed %d needs %lu\n", example->name, rc, (unsigned long)plan->arena_bytes);
        return 1;
    }
    load_start(nn);
    mycel_nn_start(nn, 1, 0);
    uint32_t ticks = 0, top;
    stack_paint();
    for (int step = 0; step <= STEPS && rc >= 0; step++) {
        uint32_t before = counter_read();
        rc = mycel_nn_train(nn, &data, &budget);
        ticks = (counter_read() - before) & COUNTER_MASK;
    }
    uint32_t stack = stack_used(&top);
    printf("%s %lu %lu %08lx%08lx %lu\n", example->name,
           (unsigned long)(ticks * COUNTER_INSTRUCTIONS_PER_TICK / example->batch),
           (unsigned long)plan->arena_bytes, (unsigned long)(fingerprint(nn) >> 32),
           (unsigned long)(fingerprint(nn) & 0xFFFFFFFFu), (unsigned long)stack);
    return rc < 0;
}

int main(void)
{
    int failed = 0;
    make_data();
    counter_start();
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        failed |= run(&examples[i]);
    }
    return failed;
}
