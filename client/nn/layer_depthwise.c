/*
 * Depthwise convolutions: one filter a channel, so the lanes are both input and output and every
 * tap is an elementwise product. Going back, one sample's gradient is gathered aside before it
 * takes its input's place, and the weights are copied first, since plain SGD changes them on the
 * way.
 */
#include <string.h>

#include "client/nn/nn_internal.h"

static uint32_t depthwise_rows(const struct mycel_model *model, uint32_t i)
{
    const struct mycel_layer *l = &model->layer[i];
    return (uint32_t)l->kernel_h * l->kernel_w;
}

static uint32_t depthwise_scratch(const struct mycel_nn_plan *plan, uint32_t i, enum nn_phase phase)
{
    const struct mycel_nn_layer_plan *p = &plan->layer[i];
    const struct mycel_layer *l = &plan->model->layer[i];
    if (phase != NN_BACKWARD) {
        return 0;
    }
    return (p->passes ? (nn_values(&l->in) + p->rows * p->lanes) * 4u : 0) +
           (p->trains ? nn_target_space(plan, p->params_bytes / 4u) : 0);
}

/* Taps first … last - 1 of one direction that fall inside the input, for output position o. */
struct taps {
    uint32_t first;
    uint32_t last;
};

static struct taps taps_of(uint32_t o, uint32_t stride, uint32_t pad, uint32_t kernel, uint32_t in)
{
    uint32_t at = o * stride; /* of tap 0, in padded input */
    uint32_t end = in + pad - at;
    return (struct taps){at < pad ? pad - at : 0, end < kernel ? end : kernel};
}

/* What to do with each pair of an output pixel and a tap: c += a x b over the lanes. */
struct walk {
    const struct mycel_nn *nn;
    const struct mycel_layer *l;
    uint32_t lanes;
};

enum role {
    ROLE_FORWARD, /* out += in x weight */
    ROLE_WEIGHTS, /* weight += in x out */
    ROLE_INPUT    /* in += weight x out */
};

static void visit(const struct walk *walk, enum role role, float *in, float *weight, float *out)
{
    const struct mycel_layer *l = walk->l;
    uint32_t lanes = walk->lanes;
    void (*product)(const float *, const float *, uint32_t, float *) = walk->nn->kernels->product;
    for (uint32_t oy = 0; oy < l->out.height; oy++) {
        struct taps v = taps_of(oy, l->stride_h, l->pad_top, l->kernel_h, l->in.height);
        for (uint32_t ox = 0; ox < l->out.width; ox++, out += lanes) {
            struct taps h = taps_of(ox, l->stride_w, l->pad_left, l->kernel_w, l->in.width);
            for (uint32_t ky = v.first; ky < v.last; ky++) {
                uint32_t row = oy * l->stride_h + ky - l->pad_top;
                for (uint32_t kx = h.first; kx < h.last; kx++) {
                    uint32_t column = ox * l->stride_w + kx - l->pad_left;
                    float *x = in + ((size_t)row * l->in.width + column) * lanes;
                    float *w = weight + ((size_t)ky * l->kernel_w + kx) * lanes;
                    switch (role) {
                    case ROLE_FORWARD:
                        product(x, w, lanes, out);
                        break;
                    case ROLE_WEIGHTS:
                        product(x, out, lanes, w);
                        break;
                    default:
                        product(w, out, lanes, x);
                    }
                }
            }
        }
    }
}

static struct walk walk_of(const struct mycel_nn *nn, uint32_t i)
{
    return (struct walk){nn, nn_layer(nn, i), nn->plan->layer[i].lanes};
}

static void depthwise_forward(struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    const struct mycel_nn_layer_plan *p = &nn->plan->layer[i];
    const struct walk walk = walk_of(nn, i);
    float *w = nn_params(nn, i);
    const float *bias = w + (size_t)p->rows * p->lanes;
    for (uint32_t s = 0; s < nn->samples; s++) {
        float *y = nn_out(nn, i) + (size_t)s * nn_values(&l->out);
        for (uint32_t k = 0; k < nn_values(&l->out); k++) {
            y[k] = l->has_bias ? bias[k % p->lanes] : 0.0f;
        }
        visit(&walk, ROLE_FORWARD, nn_in(nn, i) + (size_t)s * nn_values(&l->in), w, y);
    }
    nn_activate(nn, i);
}

static void depthwise_backward(struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    const struct mycel_nn_layer_plan *p = &nn->plan->layer[i];
    const struct walk walk = walk_of(nn, i);
    uint32_t weights = p->rows * p->lanes;
    uint32_t count = p->params_bytes / 4u;
    float *raw = p->scratch_offset[NN_BACKWARD] != NN_NONE ? nn_scratch(nn, i, NN_BACKWARD) : NULL;
    float *old = p->passes ? raw + nn_values(&l->in) : NULL;
    float *space = p->passes ? old + weights : raw;
    if (p->passes) {
        memcpy(old, nn_params(nn, i), (size_t)weights * 4u);
    }
    float *target = p->trains ? nn_target(nn, i, 0, count, space) : NULL;
    for (uint32_t s = 0; s < nn->samples; s++) {
        float *x = nn_in(nn, i) + (size_t)s * nn_values(&l->in);
        float *d = nn_out(nn, i) + (size_t)s * nn_values(&l->out);
        if (p->trains) {
            visit(&walk, ROLE_WEIGHTS, x, target, d);
        }
        if (p->trains && l->has_bias) {
            nn->kernels->sum(d, p->lanes, nn_pixels_of(&l->out), p->lanes, target + weights);
        }
        if (p->passes) {
            memset(raw, 0, (size_t)nn_values(&l->in) * 4u);
            visit(&walk, ROLE_INPUT, raw, old, d);
            nn_pass_gradient(nn, i, s, raw);
        }
    }
    if (p->trains) {
        nn_target_done(nn, i, 0, count, space);
    }
}

const struct nn_layer_ops nn_depthwise_ops = {depthwise_rows, depthwise_scratch, depthwise_forward,
                                              depthwise_backward};
