/*
 * Convolutions, one sample at a time: a strip of input rows is copied into a tile with its zero
 * border (raw values become floats on the way), and the kernel's rows of taps are then contiguous
 * runs in it, so that the dense kernels do all the work without an unrolled copy of the input. The
 * gradient that goes on is itself a convolution, of the output's gradient in such a tile with the
 * transposed weights; a stride splits it into one convolution for each phase of input pixels.
 */
#include <string.h>

#include "client/nn/conv_shape.h"
#include "client/nn/nn_internal.h"

/* A 1x1 convolution is a dense layer over pixels. */
static bool is_dense(const struct mycel_layer *l)
{
    return l->kernel_h == 1 && l->kernel_w == 1 && l->stride_h == 1 && l->stride_w == 1 &&
           l->pad_top == 0 && l->pad_left == 0;
}

static uint32_t conv_rows(const struct mycel_model *model, uint32_t i)
{
    const struct mycel_layer *l = &model->layer[i];
    return (uint32_t)l->kernel_h * l->kernel_w * nn_in_channels(model, i);
}

/* Values of the transposed weights: each tap's output channels by input channels. */
static uint32_t transposed_values(const struct mycel_model *model, uint32_t i)
{
    const struct mycel_layer *l = &model->layer[i];
    uint32_t taps = (uint32_t)l->kernel_h * l->kernel_w;
    return taps * nn_pad4(l->out.channels) * nn_pad4(l->in.channels);
}

static uint32_t conv_scratch(const struct mycel_nn_plan *plan, uint32_t i, enum nn_phase phase)
{
    const struct mycel_nn_layer_plan *p = &plan->layer[i];
    if (is_dense(&plan->model->layer[i])) {
        return nn_dense_ops.scratch_bytes(plan, i, phase);
    }
    struct conv_tile in = conv_input_tile(plan, i);
    struct conv_tile gradient = conv_gradient_tile(plan, i);
    switch (phase) {
    case NN_FORWARD:
        return conv_tile_values(&in) * 4u;
    case NN_BACKWARD:
        return p->passes ? transposed_values(plan->model, i) * 4u : 0;
    case NN_BACKWARD_WEIGHTS:
        return p->trains ? conv_tile_values(&in) * 4u + nn_target_space(plan, p->params_bytes / 4u)
                         : 0;
    default:
        return p->passes ? conv_tile_values(&gradient) * 4u : 0;
    }
}

/* One sample as the source of tiles: floats, or NULL for raw values of sample s. */
struct source {
    const float *values;
    uint32_t s;
    uint32_t rows;
    uint32_t width;
};

static struct source input_of(const struct mycel_nn *nn, uint32_t i, uint32_t s)
{
    const struct mycel_shape *in = &nn_layer(nn, i)->in;
    struct source from = {NULL, s, in->height, in->width};
    if (!nn_reads_raw(nn->model, i)) {
        from.values = nn_in(nn, i) + (size_t)s * nn_values(in);
    } else if (nn_input_is_plain(&nn->plan->config)) {
        from.values = nn->inputs[s];
    }
    return from;
}

static struct source gradient_of(const struct mycel_nn *nn, uint32_t i, uint32_t s)
{
    const struct mycel_shape *out = &nn_layer(nn, i)->out;
    const float *values = nn_out(nn, i) + (size_t)s * nn_values(out);
    return (struct source){values, s, out->height, out->width};
}

/* Fills the tile for results `first` and on. Its columns of border are zero already and stay. */
static void fill(const struct mycel_nn *nn, const struct conv_tile *tile, const struct source *from,
                 uint32_t first, float *to)
{
    uint32_t columns = tile->width - tile->left;
    columns = (columns < from->width ? columns : from->width) * tile->channels;
    uint32_t line = from->width * tile->channels;
    to += tile->left * tile->channels;
    for (uint32_t t = 0; t < tile->rows; t++, to += tile->width * tile->channels) {
        uint32_t row = first * tile->advance + t - tile->top; /* wraps above the source */
        if (row >= from->rows) {
            memset(to, 0, (size_t)columns * 4u);
        } else if (from->values != NULL) {
            memcpy(to, from->values + (size_t)row * line, (size_t)columns * 4u);
        } else {
            nn_input_values(nn, from->s, row * line, columns, to);
        }
    }
}

static uint32_t strip_at(const struct conv_tile *tile, uint32_t first, uint32_t results)
{
    return results - first < tile->strip ? results - first : tile->strip;
}

/* Where `rows` rows of output pixels find their operands in the tile. */
static struct nn_pixels output_pixels(const struct mycel_layer *l, const struct conv_tile *tile,
                                      const float *values, uint32_t rows)
{
    return (struct nn_pixels){
        .base = values,
        .count = rows * l->out.width,
        .width = l->out.width,
        .step = l->stride_w * tile->channels,
        .jump = l->stride_h * tile->width * tile->channels,
    };
}

static struct nn_window kernel_window(const struct mycel_layer *l, const struct conv_tile *tile)
{
    return (struct nn_window){l->kernel_h, l->kernel_w * tile->channels,
                              tile->width * tile->channels};
}

static void forward_sample(const struct mycel_nn *nn, uint32_t i, uint32_t s,
                           const struct conv_tile *tile)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    const struct mycel_nn_layer_plan *p = &nn->plan->layer[i];
    const struct source from = input_of(nn, i, s);
    float *values = nn_scratch(nn, i, NN_FORWARD);
    float *w = nn_params(nn, i);
    float *y = nn_out(nn, i) + (size_t)s * nn_values(&l->out);
    for (uint32_t first = 0; first < l->out.height; first += tile->strip) {
        uint32_t rows = strip_at(tile, first, l->out.height);
        fill(nn, tile, &from, first, values);
        const struct nn_mac job = {
            .x = output_pixels(l, tile, values, rows),
            .window = kernel_window(l, tile),
            .w = w,
            .ldw = p->lanes,
            .lanes = p->lanes,
            .bias = l->has_bias ? w + (size_t)p->rows * p->lanes : NULL,
            .floor = nn_floor_of(l->activation),
            .mode = NN_MAC_BIAS,
            .y = y + (size_t)first * l->out.width * p->lanes,
            .y_step = p->lanes,
            .y_jump = l->out.width * p->lanes,
        };
        nn->kernels->mac(&job);
    }
}

static void conv_forward(struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    if (is_dense(l)) {
        nn_dense_ops.forward(nn, i);
        return;
    }
    const struct conv_tile tile = conv_input_tile(nn->plan, i);
    memset(nn_scratch(nn, i, NN_FORWARD), 0, (size_t)conv_tile_values(&tile) * 4u);
    for (uint32_t s = 0; s < nn->samples; s++) {
        forward_sample(nn, i, s, &tile);
    }
    if (l->activation != MYCEL_ACT_RELU) {
        nn_activate(nn, i);
    }
}

/* Adds one sample's part of the gradient of all weights to c. */
static void add_sample(const struct mycel_nn *nn, uint32_t i, uint32_t s,
                       const struct conv_tile *tile, float *values, float *c)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    const struct mycel_nn_layer_plan *p = &nn->plan->layer[i];
    const struct source from = input_of(nn, i, s);
    const float *d = nn_out(nn, i) + (size_t)s * nn_values(&l->out);
    for (uint32_t first = 0; first < l->out.height; first += tile->strip) {
        uint32_t rows = strip_at(tile, first, l->out.height);
        fill(nn, tile, &from, first, values);
        const struct nn_outer job = {
            .x = output_pixels(l, tile, values, rows),
            .window = kernel_window(l, tile),
            .d = d + (size_t)first * l->out.width * p->lanes,
            .ldd = p->lanes,
            .lanes = p->lanes,
            .c = c,
            .ldc = p->lanes,
        };
        nn->kernels->outer(&job);
    }
    if (l->has_bias) {
        nn->kernels->sum(d, p->lanes, nn_pixels_of(&l->out), p->lanes,
                         c + (size_t)p->rows * p->lanes);
    }
}

static void update_weights(struct mycel_nn *nn, uint32_t i)
{
    const struct conv_tile tile = conv_input_tile(nn->plan, i);
    uint32_t count = nn->plan->layer[i].params_bytes / 4u;
    float *values = nn_scratch(nn, i, NN_BACKWARD_WEIGHTS);
    float *space = values + conv_tile_values(&tile);
    float *target = nn_target(nn, i, 0, count, space);
    memset(values, 0, (size_t)conv_tile_values(&tile) * 4u);
    for (uint32_t s = 0; s < nn->samples; s++) {
        add_sample(nn, i, s, &tile, values, target);
    }
    nn_target_done(nn, i, 0, count, space);
}

/* A phase of input pixels, in both directions, and its transposed weights. */
struct phase {
    struct conv_phase v;
    struct conv_phase h;
    float *weights;
};

/* Phase k of stride_h x stride_w. Their weights lie one after the other; *weights moves on. */
static struct phase phase_of(const struct mycel_layer *l, uint32_t k, float **weights)
{
    const struct conv_way v = conv_way_v(l);
    const struct conv_way h = conv_way_h(l);
    struct phase f = {conv_phase_of(&v, k / l->stride_w), conv_phase_of(&h, k % l->stride_w),
                      *weights};
    *weights += (size_t)f.v.taps * f.h.taps * nn_pad4(l->out.channels) * nn_pad4(l->in.channels);
    return f;
}

/* The old weights, transposed in the order in which the way back meets them. */
static void transpose_weights(const struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    uint32_t lanes = nn->plan->layer[i].lanes;
    uint32_t channels = nn_pad4(l->in.channels);
    float *weights = nn_scratch(nn, i, NN_BACKWARD);
    for (uint32_t k = 0; k < (uint32_t)l->stride_h * l->stride_w; k++) {
        struct phase f = phase_of(l, k, &weights);
        for (uint32_t t = 0; t < f.v.taps * f.h.taps; t++) {
            uint32_t ky = f.v.tap - t / f.h.taps * l->stride_h;
            uint32_t kx = f.h.tap - t % f.h.taps * l->stride_w;
            size_t row = ((size_t)ky * l->kernel_w + kx) * channels;
            nn->kernels->transpose(nn_params(nn, i) + row * lanes, lanes, channels, lanes,
                                   f.weights + (size_t)t * lanes * channels, channels);
        }
    }
}

/* The gradient of one phase's input pixels, `rows` of its rows from `first` on. Where no tap meets
 * them the sums are empty. */
static void pass_phase(const struct mycel_nn *nn, uint32_t i, uint32_t s, const struct phase *f,
                       const struct conv_tile *tile, const float *values, uint32_t first)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    uint32_t channels = nn_pad4(l->in.channels);
    uint32_t line = tile->width * tile->channels;
    uint32_t row = s * l->in.height + f->v.first + first * l->stride_h;
    size_t at = ((size_t)row * l->in.width + f->h.first) * channels;
    const float *skip = nn_skip_of(nn, i);
    const struct nn_mac job = {
        .x = {.base = values + f->v.output * line + f->h.output * tile->channels,
              .count = strip_at(tile, first, f->v.count) * f->h.count,
              .width = f->h.count,
              .step = tile->channels,
              .jump = line},
        .window = {f->h.taps > 0 ? f->v.taps : 0, f->h.taps * tile->channels, line},
        .w = f->weights,
        .ldw = channels,
        .lanes = channels,
        .mode = NN_MAC_GRADIENT,
        .slope = nn_slope_below(nn, i),
        .skip = skip != NULL ? skip + at : NULL,
        .y = nn_in(nn, i) + at,
        .y_step = l->stride_w * channels,
        .y_jump = l->stride_h * l->in.width * channels,
    };
    nn->kernels->mac(&job);
}

static void pass_sample(const struct mycel_nn *nn, uint32_t i, uint32_t s,
                        const struct conv_tile *tile)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    const struct source from = gradient_of(nn, i, s);
    float *values = nn_scratch(nn, i, NN_BACKWARD_INPUT);
    uint32_t results = (l->in.height + (uint32_t)l->stride_h - 1) / l->stride_h;
    for (uint32_t first = 0; first < results; first += tile->strip) {
        float *weights = nn_scratch(nn, i, NN_BACKWARD);
        fill(nn, tile, &from, first, values);
        for (uint32_t k = 0; k < (uint32_t)l->stride_h * l->stride_w; k++) {
            struct phase f = phase_of(l, k, &weights);
            if (first < f.v.count && f.h.count > 0) {
                pass_phase(nn, i, s, &f, tile, values, first);
            }
        }
    }
}

static void conv_backward(struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_nn_layer_plan *p = &nn->plan->layer[i];
    if (is_dense(nn_layer(nn, i))) {
        nn_dense_ops.backward(nn, i);
        return;
    }
    if (p->passes) {
        transpose_weights(nn, i);
    }
    if (p->trains) {
        update_weights(nn, i);
    }
    if (p->passes) {
        const struct conv_tile tile = conv_gradient_tile(nn->plan, i);
        memset(nn_scratch(nn, i, NN_BACKWARD_INPUT), 0, (size_t)conv_tile_values(&tile) * 4u);
        for (uint32_t s = 0; s < nn->samples; s++) {
            pass_sample(nn, i, s, &tile);
        }
    }
}

const struct nn_layer_ops nn_conv_ops = {conv_rows, conv_scratch, conv_forward, conv_backward};
