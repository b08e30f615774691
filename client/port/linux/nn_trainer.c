/* Binds the on-device trainer to the client's table. See nn_trainer.h. */
#include "client/port/linux/nn_trainer.h"

#include <mycel/error.h>
#include <stdlib.h>
#include <string.h>

void nn_trainer_init(struct nn_trainer *trainer, const struct dataset *data)
{
    nn_trainer_init_part(trainer, data, NULL, data->samples);
}

void nn_trainer_init_part(struct nn_trainer *trainer, const struct dataset *data,
                          const uint32_t *indices, uint32_t count)
{
    memset(trainer, 0, sizeof *trainer);
    trainer->data = data;
    trainer->indices = indices;
    trainer->count = count;
}

static uint32_t samples(void *ctx)
{
    return ((const struct nn_trainer *)ctx)->count;
}

static void release(void *ctx)
{
    struct nn_trainer *t = ctx;
    free(t->arena);
    t->arena = NULL;
    t->nn = NULL;
}

static bool loss_is_regression(const struct mycel_model *model)
{
    return model->loss == MYCEL_LOSS_MSE || model->loss == MYCEL_LOSS_HUBER;
}

/* Whether these samples can train this model. */
static int check_shapes(const struct nn_trainer *t, uint32_t params)
{
    const struct dataset *data = t->data;
    uint32_t outputs = mycel_model_outputs(&t->model);
    if (t->model.param_count != params || mycel_model_inputs(&t->model) != data->features) {
        return MYCEL_E_SHAPE;
    }
    if (t->model.loss == MYCEL_LOSS_CROSSENTROPY) {
        return data->labels != NULL && data->classes <= outputs ? MYCEL_OK : MYCEL_E_SHAPE;
    }
    if (outputs != 1) {
        return MYCEL_E_SHAPE; /* data sets have one label or one target a sample */
    }
    bool fits = loss_is_regression(&t->model) || (data->labels != NULL && data->classes <= 2);
    return fits ? MYCEL_OK : MYCEL_E_SHAPE;
}

static int make_context(struct nn_trainer *t, const struct mycel_plan *plan)
{
    struct mycel_nn_config config = {
        .use = MYCEL_NN_TRAIN,
        .input = t->data->type == DATASET_U8 ? MYCEL_NN_U8 : MYCEL_NN_F32,
        .input_scale = t->data->type == DATASET_U8 ? 1.0f / 255.0f : 1.0f,
        .widen = t->data->type == DATASET_U8,
        .shuffle = plan->seed != 0 && !t->in_order,
        .optimizer = plan->momentum > 0.0f ? MYCEL_NN_MOMENTUM : MYCEL_NN_SGD,
        .momentum = plan->momentum,
        .batch = plan->batch,
        .learning_rate = plan->learning_rate,
        .prox = plan->prox_mu,
        .scaffold = plan->control,
    };
    int rc = mycel_nn_plan(&t->plan, &t->model, &config);
    if (rc < 0) {
        return rc == MYCEL_E_INVALID ? MYCEL_E_UNSUPPORTED : rc;
    }
    if (t->plan.arena_bytes > NN_TRAINER_ARENA_BYTES_MAX) {
        return MYCEL_E_NO_MEMORY;
    }
    size_t bytes =
        ((size_t)t->plan.arena_bytes + MYCEL_NN_ALIGN - 1u) / MYCEL_NN_ALIGN * MYCEL_NN_ALIGN;
    t->arena = aligned_alloc(MYCEL_NN_ALIGN, bytes);
    return t->arena == NULL ? MYCEL_E_NO_MEMORY : mycel_nn_init(&t->nn, &t->plan, t->arena, bytes);
}

static int prepare(void *ctx, const struct mycel_plan *plan, uint32_t *column)
{
    struct nn_trainer *t = ctx;
    release(t);
    struct mycel_model_error error = {.column = 0};
    int rc = mycel_model_parse(&t->model, plan->model, &error);
    if (rc < 0) {
        *column = (uint32_t)error.column;
        return rc;
    }
    rc = check_shapes(t, plan->params);
    if (rc == MYCEL_OK) {
        rc = make_context(t, plan);
    }
    if (rc < 0) {
        release(t);
        return rc;
    }
    t->result = (struct mycel_train_result){.samples = t->count};
    t->seed = plan->seed;
    t->epochs = plan->epochs;
    t->steps_max = plan->steps_max;
    t->steps_per_epoch = (t->count + plan->batch - 1u) / plan->batch;
    t->epochs_seen = 0;
    t->started = false;
    return MYCEL_OK;
}

static int load(void *ctx, uint32_t first, const float *values, uint32_t count)
{
    struct nn_trainer *t = ctx;
    int rc = mycel_nn_write(t->nn, MYCEL_NN_PARAMS, first, count, values);
    if (rc == MYCEL_OK && t->plan.config.prox > 0.0f) {
        rc = mycel_nn_write(t->nn, MYCEL_NN_BASE, first, count, values);
    }
    return rc;
}

static int fetch(void *ctx, uint32_t index, void *stage, struct mycel_nn_sample *sample)
{
    struct nn_trainer *t = ctx;
    const struct dataset *data = t->data;
    (void)stage;
    index = t->indices != NULL ? t->indices[index] : index;
    size_t value_bytes = data->type == DATASET_U8 ? 1u : sizeof(float);
    sample->input = (const uint8_t *)data->inputs + (size_t)index * data->features * value_bytes;
    sample->label = data->labels != NULL ? data->labels[index] : 0;
    if (data->targets != NULL) {
        sample->target = &data->targets[index];
    } else if (loss_is_regression(&t->model)) {
        t->target = (float)data->labels[index];
        sample->target = &t->target;
    } else {
        sample->target = NULL;
    }
    return MYCEL_OK;
}

/* Steps that one call may do: never past an epoch's end, so that each epoch's loss is seen. */
static uint32_t steps_allowed(const struct nn_trainer *t, const struct mycel_nn_status *status,
                              uint32_t steps)
{
    uint32_t to_epoch_end = t->steps_per_epoch - status->steps % t->steps_per_epoch;
    uint32_t allowed = steps < to_epoch_end ? steps : to_epoch_end;
    if (t->steps_max > 0 && t->steps_max - status->steps < allowed) {
        allowed = t->steps_max - status->steps;
    }
    return allowed;
}

static void note(struct nn_trainer *t, const struct mycel_nn_status *status)
{
    t->result.steps = status->steps;
    if (status->epochs > t->epochs_seen) {
        t->epochs_seen = status->epochs;
        t->result.loss_last = status->epoch_loss;
        t->result.loss_first = status->epochs == 1 ? status->epoch_loss : t->result.loss_first;
    } else if (status->epochs == 0) {
        t->result.loss_first = t->result.loss_last = status->loss; /* cut short by steps_max */
    }
}

static int step(void *ctx, uint32_t steps)
{
    struct nn_trainer *t = ctx;
    if (!t->started) {
        mycel_nn_start(t->nn, t->seed, 0.0f);
        t->started = true;
    }
    struct mycel_nn_status status;
    mycel_nn_status(t->nn, &status);
    struct mycel_nn_data data = {.count = t->count, .fetch = fetch, .ctx = t};
    struct mycel_nn_budget budget = {.epochs = t->epochs,
                                     .steps_max = steps_allowed(t, &status, steps)};
    int rc = mycel_nn_train(t->nn, &data, &budget);
    if (rc < 0) {
        return rc;
    }
    mycel_nn_status(t->nn, &status);
    note(t, &status);
    bool is_done = status.epochs >= t->epochs || (t->steps_max > 0 && status.steps >= t->steps_max);
    return is_done ? 0 : 1;
}

static int weights(void *ctx, uint32_t first, float *values, uint32_t count)
{
    struct nn_trainer *t = ctx;
    return mycel_nn_read(t->nn, MYCEL_NN_PARAMS, first, count, values);
}

static void result(void *ctx, struct mycel_train_result *out)
{
    *out = ((const struct nn_trainer *)ctx)->result;
}

static int correct(void *ctx, uint32_t first, const float *values, uint32_t count)
{
    struct nn_trainer *t = ctx;
    return mycel_nn_write(t->nn, MYCEL_NN_CORRECTION, first, count, values);
}

const struct mycel_trainer nn_trainer_table = {samples, prepare, load,    step,
                                               weights, result,  release, correct};
