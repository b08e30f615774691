/*
 * Maximum and average pools, whole-image pools included. Neither has parameters; the maximum's place
 * is found again going backward instead of being remembered, ties going to the first, as in
 * PyTorch.
 */
#include <string.h>

#include "client/nn/nn_internal.h"

static uint32_t pool_rows(const struct mycel_model *model, uint32_t i)
{
    (void)model;
    (void)i;
    return 0;
}

static uint32_t pool_scratch(const struct mycel_nn_plan *plan, uint32_t i, enum nn_phase phase)
{
    bool passes = phase == NN_BACKWARD_INPUT && plan->layer[i].passes;
    return passes ? nn_values(&plan->model->layer[i].in) * 4u : 0;
}

/* The input pixels under one output pixel: `height` runs of `width` pixels. */
struct window {
    uint32_t height;
    uint32_t width;
    uint32_t first; /* values from the sample's start to the first pixel */
    uint32_t line;  /* values from a run to the next */
    uint32_t lanes;
};

static struct window window_of(const struct mycel_layer *l, uint32_t pixel)
{
    uint32_t lanes = nn_pad4(l->in.channels);
    uint32_t oy = pixel / l->out.width;
    uint32_t ox = pixel % l->out.width;
    bool whole = l->kernel_h == 0;
    return (struct window){
        .height = whole ? l->in.height : l->kernel_h,
        .width = whole ? l->in.width : l->kernel_w,
        .first = (oy * l->stride_h * l->in.width + ox * l->stride_w) * lanes,
        .line = l->in.width * lanes,
        .lanes = lanes,
    };
}

/* Four channels at a time, from `channel` on: the largest values under the window, and where in the
 * sample they are. */
static void largest(const struct window *w, const float *x, uint32_t channel, float best[4],
                    uint32_t where[4])
{
    uint32_t line = w->first + channel;
    for (uint32_t k = 0; k < 4; k++) {
        best[k] = x[line + k];
        where[k] = line + k;
    }
    for (uint32_t r = 0; r < w->height; r++, line += w->line) {
        uint32_t at = line;
        for (uint32_t c = 0; c < w->width; c++, at += w->lanes) {
            for (uint32_t k = 0; k < 4; k++) {
                bool larger = x[at + k] > best[k];
                best[k] = larger ? x[at + k] : best[k];
                where[k] = larger ? at + k : where[k];
            }
        }
    }
}

static void average(const struct window *w, const float *x, uint32_t channel, float mean[4])
{
    float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    uint32_t line = w->first + channel;
    for (uint32_t r = 0; r < w->height; r++, line += w->line) {
        uint32_t at = line;
        for (uint32_t c = 0; c < w->width; c++, at += w->lanes) {
            for (uint32_t k = 0; k < 4; k++) {
                sum[k] += x[at + k];
            }
        }
    }
    for (uint32_t k = 0; k < 4; k++) {
        mean[k] = sum[k] / (float)(w->height * w->width);
    }
}

static void spread(const struct window *w, const float *gradient, uint32_t channel, float *raw)
{
    float share = 1.0f / (float)(w->height * w->width);
    uint32_t line = w->first + channel;
    for (uint32_t r = 0; r < w->height; r++, line += w->line) {
        uint32_t at = line;
        for (uint32_t c = 0; c < w->width; c++, at += w->lanes) {
            for (uint32_t k = 0; k < 4; k++) {
                raw[at + k] += gradient[k] * share;
            }
        }
    }
}

static void pool_forward(struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    bool maximum = l->kind == MYCEL_LAYER_MAXPOOL;
    float *y = nn_out(nn, i);
    for (uint32_t s = 0; s < nn->samples; s++) {
        const float *x = nn_in(nn, i) + (size_t)s * nn_values(&l->in);
        for (uint32_t p = 0; p < nn_pixels_of(&l->out); p++) {
            const struct window w = window_of(l, p);
            for (uint32_t c = 0; c < w.lanes; c += 4, y += 4) {
                uint32_t where[4];
                if (maximum) {
                    largest(&w, x, c, y, where);
                } else {
                    average(&w, x, c, y);
                }
            }
        }
    }
    nn_activate(nn, i);
}

static void pool_backward(struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    bool maximum = l->kind == MYCEL_LAYER_MAXPOOL;
    float *raw = nn_scratch(nn, i, NN_BACKWARD_INPUT);
    const float *d = nn_out(nn, i);
    for (uint32_t s = 0; s < nn->samples; s++) {
        const float *x = nn_in(nn, i) + (size_t)s * nn_values(&l->in);
        memset(raw, 0, (size_t)nn_values(&l->in) * 4u);
        for (uint32_t p = 0; p < nn_pixels_of(&l->out); p++) {
            const struct window w = window_of(l, p);
            for (uint32_t c = 0; c < w.lanes; c += 4, d += 4) {
                float best[4];
                uint32_t where[4];
                if (!maximum) {
                    spread(&w, d, c, raw);
                    continue;
                }
                largest(&w, x, c, best, where);
                for (uint32_t k = 0; k < 4; k++) {
                    raw[where[k]] += d[k];
                }
            }
        }
        nn_pass_gradient(nn, i, s, raw);
    }
}

const struct nn_layer_ops nn_maxpool_ops = {pool_rows, pool_scratch, pool_forward, pool_backward};
const struct nn_layer_ops nn_avgpool_ops = {pool_rows, pool_scratch, pool_forward, pool_backward};
