/*
 * A model and its plan as constants in C, in the order of <mycel/model.h> and <mycel/nn.h>. It owns
 * the text only; floats are written so that they read back bit for bit.
 */
#include "server/cli/model_source.h"

#include <inttypes.h>

static void put_shape(FILE *to, const char *name, const struct mycel_shape *shape)
{
    (void)fprintf(to, "         .%s = {%u, %u, %" PRIu32 "},\n", name, shape->height, shape->width,
                  shape->channels);
}

static void put_layer(FILE *to, const struct mycel_layer *l)
{
    (void)fprintf(to,
                  "        {.kind = %u, .activation = %u, .source = %u, .frozen = %d,\n"
                  "         .has_bias = %d, .tapped = %d, .kernel_h = %u, .kernel_w = %u,\n"
                  "         .stride_h = %u, .stride_w = %u, .pad_top = %u, .pad_left = %u,\n"
                  "         .pad_bottom = %u, .pad_right = %u, .groups = %u,\n"
                  "         .slope = (float)%a, .rate = (float)%a,\n",
                  l->kind, l->activation, l->source, l->frozen, l->has_bias, l->tapped, l->kernel_h,
                  l->kernel_w, l->stride_h, l->stride_w, l->pad_top, l->pad_left, l->pad_bottom,
                  l->pad_right, l->groups, (double)l->slope, (double)l->rate);
    put_shape(to, "in", &l->in);
    put_shape(to, "out", &l->out);
    (void)fprintf(to, "         .param_offset = %" PRIu32 ", .param_count = %" PRIu32 "},\n",
                  l->param_offset, l->param_count);
}

static void put_model(FILE *to, const struct mycel_model *model)
{
    (void)fprintf(to,
                  "const struct mycel_model mycel_static_model = {\n    .input = {%u, %u, "
                  "%" PRIu32 "},\n",
                  model->input.height, model->input.width, model->input.channels);
    (void)fprintf(to,
                  "    .input_rank = %u,\n    .layer_count = %u,\n    .loss = %u,\n    "
                  ".huber_delta = (float)%a,\n"
                  "    .param_count = %" PRIu32 ",\n    .layer = {\n",
                  model->input_rank, (unsigned)model->layer_count, model->loss,
                  (double)model->huber_delta, model->param_count);
    for (uint32_t i = 0; i < model->layer_count; i++) {
        put_layer(to, &model->layer[i]);
    }
    (void)fprintf(to, "    }};\n\n");
}

static void put_config(FILE *to, const struct mycel_nn_config *c)
{
    (void)fprintf(to,
                  "    .config = {.use = %u, .input = %u, .int8 = %u, .kernels = %u, .stage = %d,\n"
                  "        .shuffle = %d, .scaffold = %d, .optimizer = %u, .schedule = %u,\n"
                  "        .batch = %" PRIu32 ", .micro_batch = %" PRIu32
                  ", .input_scale = (float)%a,\n"
                  "        .input_shift = (float)%a, .learning_rate = (float)%a,\n",
                  c->use, c->input, c->int8, c->kernels, c->stage, c->shuffle, c->scaffold,
                  c->optimizer, c->schedule, c->batch, c->micro_batch, (double)c->input_scale,
                  (double)c->input_shift, (double)c->learning_rate);
    (void)fprintf(to,
                  "        .momentum = (float)%a, .beta2 = (float)%a, .epsilon = (float)%a,\n"
                  "        .weight_decay = (float)%a, .clip_norm = (float)%a, .prox = (float)%a,\n"
                  "        .schedule_factor = (float)%a, .schedule_steps = %" PRIu32 ",\n"
                  "        .warmup_steps = %" PRIu32 "},\n",
                  (double)c->momentum, (double)c->beta2, (double)c->epsilon,
                  (double)c->weight_decay, (double)c->clip_norm, (double)c->prox,
                  (double)c->schedule_factor, c->schedule_steps, c->warmup_steps);
}

#define FIELD(to, from, name) (void)fprintf(to, "    ." #name " = %" PRIu32 "u,\n", (from)->name)

static void put_offsets(FILE *to, const struct mycel_nn_plan *plan)
{
    const struct mycel_nn_bytes *b = &plan->bytes;
    (void)fprintf(to,
                  "    .bytes = {%" PRIu32 ", %" PRIu32 ", %" PRIu32 ", %" PRIu32 ", %" PRIu32
                  ", %" PRIu32 "},\n    .first_trained = %u,\n",
                  b->context, b->params, b->optimizer, b->gradients, b->activations, b->stage,
                  plan->first_trained);
    FIELD(to, plan, arena_bytes);
    FIELD(to, plan, micro_batch);
    FIELD(to, plan, trained_bytes);
    FIELD(to, plan, params_offset);
    FIELD(to, plan, optimizer_offset);
    FIELD(to, plan, base_offset);
    FIELD(to, plan, correction_offset);
    FIELD(to, plan, gradients_offset);
    FIELD(to, plan, gradients_bytes);
    FIELD(to, plan, activations_offset);
    FIELD(to, plan, batch_offset);
    FIELD(to, plan, stage_offset);
    FIELD(to, plan, input_offset);
}

static void put_layer_plan(FILE *to, const struct mycel_nn_layer_plan *p)
{
    (void)fprintf(to,
                  "        {.macs = %" PRIu32 "u, .params_bytes = %" PRIu32
                  ", .activation_bytes = %" PRIu32 ",\n         .scratch_bytes = %" PRIu32
                  ", .trains = %d, .passes = %d, .int8 = %d, .in_place = %d,\n",
                  p->macs, p->params_bytes, p->activation_bytes, p->scratch_bytes, p->trains,
                  p->passes, p->int8, p->in_place);
    (void)fprintf(to,
                  "         .rows = %" PRIu32 ", .lanes = %" PRIu32 ", .params_offset = %" PRIu32
                  "u,\n         .state_offset = %" PRIu32 "u, .gradient_offset = %" PRIu32
                  "u, .out_offset = %" PRIu32 "u,\n",
                  p->rows, p->lanes, p->params_offset, p->state_offset, p->gradient_offset,
                  p->out_offset);
    (void)fprintf(
        to,
        "         .scratch_offset = {%" PRIu32 "u, %" PRIu32 "u, %" PRIu32 "u, %" PRIu32 "u}},\n",
        p->scratch_offset[0], p->scratch_offset[1], p->scratch_offset[2], p->scratch_offset[3]);
}

int model_source_write(FILE *to, const struct mycel_nn_plan *plan, const char *text)
{
    (void)fprintf(
        to,
        "/* %s\n * %" PRIu32 " parameters, an arena of %" PRIu32
        " bytes; made by `mycel model plan --c`. */\n#include <mycel/nn.h>\n\n"
        "_Static_assert(MYCEL_MODEL_LAYERS_MAX >= %u, \"the build has too few layers\");\n"
        "extern const struct mycel_model mycel_static_model;\n"
        "extern const struct mycel_nn_plan mycel_static_plan;\n\n",
        text, plan->model->param_count, plan->arena_bytes, (unsigned)plan->model->layer_count);
    put_model(to, plan->model);
    (void)fprintf(to, "const struct mycel_nn_plan mycel_static_plan = {\n"
                      "    .model = &mycel_static_model,\n");
    put_config(to, &plan->config);
    put_offsets(to, plan);
    (void)fprintf(to, "    .layer = {\n");
    for (uint32_t i = 0; i < plan->model->layer_count; i++) {
        put_layer_plan(to, &plan->layer[i]);
    }
    (void)fprintf(to, "    }};\n");
    return ferror(to) ? -1 : 0;
}
