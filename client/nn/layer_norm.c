/*
 * Normalisation: over groups of channels of a sample (Wu and He 2018), which federated averaging
 * bears, and by statistics that came with the model (a batchnorm whose mean and variance never
 * move). Parameters are rows of lanes: weight, bias, and for batchnorm mean and variance.
 */
#include <string.h>

#include "client/nn/nn_internal.h"
#include "client/nn/nn_math.h"

#define NORM_EPSILON 1e-5f

static uint32_t norm_rows(const struct mycel_model *model, uint32_t i)
{
    (void)model;
    (void)i;
    return 0;
}

/* A sample's gradient, the weights as they were, and the gradient of weight and bias. */
static uint32_t norm_scratch(const struct mycel_nn_plan *plan, uint32_t i, enum nn_phase phase)
{
    const struct mycel_nn_layer_plan *p = &plan->layer[i];
    if (phase != NN_BACKWARD) {
        return 0;
    }
    return (p->passes ? nn_values(&plan->model->layer[i].in) * 4u : 0) + p->lanes * 4u +
           nn_target_space(plan, 2 * p->lanes);
}

/* Channels of one sample that are normalised together. */
struct group {
    uint32_t pixels;
    uint32_t lanes;
    uint32_t first; /* channel */
    uint32_t size;  /* channels */
};

static struct group group_of(const struct mycel_layer *l, uint32_t g)
{
    uint32_t size = l->in.channels / l->groups;
    return (struct group){nn_pixels_of(&l->in), nn_pad4(l->in.channels), g * size, size};
}

struct moments {
    float mean;
    float rate; /* 1 / standard deviation */
};

static struct moments moments_of(const struct group *g, const float *x)
{
    float count = (float)(g->pixels * g->size);
    float sum = 0.0f;
    float square = 0.0f;
    for (uint32_t p = 0; p < g->pixels; p++) {
        for (uint32_t c = 0; c < g->size; c++) {
            sum += x[p * g->lanes + g->first + c];
        }
    }
    float mean = sum / count;
    for (uint32_t p = 0; p < g->pixels; p++) {
        for (uint32_t c = 0; c < g->size; c++) {
            float e = x[p * g->lanes + g->first + c] - mean;
            square += e * e;
        }
    }
    return (struct moments){mean, 1.0f / nn_sqrtf(square / count + NORM_EPSILON)};
}

static void groupnorm_forward(struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    const float *weight = nn_params(nn, i);
    const float *bias = weight + nn->plan->layer[i].lanes;
    uint32_t values = nn_values(&l->in);
    memset(nn_out(nn, i), 0, (size_t)nn->samples * values * 4u);
    for (uint32_t k = 0; k < nn->samples * l->groups; k++) {
        const struct group g = group_of(l, k % l->groups);
        size_t at = (size_t)(k / l->groups) * values;
        const float *x = nn_in(nn, i) + at;
        float *y = nn_out(nn, i) + at;
        const struct moments m = moments_of(&g, x);
        for (uint32_t p = 0; p < g.pixels; p++) {
            for (uint32_t c = g.first; c < g.first + g.size; c++) {
                uint32_t v = p * g.lanes + c;
                y[v] = (x[v] - m.mean) * m.rate * weight[c] + bias[c];
            }
        }
    }
    nn_activate(nn, i);
}

/* The gradient of one group of one sample: into raw, and added to that of weight and bias. */
static void group_backward(const struct group *g, const float *weight, const float *x,
                           const float *d, float *raw, float *target)
{
    const struct moments m = moments_of(g, x);
    float count = (float)(g->pixels * g->size);
    float sum = 0.0f;
    float product = 0.0f;
    for (uint32_t p = 0; p < g->pixels; p++) {
        for (uint32_t c = g->first; c < g->first + g->size; c++) {
            uint32_t v = p * g->lanes + c;
            float unit = (x[v] - m.mean) * m.rate;
            sum += d[v] * weight[c];
            product += d[v] * weight[c] * unit;
            if (target != NULL) {
                target[c] += d[v] * unit;
                target[g->lanes + c] += d[v];
            }
        }
    }
    for (uint32_t p = 0; raw != NULL && p < g->pixels; p++) {
        for (uint32_t c = g->first; c < g->first + g->size; c++) {
            uint32_t v = p * g->lanes + c;
            float unit = (x[v] - m.mean) * m.rate;
            raw[v] = m.rate * (d[v] * weight[c] - sum / count - unit * (product / count));
        }
    }
}

/* Statistics that came with the model, by channel. */
static struct moments channel_moments(const float *weight, uint32_t lanes, uint32_t c)
{
    float variance = weight[3 * lanes + c];
    return (struct moments){weight[2 * lanes + c], 1.0f / nn_sqrtf(variance + NORM_EPSILON)};
}

static void batchnorm_forward(struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    const float *weight = nn_params(nn, i);
    uint32_t lanes = nn->plan->layer[i].lanes;
    uint32_t pixels = nn->samples * nn_pixels_of(&l->in);
    const float *x = nn_in(nn, i);
    float *y = nn_out(nn, i);
    memset(y, 0, (size_t)pixels * lanes * 4u);
    for (uint32_t c = 0; c < l->in.channels; c++) {
        const struct moments m = channel_moments(weight, lanes, c);
        for (uint32_t v = c; v < pixels * lanes; v += lanes) {
            y[v] = (x[v] - m.mean) * m.rate * weight[c] + weight[lanes + c];
        }
    }
    nn_activate(nn, i);
}

/* One sample; weight is as it was, statistics are where they always are. */
static void batch_backward(const struct mycel_nn *nn, uint32_t i, const float *weight,
                           const float *x, const float *d, float *raw, float *target)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    uint32_t lanes = nn->plan->layer[i].lanes;
    for (uint32_t c = 0; c < l->in.channels; c++) {
        const struct moments m = channel_moments(nn_params(nn, i), lanes, c);
        for (uint32_t v = c; v < nn_values(&l->in); v += lanes) {
            if (target != NULL) {
                target[c] += d[v] * (x[v] - m.mean) * m.rate;
                target[lanes + c] += d[v];
            }
            if (raw != NULL) {
                raw[v] = d[v] * m.rate * weight[c];
            }
        }
    }
}

static void sample_backward(const struct mycel_nn *nn, uint32_t i, uint32_t s, const float *weight,
                            float *raw, float *target)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    size_t at = (size_t)s * nn_values(&l->in);
    const float *x = nn_in(nn, i) + at;
    const float *d = nn_out(nn, i) + at;
    if (l->kind == MYCEL_LAYER_BATCHNORM) {
        batch_backward(nn, i, weight, x, d, raw, target);
        return;
    }
    for (uint32_t k = 0; k < l->groups; k++) {
        const struct group g = group_of(l, k);
        group_backward(&g, weight, x, d, raw, target);
    }
}

static void norm_backward(struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    const struct mycel_nn_layer_plan *p = &nn->plan->layer[i];
    uint32_t values = nn_values(&l->in);
    float *weight = nn_scratch(nn, i, NN_BACKWARD);
    float *raw = p->passes ? weight + p->lanes : NULL;
    float *space = weight + p->lanes + (p->passes ? values : 0);
    memcpy(weight, nn_params(nn, i), (size_t)p->lanes * 4u);
    if (p->passes) {
        memset(raw, 0, (size_t)values * 4u);
    }
    float *target = p->trains ? nn_target(nn, i, 0, 2 * p->lanes, space) : NULL;
    for (uint32_t s = 0; s < nn->samples; s++) {
        sample_backward(nn, i, s, weight, raw, target);
        if (p->passes) {
            nn_pass_gradient(nn, i, s, raw);
        }
    }
    if (p->trains) {
        nn_target_done(nn, i, 0, 2 * p->lanes, space);
    }
}

const struct nn_layer_ops nn_groupnorm_ops = {norm_rows, norm_scratch, groupnorm_forward,
                                              norm_backward};
const struct nn_layer_ops nn_batchnorm_ops = {norm_rows, norm_scratch, batchnorm_forward,
                                              norm_backward};
