/*
 * Dropout and residual add: layers that change a tensor value by value. Both work in their input's
 * place when the planner found that nobody needs it as it was. Dropout remembers nothing: which
 * values fall is a function of seed, layer, sample and value, the same forward and backward.
 */
#include <string.h>

#include "client/nn/nn_internal.h"
#include "common/rng.h"

#define RNG_STREAM_DROPOUT UINT64_C(0x64726f7000000000)

static uint32_t join_rows(const struct mycel_model *model, uint32_t i)
{
    (void)model;
    (void)i;
    return 0;
}

static uint32_t dropout_scratch(const struct mycel_nn_plan *plan, uint32_t i, enum nn_phase phase)
{
    bool passes = phase == NN_BACKWARD_INPUT && plan->layer[i].passes;
    bool apart = !plan->layer[i].in_place;
    return passes && apart ? nn_values(&plan->model->layer[i].in) * 4u : 0;
}

static uint32_t no_scratch(const struct mycel_nn_plan *plan, uint32_t i, enum nn_phase phase)
{
    (void)plan;
    (void)i;
    (void)phase;
    return 0;
}

/* to = from x what dropout makes of 1, for one sample; to may be from. */
static void drop(const struct mycel_nn *nn, uint32_t i, uint32_t s, const float *from, float *to)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    float scale = 1.0f / (1.0f - l->rate);
    uint32_t threshold = (uint32_t)(l->rate * 16777216.0f);
    uint64_t sample = nn->seen + nn->step_done + s;
    for (uint32_t k = 0; k < nn_values(&l->in); k++) {
        uint32_t draw = rng_u32(nn->seed, RNG_STREAM_DROPOUT + i, sample << 24 | k) >> 8;
        to[k] = draw >= threshold ? from[k] * scale : 0.0f;
    }
}

static void dropout_forward(struct mycel_nn *nn, uint32_t i)
{
    uint32_t values = nn_values(&nn_layer(nn, i)->in);
    bool in_place = nn->plan->layer[i].in_place;
    if (!nn->training && !in_place) {
        memcpy(nn_out(nn, i), nn_in(nn, i), (size_t)nn->samples * values * 4u);
    }
    for (uint32_t s = 0; nn->training && s < nn->samples; s++) {
        drop(nn, i, s, nn_in(nn, i) + (size_t)s * values, nn_out(nn, i) + (size_t)s * values);
    }
}

static void dropout_backward(struct mycel_nn *nn, uint32_t i)
{
    uint32_t values = nn_values(&nn_layer(nn, i)->in);
    bool in_place = nn->plan->layer[i].in_place;
    float *raw = in_place ? NULL : nn_scratch(nn, i, NN_BACKWARD_INPUT);
    for (uint32_t s = 0; s < nn->samples; s++) {
        float *d = nn_out(nn, i) + (size_t)s * values;
        drop(nn, i, s, d, in_place ? d : raw);
        if (!in_place) {
            nn_pass_gradient(nn, i, s, raw);
        }
    }
}

static void add_forward(struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    uint32_t values = nn->samples * nn_values(&l->in);
    const float *x = nn_in(nn, i);
    const float *source = nn_out(nn, l->source);
    float *y = nn_out(nn, i);
    for (uint32_t k = 0; k < values; k++) {
        y[k] = x[k] + source[k];
    }
    nn_activate(nn, i);
}

/* The source finds its share where this layer's gradient lies (nn_skip_of). */
static void add_backward(struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_nn_layer_plan *p = &nn->plan->layer[i];
    uint32_t values = nn_values(&nn_layer(nn, i)->in);
    for (uint32_t s = 0; p->passes && !p->in_place && s < nn->samples; s++) {
        nn_pass_gradient(nn, i, s, nn_out(nn, i) + (size_t)s * values);
    }
}

const struct nn_layer_ops nn_dropout_ops = {join_rows, dropout_scratch, dropout_forward,
                                            dropout_backward};
const struct nn_layer_ops nn_add_ops = {join_rows, no_scratch, add_forward, add_backward};
