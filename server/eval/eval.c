/* The held-out set and a throw-away trainer context per score. */
#include "server/eval/eval_set.h"

#include <mycel/error.h>
#include <mycel/nn.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define EVAL_BATCH 64
#define EVAL_CLASSES_MAX 256u /* as a label byte holds */

/* Labels as the trainer takes them: as classes, and as numbers for a model that predicts a number. */
static int convert_labels(struct eval_set *set)
{
    if (!set->data.labels) {
        return MYCEL_OK;
    }
    if (set->data.classes > 256) {
        return MYCEL_E_UNSUPPORTED;
    }
    set->labels = malloc(set->data.samples);
    set->targets = malloc(sizeof *set->targets * set->data.samples);
    if (!set->labels || !set->targets) {
        return MYCEL_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < set->data.samples; i++) {
        set->labels[i] = (uint8_t)set->data.labels[i];
        set->targets[i] = (float)set->data.labels[i];
    }
    return MYCEL_OK;
}

int eval_adopt(struct dataset *data, struct eval_set **out)
{
    *out = NULL;
    struct eval_set *set = calloc(1, sizeof *set);
    if (!set) {
        dataset_free(data);
        return MYCEL_E_NO_MEMORY;
    }
    set->data = *data;
    memset(data, 0, sizeof *data);
    int rc = convert_labels(set);
    if (rc < 0) {
        eval_close(set);
        return rc;
    }
    *out = set;
    return MYCEL_OK;
}

int eval_open(const char *inputs, const char *labels, struct eval_set **out, char *problem)
{
    _Static_assert(EVAL_PROBLEM_BYTES >= DATASET_PROBLEM_BYTES, "problems fit");
    struct dataset_source source = {.inputs = inputs, .labels = labels, .target = DATASET_EITHER};
    struct dataset data;
    *out = NULL;
    int rc = dataset_read_from(&source, &data, problem);
    return rc == 0 ? eval_adopt(&data, out) : rc;
}

void eval_close(struct eval_set *set)
{
    if (set) {
        dataset_free(&set->data);
        free(set->labels);
        free(set->targets);
        free(set);
    }
}

/* A trainer for inference, with its arena. */
struct network {
    struct mycel_model model;
    struct mycel_nn_plan plan;
    struct mycel_nn *nn;
    void *arena;
    struct mycel_nn_data data;
};

static int network_open(struct network *network, const struct eval_set *set, const char *text,
                        const float *params, uint32_t count)
{
    memset(network, 0, sizeof *network);
    int rc = mycel_model_parse(&network->model, text, NULL);
    if (rc == 0 && (network->model.param_count != count ||
                    mycel_model_inputs(&network->model) != set->data.features)) {
        rc = MYCEL_E_SHAPE;
    }
    const struct mycel_nn_config config = {
        .use = MYCEL_NN_INFER,
        .input = set->data.type == DATASET_U8 ? MYCEL_NN_U8 : MYCEL_NN_F32,
        .input_scale = set->data.type == DATASET_U8 ? 1.0f / 255.0f : 1.0f,
        .batch = EVAL_BATCH};
    if (rc == 0) {
        rc = mycel_nn_plan(&network->plan, &network->model, &config);
    }
    if (rc == 0) {
        size_t bytes = (size_t)network->plan.arena_bytes + MYCEL_NN_ALIGN;
        network->arena = malloc(bytes);
        rc = network->arena ? mycel_nn_init(&network->nn, &network->plan, network->arena, bytes)
                            : MYCEL_E_NO_MEMORY;
    }
    if (rc == 0) {
        rc = mycel_nn_write(network->nn, MYCEL_NN_PARAMS, 0, count, params);
    }
    bool regression =
        network->model.loss == MYCEL_LOSS_MSE || network->model.loss == MYCEL_LOSS_HUBER;
    network->data =
        (struct mycel_nn_data){.count = set->data.samples,
                               .inputs = set->data.inputs,
                               .labels = regression ? NULL : set->labels,
                               .targets = set->data.targets ? set->data.targets : set->targets};
    return rc;
}

int eval_model(const struct eval_set *set, const char *model, const float *params, uint32_t count,
               struct eval_score *score)
{
    struct network *network = malloc(sizeof *network); /* plans are too large for a pool's stack */
    struct mycel_nn_score result = {0};
    if (!network) {
        return MYCEL_E_NO_MEMORY;
    }
    int rc = network_open(network, set, model, params, count);
    if (rc == 0) {
        rc = mycel_nn_evaluate(network->nn, &network->data, 0, set->data.samples, &result);
    }
    if (rc == 0 && !isfinite(result.loss)) {
        rc = MYCEL_E_NONFINITE;
    }
    if (rc == 0) {
        score->samples = result.count;
        score->loss = result.loss;
        score->accuracy = result.count ? (float)result.correct / (float)result.count : 0;
    }
    free(network->arena);
    free(network);
    return rc;
}

int eval_predict(const struct eval_set *set, const char *model, const float *params, uint32_t count,
                 uint32_t index, float *out, size_t capacity)
{
    struct network *network = malloc(sizeof *network);
    if (!network) {
        return MYCEL_E_NO_MEMORY;
    }
    int rc = network_open(network, set, model, params, count);
    uint32_t outputs = rc == 0 ? mycel_model_outputs(&network->model) : 0;
    if (rc == 0 && index >= set->data.samples) {
        rc = MYCEL_E_INVALID;
    }
    if (rc == 0 && outputs > capacity) {
        rc = MYCEL_E_NO_MEMORY;
    }
    if (rc == 0) {
        rc = mycel_nn_predict(network->nn, &network->data, index, 1, out);
    }
    free(network->arena);
    free(network);
    return rc < 0 ? rc : (int)outputs;
}

/* Which output of one sample is the largest. */
static uint32_t largest(const float *outputs, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++) {
        best = outputs[i] > outputs[best] ? i : best;
    }
    return best;
}

/* Predicts in batches and counts hits; `outputs` holds one batch. */
static int count_hits(struct network *network, const struct eval_set *set, float *outputs,
                      uint32_t *hits, uint32_t *seen)
{
    uint32_t width = mycel_model_outputs(&network->model);
    int rc = MYCEL_OK;
    for (uint32_t at = 0; rc == 0 && at < set->data.samples; at += EVAL_BATCH) {
        uint32_t left = set->data.samples - at;
        uint32_t batch = left < EVAL_BATCH ? left : EVAL_BATCH;
        rc = mycel_nn_predict(network->nn, &network->data, at, batch, outputs);
        for (uint32_t i = 0; rc == 0 && i < batch; i++) {
            uint32_t label = set->data.labels[at + i];
            seen[label]++;
            hits[label] += largest(outputs + (size_t)i * width, width) == label;
        }
    }
    return rc;
}

int eval_classes(const struct eval_set *set, const char *model, const float *params, uint32_t count,
                 float *share, uint32_t capacity)
{
    uint32_t hits[EVAL_CLASSES_MAX] = {0};
    uint32_t seen[EVAL_CLASSES_MAX] = {0};
    uint32_t classes = set->data.classes;
    if (!set->data.labels || classes > capacity || classes > EVAL_CLASSES_MAX) {
        return MYCEL_E_UNSUPPORTED;
    }
    struct network *network = malloc(sizeof *network);
    if (!network) {
        return MYCEL_E_NO_MEMORY;
    }
    int rc = network_open(network, set, model, params, count);
    uint32_t width = rc == 0 ? mycel_model_outputs(&network->model) : 0;
    float *outputs = malloc(((size_t)width * EVAL_BATCH + 1u) * sizeof *outputs);
    if (rc == 0 && !outputs) {
        rc = MYCEL_E_NO_MEMORY;
    }
    if (rc == 0) {
        rc = count_hits(network, set, outputs, hits, seen);
    }
    for (uint32_t i = 0; rc == 0 && i < classes; i++) {
        share[i] = seen[i] > 0 ? (float)hits[i] / (float)seen[i] : NAN;
    }
    free(outputs);
    free(network->arena);
    free(network);
    return rc < 0 ? rc : (int)classes;
}
