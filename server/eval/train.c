/* One throw-away trainer per delta. */
#include "server/eval/train.h"

#include "common/rng.h"
#include "server/eval/eval_set.h"

#include <mycel/error.h>
#include <mycel/nn.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define STREAM_SAMPLES 1 /* of the plan's seed */
#define STREAM_ORDER 2

struct training {
    const struct eval_set *set;
    struct mycel_model model;
    struct mycel_nn_plan plan;
    struct mycel_nn *nn;
    void *arena;
    uint32_t *chosen; /* numbers of the samples */
    uint32_t samples;
    bool regression;
};

/* The first steps of a Fisher-Yates shuffle: a choice without replacement. */
static int choose_samples(struct training *t, const struct eval_plan *plan)
{
    uint32_t all = t->set->data.samples;
    t->samples = plan->samples > 0 && plan->samples < all ? plan->samples : all;
    t->chosen = malloc(sizeof *t->chosen * ((size_t)all + 1u));
    if (!t->chosen) {
        return MYCEL_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < all; i++) {
        t->chosen[i] = i;
    }
    for (uint32_t i = 0; i < t->samples; i++) {
        uint32_t other = i + rng_below(plan->seed, STREAM_SAMPLES, i, all - i);
        uint32_t sample = t->chosen[other];
        t->chosen[other] = t->chosen[i];
        t->chosen[i] = sample;
    }
    return MYCEL_OK;
}

/* Whether these samples can train this model. */
static int check_shapes(struct training *t, uint32_t count)
{
    const struct dataset *data = &t->set->data;
    uint32_t outputs = mycel_model_outputs(&t->model);
    t->regression = t->model.loss == MYCEL_LOSS_MSE || t->model.loss == MYCEL_LOSS_HUBER;
    if (t->model.param_count != count || mycel_model_inputs(&t->model) != data->features ||
        data->samples == 0) {
        return MYCEL_E_SHAPE;
    }
    if (t->model.loss == MYCEL_LOSS_CROSSENTROPY) {
        return t->set->labels && data->classes <= outputs ? MYCEL_OK : MYCEL_E_SHAPE;
    }
    bool has_targets = t->set->targets || data->targets;
    bool fits = t->regression ? has_targets : t->set->labels && data->classes <= 2;
    return outputs == 1 && fits ? MYCEL_OK : MYCEL_E_SHAPE;
}

static int open_trainer(struct training *t, const struct eval_plan *plan, const float *base,
                        uint32_t count)
{
    bool bytes = t->set->data.type == DATASET_U8;
    const struct mycel_nn_config config = {
        .use = MYCEL_NN_TRAIN,
        .input = bytes ? MYCEL_NN_U8 : MYCEL_NN_F32,
        .input_scale = bytes ? 1.0f / 255.0f : 1.0f,
        .kernels = MYCEL_NN_KERNELS_SCALAR,
        .shuffle = true,
        .optimizer = plan->momentum > 0 ? MYCEL_NN_MOMENTUM : MYCEL_NN_SGD,
        .momentum = plan->momentum,
        .batch = plan->batch,
        .learning_rate = plan->learning_rate,
        .prox = plan->prox_mu,
    };
    int rc = mycel_nn_plan(&t->plan, &t->model, &config);
    if (rc == 0) {
        size_t room = (size_t)t->plan.arena_bytes + MYCEL_NN_ALIGN;
        t->arena = malloc(room);
        rc = t->arena ? mycel_nn_init(&t->nn, &t->plan, t->arena, room) : MYCEL_E_NO_MEMORY;
    }
    if (rc == 0) {
        rc = mycel_nn_write(t->nn, MYCEL_NN_PARAMS, 0, count, base);
    }
    if (rc == 0 && plan->prox_mu > 0) {
        rc = mycel_nn_write(t->nn, MYCEL_NN_BASE, 0, count, base);
    }
    return rc;
}

static int fetch(void *ctx, uint32_t index, void *stage, struct mycel_nn_sample *sample)
{
    const struct training *t = ctx;
    const struct dataset *data = &t->set->data;
    size_t value_bytes = data->type == DATASET_U8 ? 1u : sizeof(float);
    uint32_t i = t->chosen[index];
    const float *targets = data->targets ? data->targets : t->set->targets;
    (void)stage;
    sample->input = (const uint8_t *)data->inputs + (size_t)i * data->features * value_bytes;
    sample->label = t->set->labels ? t->set->labels[i] : 0;
    sample->target = t->regression ? &targets[i] : NULL;
    return MYCEL_OK;
}

static int train(struct training *t, const struct eval_plan *plan, const float *base,
                 uint32_t count, float *delta)
{
    const struct mycel_nn_data data = {.count = t->samples, .fetch = fetch, .ctx = t};
    const struct mycel_nn_budget budget = {.epochs = plan->epochs, .steps_max = plan->steps_max};
    const struct mycel_nn_base from = {.params = base};
    mycel_nn_start(t->nn, rng_u64(plan->seed, STREAM_ORDER, plan->order), 0.0f);
    int rc = mycel_nn_train(t->nn, &data, &budget);
    if (rc >= 0) { /* MYCEL_NN_MORE: steps_max came before the last epoch */
        rc = mycel_nn_delta(t->nn, &from, 0, count, delta);
    }
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        rc = isfinite(delta[i]) ? MYCEL_OK : MYCEL_E_NONFINITE;
    }
    return rc;
}

int eval_train_delta(const struct eval_set *set, const char *model, const struct eval_plan *plan,
                     const float *base, uint32_t count, float *delta)
{
    struct training *t = calloc(1, sizeof *t); /* plans are too large for a pool's stack */
    if (!t) {
        return MYCEL_E_NO_MEMORY;
    }
    t->set = set;
    int rc = mycel_model_parse(&t->model, model, NULL);
    if (rc == 0) {
        rc = check_shapes(t, count);
    }
    if (rc == 0) {
        rc = choose_samples(t, plan);
    }
    if (rc == 0) {
        rc = open_trainer(t, plan, base, count);
    }
    if (rc == 0) {
        rc = train(t, plan, base, count, delta);
    }
    free(t->chosen);
    free(t->arena);
    free(t);
    return rc;
}
