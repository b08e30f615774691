/*
 * The memory planner: which bytes a model takes in which class, before anything runs. It owns the
 * layout of the arena; placing tensors by lifetime is plan_place.c. It is a pure function of model
 * and config, the same on every machine, whatever kernels run later.
 */
#include "client/nn/nn_internal.h"
#include "mycel/error.h"

static float either(float value, float otherwise)
{
    return value != 0.0f ? value : otherwise;
}

static bool in_range(float value, float low, float high)
{
    return value >= low && value <= high;
}

static void fill_defaults(struct mycel_nn_config *c)
{
    c->batch = c->batch != 0 ? c->batch : 1;
    c->micro_batch = c->micro_batch != 0 && c->micro_batch < c->batch ? c->micro_batch : c->batch;
    c->input_scale = either(c->input_scale, 1.0f);
    c->learning_rate = either(c->learning_rate, 0.01f);
    c->momentum = either(c->momentum, 0.9f);
    c->beta2 = either(c->beta2, 0.999f);
    c->epsilon = either(c->epsilon, 1e-8f);
    if (c->schedule == MYCEL_NN_STEP) {
        c->schedule_factor = either(c->schedule_factor, 0.1f);
    }
}

static int check(const struct mycel_nn_config *c)
{
    bool choices = c->use <= MYCEL_NN_INFER && c->input <= MYCEL_NN_I8 &&
                   c->int8 <= MYCEL_NN_INT8_ALL && c->kernels <= MYCEL_NN_KERNELS_NEON &&
                   c->optimizer <= MYCEL_NN_ADAMW && c->schedule <= MYCEL_NN_COSINE;
    bool numbers = c->batch <= MYCEL_NN_BATCH_MAX && in_range(c->learning_rate, 0.0f, 1e6f) &&
                   in_range(c->momentum, 0.0f, 1.0f) && in_range(c->beta2, 0.0f, 1.0f) &&
                   in_range(c->epsilon, 0.0f, 1.0f) && in_range(c->weight_decay, 0.0f, 1e6f) &&
                   in_range(c->clip_norm, 0.0f, 1e30f) && in_range(c->prox, 0.0f, 1e6f) &&
                   in_range(c->schedule_factor, 0.0f, 1e6f);
    bool schedule = c->schedule == MYCEL_NN_CONSTANT || c->schedule_steps > 0;
    if (!choices || !numbers || !schedule) {
        return MYCEL_E_INVALID;
    }
    bool trains = c->use == MYCEL_NN_TRAIN;
    if (c->widen && c->stage) {
        return MYCEL_E_UNSUPPORTED; /* a fetch would have nowhere to put raw samples */
    }
    return trains && c->int8 == MYCEL_NN_INT8_ALL ? MYCEL_E_UNSUPPORTED : 0;
}

/* Whether this build has everything that the config asks for, see nn_build.h. */
static bool build_has_config(const struct mycel_nn_config *c)
{
    bool momentum = c->optimizer == MYCEL_NN_MOMENTUM || c->optimizer == MYCEL_NN_NESTEROV;
    bool gradients = c->clip_norm > 0.0f || c->micro_batch < c->batch ||
                     (c->optimizer == MYCEL_NN_SGD && c->weight_decay > 0.0f);
    return (MYCEL_NN_WITH_INT8 || c->int8 == MYCEL_NN_INT8_NONE) &&
           (MYCEL_NN_WITH_MOMENTUM || !momentum) &&
           (MYCEL_NN_WITH_ADAMW || c->optimizer != MYCEL_NN_ADAMW) &&
           (MYCEL_NN_WITH_GRADIENTS || !gradients) &&
           (MYCEL_NN_WITH_FEDERATED_TERMS || (c->prox == 0.0f && !c->scaffold)) &&
           (MYCEL_NN_WITH_SCHEDULES ||
            (c->schedule == MYCEL_NN_CONSTANT && c->warmup_steps == 0)) &&
           (MYCEL_NN_WITH_SHUFFLE || !c->shuffle) && (MYCEL_NN_WITH_HOST || !c->widen) &&
           (MYCEL_NN_WITH_INPUTS || nn_input_is_plain(c));
}

static bool build_has_model(const struct mycel_model *model)
{
    bool has = MYCEL_NN_WITH_LOSSES || model->loss == MYCEL_LOSS_CROSSENTROPY;
    for (uint32_t i = 0; i < model->layer_count; i++) {
        uint8_t act = model->layer[i].activation;
        bool common = act == MYCEL_ACT_NONE || act == MYCEL_ACT_RELU || act == MYCEL_ACT_SOFTMAX;
        has = has && nn_ops(&model->layer[i]) != NULL && (MYCEL_NN_WITH_ACTIVATIONS || common);
    }
    return has;
}

bool nn_plan_is_direct(const struct mycel_nn_plan *plan)
{
    const struct mycel_nn_config *c = &plan->config;
    if (!NN_WITH_UPDATES) {
        return true;
    }
    return c->optimizer == MYCEL_NN_SGD && c->clip_norm == 0.0f && c->prox == 0.0f &&
           c->weight_decay == 0.0f && !c->scaffold && c->micro_batch == c->batch;
}

static bool has_matrix(const struct mycel_layer *layer)
{
    return layer->kind == MYCEL_LAYER_DENSE || layer->kind == MYCEL_LAYER_CONV;
}

/* Frozen layers among those that train keep floats: a gradient has to pass them. */
static bool keeps_int8(const struct mycel_nn_plan *plan, uint32_t i)
{
    uint8_t int8 = plan->config.int8;
    bool chosen =
        int8 == MYCEL_NN_INT8_ALL ||
        (int8 == MYCEL_NN_INT8_FROZEN && i < plan->first_trained && plan->model->layer[i].frozen);
    return chosen && has_matrix(&plan->model->layer[i]);
}

/* Floats of a layer's parameters as they lie in the arena. */
static uint64_t layer_values(const struct mycel_layer *layer, const struct mycel_nn_layer_plan *p)
{
    uint64_t rows = p->rows;
    if (layer->kind == MYCEL_LAYER_GROUPNORM) {
        rows = 2;
    } else if (layer->kind == MYCEL_LAYER_BATCHNORM) {
        rows = 4;
    }
    return (rows + (layer->has_bias ? 1 : 0)) * p->lanes;
}

uint32_t nn_trained_values(const struct mycel_nn_plan *plan, uint32_t i)
{
    const struct mycel_nn_layer_plan *p = &plan->layer[i];
    if (!p->trains) {
        return 0;
    }
    bool statistics = plan->model->layer[i].kind == MYCEL_LAYER_BATCHNORM;
    return statistics ? 2 * p->lanes : p->params_bytes / 4u;
}

/* Everything about a layer that does not depend on where things lie. */
static int plan_layer(struct mycel_nn_plan *plan, uint32_t i)
{
    const struct mycel_model *model = plan->model;
    const struct mycel_layer *layer = &model->layer[i];
    struct mycel_nn_layer_plan *p = &plan->layer[i];
    uint64_t macs = mycel_layer_macs(layer);
    bool trains = plan->layer[i].trains;
    *p = (struct mycel_nn_layer_plan){
        .macs = macs < UINT32_MAX ? (uint32_t)macs : UINT32_MAX,
        .trains = trains,
        .passes = i > plan->first_trained,
        .int8 = keeps_int8(plan, i),
        .rows = nn_pad4(nn_ops(layer)->rows(model, i)),
        .lanes = nn_pad4(layer->out.channels),
        .gradient_offset = NN_NONE,
    };
    uint64_t params =
        nn_is_int8(plan, i) ? nn_int8_bytes(layer, p->rows, p->lanes) : 4 * layer_values(layer, p);
    uint64_t values = (uint64_t)nn_values(&layer->out) * plan->micro_batch;
    if (params > INT32_MAX || values > INT32_MAX / 4) {
        return MYCEL_E_TOO_LARGE;
    }
    p->params_bytes = (uint32_t)params;
    p->activation_bytes = (uint32_t)values * 4u;
    return 0;
}

/* The place of `bytes` at the end of what is laid out; NN_NONE for nothing. */
static uint32_t reserve(uint64_t *end, uint64_t bytes)
{
    uint64_t at = (*end + MYCEL_NN_ALIGN - 1) / MYCEL_NN_ALIGN * MYCEL_NN_ALIGN;
    *end = at + bytes;
    return at < UINT32_MAX ? (uint32_t)at : 0;
}

static uint64_t input_bytes(const struct mycel_nn_plan *plan)
{
    uint64_t size = plan->config.input == MYCEL_NN_F32 || plan->config.widen ? 4 : 1;
    return (mycel_model_inputs(plan->model) * size + 3) / 4 * 4;
}

/* The context, its pointers and labels, and where the config asks for them the inputs. */
static void place_context(struct mycel_nn_plan *plan, uint64_t *end)
{
    uint64_t n = plan->micro_batch;
    *end = sizeof(struct mycel_nn);
    plan->batch_offset = reserve(end, n * (2 * sizeof(void *) + sizeof(uint32_t)));
    plan->bytes.context = (uint32_t)*end;
    uint64_t before = *end;
    if (plan->config.stage || plan->config.widen) {
        plan->stage_offset = reserve(end, n * input_bytes(plan));
    }
    plan->bytes.stage = (uint32_t)(*end - before);
}

static void place_params(struct mycel_nn_plan *plan, uint64_t *end)
{
    uint64_t before = *end;
    plan->params_offset = reserve(end, 0);
    for (uint32_t i = 0; i < plan->model->layer_count; i++) {
        struct mycel_nn_layer_plan *p = &plan->layer[i];
        p->params_offset = (uint32_t)*end;
        *end += (p->params_bytes + 63u) / 64u * 64u;
        p->state_offset = plan->trained_bytes;
        plan->trained_bytes += (nn_trained_values(plan, i) * 4u + 63u) / 64u * 64u;
    }
    plan->base_offset = plan->config.prox > 0.0f ? reserve(end, plan->trained_bytes) : NN_NONE;
    plan->correction_offset = plan->config.scaffold ? reserve(end, plan->trained_bytes) : NN_NONE;
    plan->bytes.params = (uint32_t)(*end - before);
}

static void place_state(struct mycel_nn_plan *plan, uint64_t *end)
{
    static const uint8_t copies[] = {0, 1, 1, 2};
    const struct mycel_nn_config *c = &plan->config;
    bool trains = c->use == MYCEL_NN_TRAIN;
    uint64_t before = *end;
    uint64_t bytes = trains ? (uint64_t)plan->trained_bytes * copies[c->optimizer] : 0;
    plan->optimizer_offset = bytes > 0 ? reserve(end, bytes) : NN_NONE;
    plan->bytes.optimizer = (uint32_t)(*end - before);
    before = *end;
    bool whole = trains && (c->clip_norm > 0.0f || c->micro_batch < c->batch);
    plan->gradients_bytes = whole ? plan->trained_bytes : 0;
    plan->gradients_offset = whole ? reserve(end, plan->trained_bytes) : NN_NONE;
    plan->bytes.gradients = (uint32_t)(*end - before);
    for (uint32_t i = 0; whole && i < plan->model->layer_count; i++) {
        struct mycel_nn_layer_plan *p = &plan->layer[i];
        p->gradient_offset = p->trains ? plan->gradients_offset + p->state_offset : NN_NONE;
    }
}

/* Which layers train, and the lowest of them, below which nothing goes backward. */
static void find_trained(struct mycel_nn_plan *plan)
{
    uint32_t count = plan->model->layer_count;
    plan->first_trained = (uint16_t)count;
    for (uint32_t i = count; i-- > 0;) {
        const struct mycel_layer *layer = &plan->model->layer[i];
        plan->layer[i].trains =
            plan->config.use == MYCEL_NN_TRAIN && !layer->frozen && layer->param_count > 0;
        plan->first_trained = plan->layer[i].trains ? (uint16_t)i : plan->first_trained;
    }
}

int mycel_nn_plan(struct mycel_nn_plan *plan, const struct mycel_model *model,
                  const struct mycel_nn_config *config)
{
    *plan = (struct mycel_nn_plan){.model = model, .config = *config};
    fill_defaults(&plan->config);
    plan->micro_batch = plan->config.micro_batch;
    int rc = check(&plan->config);
    if (rc == 0 && !(build_has_config(&plan->config) && build_has_model(model))) {
        rc = MYCEL_E_UNSUPPORTED;
    }
    uint64_t params = 0;
    find_trained(plan);
    for (uint32_t i = 0; rc == 0 && i < model->layer_count; i++) {
        rc = plan_layer(plan, i);
        params += plan->layer[i].params_bytes;
    }
    if (rc != 0) {
        return rc;
    }
    if (params > UINT32_MAX / 8) {
        return MYCEL_E_TOO_LARGE;
    }
    uint64_t end = 0;
    place_context(plan, &end);
    place_params(plan, &end);
    place_state(plan, &end);
    plan->activations_offset = reserve(&end, 0);
    uint64_t activations = nn_plan_place(plan);
    if (end + activations > UINT32_MAX - MYCEL_NN_ALIGN) {
        return MYCEL_E_TOO_LARGE;
    }
    plan->bytes.activations = (uint32_t)activations;
    plan->arena_bytes = (uint32_t)(end + activations);
    return 0;
}
