/*
 * Outputs, loss, gradients and the weights after 100 steps against PyTorch in double precision
 * (tests/golden/make_nn.py), for every kernel set that this machine has. Errors are relative to the
 * largest value of the tensor.
 */
#include <mycel/error.h>
#include <mycel/nn.h>

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ARRAYS_MAX 8
#define TOLERANCE 1e-5       /* of one pass */
#define TOLERANCE_AFTER 5e-5 /* of 100 steps, whose rounding adds up */

struct golden {
    const char *name;
    json_t *head;
    float *array[ARRAYS_MAX];
    uint32_t length[ARRAYS_MAX];
    unsigned arrays;
    uint32_t samples;
    uint32_t batch;
    uint32_t steps;
    bool labelled;
    uint8_t *labels;
};

static const char *const names[] = {"mlp",
                                    "mlp_tanh_momentum",
                                    "mlp_leaky_nesterov",
                                    "mlp_adamw",
                                    "regression_mse",
                                    "regression_huber",
                                    "binary_bce",
                                    "conv",
                                    "conv_pool",
                                    "separable",
                                    "groupnorm",
                                    "batchnorm",
                                    "residual",
                                    "conv1d"};

static const float *find(const struct golden *golden, const char *key, uint32_t *length)
{
    json_t *list = json_object_get(golden->head, "arrays");
    for (unsigned i = 0; i < golden->arrays; i++) {
        if (strcmp(json_string_value(json_array_get(json_array_get(list, i), 0)), key) == 0) {
            *length = golden->length[i];
            return golden->array[i];
        }
    }
    fail_msg("%s has no array %s", golden->name, key);
    return NULL;
}

static const char *text_of(const struct golden *golden, const char *key)
{
    return json_string_value(json_object_get(golden->head, key));
}

static float number_of(const struct golden *golden, const char *key)
{
    return (float)json_number_value(json_object_get(golden->head, key));
}

static void read_arrays(struct golden *golden, FILE *file)
{
    json_t *list = json_object_get(golden->head, "arrays");
    golden->arrays = (unsigned)json_array_size(list);
    assert_in_range(golden->arrays, 1, ARRAYS_MAX);
    for (unsigned i = 0; i < golden->arrays; i++) {
        golden->length[i] =
            (uint32_t)json_integer_value(json_array_get(json_array_get(list, i), 1));
        golden->array[i] = malloc(golden->length[i] * sizeof(float));
        assert_int_equal(fread(golden->array[i], sizeof(float), golden->length[i], file),
                         golden->length[i]);
    }
}

static void golden_open(struct golden *golden, const char *name)
{
    char path[512];
    char *line = NULL;
    size_t bytes = 0;
    memset(golden, 0, sizeof *golden);
    golden->name = name;
    snprintf(path, sizeof path, "%s/tests/golden/nn/%s.golden", MYCEL_SOURCE_DIR, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_true(getline(&line, &bytes, file) > 0);
    golden->head = json_loads(line, 0, NULL);
    assert_non_null(golden->head);
    free(line);
    read_arrays(golden, file);
    fclose(file);
    golden->samples = (uint32_t)number_of(golden, "samples");
    golden->batch = (uint32_t)number_of(golden, "batch");
    golden->steps = (uint32_t)number_of(golden, "steps");
    golden->labelled = strcmp(text_of(golden, "loss"), "crossentropy") == 0;
    uint32_t length;
    const float *targets = find(golden, "targets", &length);
    golden->labels = calloc(length, 1);
    for (uint32_t i = 0; golden->labelled && i < length; i++) {
        golden->labels[i] = (uint8_t)targets[i];
    }
}

static void golden_close(struct golden *golden)
{
    for (unsigned i = 0; i < golden->arrays; i++) {
        free(golden->array[i]);
    }
    free(golden->labels);
    json_decref(golden->head);
}

static struct mycel_nn_config config_of(const struct golden *golden, uint8_t kernels)
{
    struct mycel_nn_config config = {.kernels = kernels,
                                     .batch = golden->batch,
                                     .learning_rate = number_of(golden, "learning_rate"),
                                     .momentum = number_of(golden, "momentum"),
                                     .weight_decay = number_of(golden, "weight_decay")};
    const char *optimizer = text_of(golden, "optimizer");
    config.optimizer = strcmp(optimizer, "momentum") == 0   ? MYCEL_NN_MOMENTUM
                       : strcmp(optimizer, "nesterov") == 0 ? MYCEL_NN_NESTEROV
                       : strcmp(optimizer, "adamw") == 0    ? MYCEL_NN_ADAMW
                                                            : MYCEL_NN_SGD;
    return config;
}

static struct mycel_nn_data data_of(const struct golden *golden)
{
    uint32_t length;
    struct mycel_nn_data data = {.count = golden->samples,
                                 .inputs = find(golden, "inputs", &length)};
    if (golden->labelled) {
        data.labels = golden->labels;
    } else {
        data.targets = find(golden, "targets", &length);
    }
    return data;
}

static void compare(const struct golden *golden, const char *what, const char *kernels,
                    const float *got, double tolerance)
{
    uint32_t length;
    const float *wanted = find(golden, what, &length);
    double largest = 0, error = 0;
    for (uint32_t i = 0; i < length; i++) {
        largest = fmax(largest, fabs((double)wanted[i]));
        error = fmax(error, fabs((double)got[i] - (double)wanted[i]));
    }
    if (!(error <= tolerance * largest)) {
        fail_msg("%s, %s, %s: off by %.2g of the largest value, allowed %.0g", golden->name,
                 kernels, what, error / largest, tolerance);
    }
}

struct network {
    struct mycel_model model;
    struct mycel_nn_plan plan;
    struct mycel_nn *nn;
    void *arena;
};

/* False when this machine lacks the kernels. */
static bool network_open(struct network *network, const struct golden *golden,
                         const struct mycel_nn_config *config)
{
    uint32_t length;
    assert_int_equal(mycel_model_parse(&network->model, text_of(golden, "model"), NULL), 0);
    assert_int_equal(mycel_nn_plan(&network->plan, &network->model, config), 0);
    network->arena = aligned_alloc(MYCEL_NN_ALIGN, (network->plan.arena_bytes + 63u) / 64u * 64u);
    int rc = mycel_nn_init(&network->nn, &network->plan, network->arena, network->plan.arena_bytes);
    if (rc == MYCEL_E_UNSUPPORTED) {
        free(network->arena);
        return false;
    }
    assert_int_equal(rc, 0);
    const float *params = find(golden, "params", &length);
    assert_int_equal(length, network->model.param_count);
    assert_int_equal(mycel_nn_write(network->nn, MYCEL_NN_PARAMS, 0, length, params), 0);
    return true;
}

/* One pass: outputs, loss, gradient. The clip is too long to cut anything; it keeps the gradient. */
static bool check_pass(const struct golden *golden, uint8_t kernels)
{
    struct network network;
    struct mycel_nn_config config = config_of(golden, kernels);
    const struct mycel_nn_data data = data_of(golden);
    const struct mycel_nn_budget budget = {.epochs = 1000, .steps_max = 1};
    config.clip_norm = 1e9f;
    if (!network_open(&network, golden, &config)) {
        return false;
    }
    uint32_t length;
    find(golden, "outputs", &length);
    float *outputs = malloc(length * sizeof *outputs);
    float *gradient = malloc(network.model.param_count * sizeof *gradient);
    struct mycel_nn_status status;
    assert_int_equal(mycel_nn_predict(network.nn, &data, 0, golden->samples, outputs), 0);
    mycel_nn_start(network.nn, 1, 0);
    assert_int_equal(mycel_nn_train(network.nn, &data, &budget), MYCEL_NN_MORE);
    mycel_nn_status(network.nn, &status);
    assert_int_equal(
        mycel_nn_read(network.nn, MYCEL_NN_GRADIENT, 0, network.model.param_count, gradient), 0);
    compare(golden, "outputs", status.kernels, outputs, TOLERANCE);
    compare(golden, "loss", status.kernels, &status.loss, TOLERANCE);
    compare(golden, "gradient", status.kernels, gradient, TOLERANCE);
    free(outputs);
    free(gradient);
    free(network.arena);
    return true;
}

static void check_training(const struct golden *golden, uint8_t kernels)
{
    struct network network;
    const struct mycel_nn_config config = config_of(golden, kernels);
    const struct mycel_nn_data data = data_of(golden);
    const struct mycel_nn_budget budget = {.epochs = 1000, .steps_max = golden->steps};
    assert_true(network_open(&network, golden, &config));
    float *after = malloc(network.model.param_count * sizeof *after);
    struct mycel_nn_status status;
    mycel_nn_start(network.nn, 1, 0);
    assert_int_equal(mycel_nn_train(network.nn, &data, &budget), MYCEL_NN_MORE);
    mycel_nn_status(network.nn, &status);
    assert_int_equal(status.steps, golden->steps);
    assert_int_equal(
        mycel_nn_read(network.nn, MYCEL_NN_PARAMS, 0, network.model.param_count, after), 0);
    compare(golden, "after", status.kernels, after, TOLERANCE_AFTER);
    free(after);
    free(network.arena);
}

static void test_against_pytorch(void **state)
{
    static const uint8_t kernels[] = {MYCEL_NN_KERNELS_SCALAR, MYCEL_NN_KERNELS_SSE2,
                                      MYCEL_NN_KERNELS_AVX2, MYCEL_NN_KERNELS_AVX512,
                                      MYCEL_NN_KERNELS_NEON};
    unsigned compared = 0;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct golden golden;
        golden_open(&golden, names[i]);
        for (size_t k = 0; k < sizeof kernels; k++) {
            if (check_pass(&golden, kernels[k])) {
                check_training(&golden, kernels[k]);
                compared++;
            }
        }
        golden_close(&golden);
    }
    assert_true(compared >= 2 * sizeof names / sizeof names[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_pytorch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
