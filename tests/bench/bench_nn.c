/*
 * Training speed of the reference models on one core: samples a second, and the share of this core's
 * measured peak of multiply-adds that the useful work amounts to. With the argument "all" every kernel
 * set that the machine has, else the fastest. PyTorch stands beside it through bench_nn.py.
 */
#include "peak.h"

#include <mycel/error.h>
#include <mycel/nn.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SAMPLES 3200u
#define RUNS 9 /* the best one counts: noise only ever adds */

struct example {
    const char *name;
    const char *model;
    uint32_t batch;
    uint8_t optimizer;
    double macs; /* useful multiply-adds of one sample's training, no gradient into the input */
};

#define MLP784 "784 > dense 32 relu > dense 10 softmax"
#define MLP64 "64 > dense 32 relu > dense 10 softmax"
#define CNN                                                                                        \
    "28x28x1 > conv 8 3x3 stride 2 pad 1 relu > conv 16 3x3 stride 2 pad 1 relu > dense 10 "       \
    "softmax"
#define MACS_MLP(inputs) (2.0 * (inputs)*32 + 3.0 * 32 * 10)
#define MACS_CNN (2.0 * 14112 + 3.0 * 56448 + 3.0 * 7840)

static const struct example examples[] = {
    {"mlp784_sgd_b32", MLP784, 32, MYCEL_NN_SGD, MACS_MLP(784)},
    {"mlp784_sgd_b1", MLP784, 1, MYCEL_NN_SGD, MACS_MLP(784)},
    {"mlp784_adam_b32", MLP784, 32, MYCEL_NN_ADAMW, MACS_MLP(784)},
    {"mlp64_sgd_b32", MLP64, 32, MYCEL_NN_SGD, MACS_MLP(64)},
    {"mlp64_sgd_b1", MLP64, 1, MYCEL_NN_SGD, MACS_MLP(64)},
    {"cnn_sgd_b32", CNN, 32, MYCEL_NN_SGD, MACS_CNN},
    {"cnn_sgd_b1", CNN, 1, MYCEL_NN_SGD, MACS_CNN},
};

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Learnable data: the label shifts the values, so that losses stay finite at any step count. */
static void make_data(float *inputs, uint8_t *labels, uint32_t features)
{
    uint32_t state = 1;
    for (uint32_t s = 0; s < SAMPLES; s++) {
        labels[s] = (uint8_t)(s * 7u % 10u);
        for (uint32_t f = 0; f < features; f++) {
            state = state * 1664525u + 1013904223u;
            float noise = (float)(state >> 8) / 16777216.0f;
            inputs[s * features + f] = f % 10 == labels[s] ? noise : 0.5f * noise;
        }
    }
}

static double best_rate(struct mycel_nn *nn, const struct mycel_nn_data *data)
{
    double best = 0;
    for (int run = 0; run < RUNS; run++) {
        const struct mycel_nn_budget budget = {.epochs = 1};
        mycel_nn_start(nn, (uint64_t)run, 0);
        double start = cpu_s();
        if (mycel_nn_train(nn, data, &budget) != 0) {
            fprintf(stderr, "bench_nn: training failed\n");
            exit(1);
        }
        double rate = SAMPLES / (cpu_s() - start);
        best = rate > best ? rate : best;
    }
    return best;
}

/* False when this machine lacks the kernels. */
static bool run(const struct example *example, uint8_t kernels, bool fastest)
{
    static struct mycel_model model;
    static struct mycel_nn_plan plan;
    struct mycel_nn *nn;
    const struct mycel_nn_config config = {.kernels = kernels,
                                           .batch = example->batch,
                                           .optimizer = example->optimizer,
                                           .learning_rate = 0.001f};
    if (mycel_model_parse(&model, example->model, NULL) < 0 ||
        mycel_nn_plan(&plan, &model, &config) < 0) {
        exit(1);
    }
    void *arena = aligned_alloc(MYCEL_NN_ALIGN, (plan.arena_bytes + 63u) / 64u * 64u);
    if (mycel_nn_init(&nn, &plan, arena, plan.arena_bytes) < 0) {
        free(arena);
        return false;
    }
    float *params = malloc(model.param_count * sizeof *params);
    float *inputs = malloc((size_t)SAMPLES * mycel_model_inputs(&model) * sizeof *inputs);
    static uint8_t labels[SAMPLES];
    make_data(inputs, labels, mycel_model_inputs(&model));
    mycel_model_init_params(&model, 1, params);
    mycel_nn_write(nn, MYCEL_NN_PARAMS, 0, model.param_count, params);
    const struct mycel_nn_data data = {.count = SAMPLES, .inputs = inputs, .labels = labels};
    struct mycel_nn_status status;
    double rate = best_rate(nn, &data);
    mycel_nn_status(nn, &status);
    double peak = peak_gflops(status.kernels) * 1e9 / (2.0 * example->macs);
    char name[64];
    snprintf(name, sizeof name, "%s%s%s", example->name, fastest ? "" : "_",
             fastest ? "" : status.kernels);
    printf("{\"bench\":\"nn\",\"case\":\"%s\",\"value\":%.0f,\"unit\":\"samples/s\","
           "\"reference\":%.0f,\"ratio\":%.4f}\n",
           name, rate, peak, peak > 0 ? rate / peak : 0);
    if (fastest) {
        printf("{\"bench\":\"nn\",\"case\":\"%s_arena\",\"value\":%u,\"unit\":\"B\","
               "\"reference\":%u,\"ratio\":%.3f}\n",
               name, plan.arena_bytes, model.param_count * 4u,
               plan.arena_bytes / (4.0 * model.param_count));
    }
    fflush(stdout);
    free(inputs);
    free(params);
    free(arena);
    return true;
}

int main(int argc, char **argv)
{
    bool all = argc > 1 && strcmp(argv[1], "all") == 0;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        run(&examples[i], MYCEL_NN_KERNELS_AUTO, true);
        for (uint8_t k = MYCEL_NN_KERNELS_SCALAR; all && k <= MYCEL_NN_KERNELS_NEON; k++) {
            run(&examples[i], k, false);
        }
    }
    return 0;
}
