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

/* The pixels under an output pixel, and how far into the sample they begin. */
static struct nn_pool window_of(const struct mycel_layer *l)
{
    uint32_t lanes = nn_pad4(l->in.channels);
    bool whole = l->kernel_h == 0;
    return (struct nn_pool){
        .height = whole ? l->in.height : l->kernel_h,
        .width = whole ? l->in.width : l->kernel_w,
        .line = l->in.width * lanes,
        .lanes = lanes,
    };
}

static uint32_t start_of(const struct mycel_layer *l, uint32_t pixel)
{
    uint32_t row = pixel / l->out.width * l->stride_h;
    uint32_t column = pixel % l->out.width * l->stride_w;
    return (row * l->in.width + column) * nn_pad4(l->in.channels);
}

/* The mean of four channels under a window at x. */
static void average(const float *x, const struct nn_pool *w, float mean[4])
{
    float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (uint32_t r = 0; r < w->height; r++) {
        const float *at = x + (size_t)r * w->line;
        for (uint32_t c = 0; c < w->width; c++, at += w->lanes) {
            for (uint32_t k = 0; k < 4; k++) {
                sum[k] += at[k];
            }
        }
    }
    for (uint32_t k = 0; k < 4; k++) {
        mean[k] = sum[k] / (float)(w->height * w->width);
    }
}

static void spread(float *raw, const struct nn_pool *w, const float gradient[4])
{
    float share = 1.0f / (float)(w->height * w->width);
    for (uint32_t r = 0; r < w->height; r++) {
        float *at = raw + (size_t)r * w->line;
        for (uint32_t c = 0; c < w->width; c++, at += w->lanes) {
            for (uint32_t k = 0; k < 4; k++) {
                at[k] += gradient[k] * share;
            }
        }
    }
}

/* Whether the kernels take whole rows of a maximum's windows. */
static bool goes_by_rows(const struct mycel_nn *nn, const struct mycel_layer *l)
{
    return NN_HAS_VECTORS && l->kind == MYCEL_LAYER_MAXPOOL && nn->kernels->largest_row != NULL;
}

static void forward_by_rows(const struct mycel_nn *nn, uint32_t i, const struct nn_pool *window)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    uint32_t line = l->out.width * window->lanes;
    float *y = nn_out(nn, i);
    for (uint32_t s = 0; s < nn->samples; s++) {
        const float *x = nn_in(nn, i) + (size_t)s * nn_values(&l->in);
        for (uint32_t row = 0; row < l->out.height; row++, y += line) {
            nn->kernels->largest_row(x + start_of(l, row * l->out.width), window,
                                     l->stride_w * window->lanes, l->out.width, y);
        }
    }
}

static void pool_forward(struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    const struct nn_pool window = window_of(l);
    float *y = nn_out(nn, i);
    if (goes_by_rows(nn, l)) {
        forward_by_rows(nn, i, &window);
        nn_activate(nn, i);
        return;
    }
    for (uint32_t s = 0; s < nn->samples; s++) {
        const float *x = nn_in(nn, i) + (size_t)s * nn_values(&l->in);
        for (uint32_t p = 0; p < nn_pixels_of(&l->out); p++) {
            const float *from = x + start_of(l, p);
            for (uint32_t c = 0; c < window.lanes; c += 4, y += 4) {
                uint32_t where[4];
                if (l->kind == MYCEL_LAYER_MAXPOOL) {
                    nn->kernels->largest(from + c, &window, y, where);
                } else {
                    average(from + c, &window, y);
                }
            }
        }
    }
    nn_activate(nn, i);
}

/* One sample's gradient of four channels under one output pixel. */
static void pass_back(const struct mycel_nn *nn, const struct mycel_layer *l,
                      const struct nn_pool *window, const float *x, const float d[4], float *raw)
{
    float best[4];
    uint32_t where[4];
    if (l->kind == MYCEL_LAYER_AVGPOOL) {
        spread(raw, window, d);
        return;
    }
    nn->kernels->largest(x, window, best, where);
    for (uint32_t k = 0; k < 4; k++) {
        raw[where[k]] += d[k];
    }
}

static void back_by_rows(const struct mycel_nn *nn, const struct mycel_layer *l,
                         const struct nn_pool *window, const float *x, const float *d, float *raw)
{
    for (uint32_t row = 0; row < l->out.height; row++, d += l->out.width * window->lanes) {
        uint32_t at = start_of(l, row * l->out.width);
        nn->kernels->spread_row(x + at, window, l->stride_w * window->lanes, l->out.width, d,
                                raw + at);
    }
}

static void pool_backward(struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    const struct nn_pool window = window_of(l);
    float *raw = nn_scratch(nn, i, NN_BACKWARD_INPUT);
    const float *d = nn_out(nn, i);
    bool by_rows = goes_by_rows(nn, l);
    for (uint32_t s = 0; s < nn->samples; s++) {
        const float *x = nn_in(nn, i) + (size_t)s * nn_values(&l->in);
        memset(raw, 0, (size_t)nn_values(&l->in) * 4u);
        if (by_rows) {
            back_by_rows(nn, l, &window, x, d, raw);
            d += nn_values(&l->out);
        }
        for (uint32_t p = 0; !by_rows && p < nn_pixels_of(&l->out); p++) {
            uint32_t at = start_of(l, p);
            for (uint32_t c = 0; c < window.lanes; c += 4, d += 4) {
                pass_back(nn, l, &window, x + at + c, d, raw + at + c);
            }
        }
        nn_pass_gradient(nn, i, s, raw);
    }
}

const struct nn_layer_ops nn_maxpool_ops = {pool_rows, pool_scratch, pool_forward, pool_backward};
const struct nn_layer_ops nn_avgpool_ops = {pool_rows, pool_scratch, pool_forward, pool_backward};
