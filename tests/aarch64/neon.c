/*
 * On 64-bit ARM: the scalar kernels give the bits that they give everywhere, NEON agrees with them
 * within rounding and gives the same bits each time. Built by run.sh for qemu-user.
 */
#include <mycel/nn.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES 24
#define STEPS 60
#define INPUTS_MAX 144
#define PARAMS_MAX 8192
#define ARENA_BYTES (256 * 1024)

static const char *const models[] = {
    "144 > dense 33 relu > dense 10 softmax",
    "12x12x1 > conv 6 3x3 same relu > maxpool 2 > conv 9 3x3 stride 2 pad 1 relu > dense 10 "
    "softmax",
    "12x12x1 > conv 8 3x3 same > groupnorm 2 relu > depthwise 3x3 same relu > pointwise 5 relu > "
    "globalpool > dense 10 softmax",
};

static float inputs[SAMPLES * INPUTS_MAX];
static uint8_t labels[SAMPLES];
static struct mycel_model model;

static void make_data(void)
{
    uint32_t state = 1;
    for (size_t i = 0; i < SAMPLES * INPUTS_MAX; i++) {
        state = state * 1664525u + 1013904223u;
        inputs[i] = (float)(state >> 8) / 16777216.0f;
    }
    for (int i = 0; i < SAMPLES; i++) {
        labels[i] = (uint8_t)(i % 10);
    }
}

static int train(uint8_t kernels, float *params)
{
    static struct mycel_nn_plan plan;
    struct mycel_nn *nn;
    const struct mycel_nn_config config = {
        .kernels = kernels, .batch = 5, .learning_rate = 0.05f, .shuffle = true};
    const struct mycel_nn_data data = {.count = SAMPLES, .inputs = inputs, .labels = labels};
    const struct mycel_nn_budget budget = {.epochs = 1000, .steps_max = STEPS};
    void *arena = aligned_alloc(MYCEL_NN_ALIGN, ARENA_BYTES);
    int rc = mycel_nn_plan(&plan, &model, &config);
    rc = rc ? rc : mycel_nn_init(&nn, &plan, arena, ARENA_BYTES);
    if (rc == 0) {
        mycel_model_init_params(&model, 5, params);
        mycel_nn_write(nn, MYCEL_NN_PARAMS, 0, model.param_count, params);
        mycel_nn_start(nn, 9, 0);
        rc = mycel_nn_train(nn, &data, &budget);
        mycel_nn_read(nn, MYCEL_NN_PARAMS, 0, model.param_count, params);
    }
    free(arena);
    return rc == MYCEL_NN_MORE ? 0 : rc < 0 ? rc : 1;
}

int main(void)
{
    static float scalar[PARAMS_MAX], neon[PARAMS_MAX], again[PARAMS_MAX];
    make_data();
    for (size_t m = 0; m < sizeof models / sizeof models[0]; m++) {
        if (mycel_model_parse(&model, models[m], NULL) < 0 || model.param_count > PARAMS_MAX ||
            train(MYCEL_NN_KERNELS_SCALAR, scalar) || train(MYCEL_NN_KERNELS_NEON, neon) ||
            train(MYCEL_NN_KERNELS_NEON, again)) {
            printf("model %zu: training failed\n", m);
            return 1;
        }
        float largest = 0, error = 0;
        for (uint32_t i = 0; i < model.param_count; i++) {
            largest = fmaxf(largest, fabsf(scalar[i]));
            error = fmaxf(error, fabsf(scalar[i] - neon[i]));
        }
        bool same = memcmp(neon, again, model.param_count * sizeof *neon) == 0;
        printf("model %zu: NEON differs by %.1e of the largest weight, %s\n", m,
               (double)(error / largest), same ? "reproducible" : "NOT reproducible");
        if (!(error <= 1e-4f * largest) || !same) {
            return 1;
        }
    }
    return 0;
}
