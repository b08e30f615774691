/*
 * Dense layers, and convolutions that are dense in disguise (1x1, no stride, no padding: each pixel
 * is a sample of its own). Going backward, sixteen rows of weights are taken at a time: they are
 * transposed aside, then updated, then the old ones carry the gradient on into the very inputs
 * that the update has just used up. So neither a gradient nor a second tensor is ever whole.
 */
#include "client/nn/nn_internal.h"

static uint32_t dense_rows(const struct mycel_model *model, uint32_t i)
{
    const struct mycel_layer *layer = &model->layer[i];
    uint32_t pixels = layer->kind == MYCEL_LAYER_DENSE ? nn_pixels_of(&layer->in) : 1;
    return pixels * nn_in_channels(model, i);
}

/* Samples of the micro-batch, or pixels where each is a sample. */
static uint32_t samples_in(const struct mycel_nn_plan *plan, uint32_t i, uint32_t samples)
{
    const struct mycel_layer *layer = &plan->model->layer[i];
    return !MYCEL_NN_WITH_CONV || layer->kind == MYCEL_LAYER_DENSE
               ? samples
               : samples * nn_pixels_of(&layer->in);
}

/* Whether raw samples have to be copied block by block: to make them floats, or because a pixel is
 * a sample and the caller's samples lie apart. */
static bool widens(const struct mycel_nn_plan *plan, uint32_t i)
{
    bool plain = !MYCEL_NN_WITH_INPUTS || nn_input_is_plain(&plan->config);
    bool as_it_is = plain && samples_in(plan, i, 1) == 1;
    return (MYCEL_NN_WITH_INPUTS || MYCEL_NN_WITH_CONV) && nn_reads_raw(plan->model, i) &&
           !as_it_is;
}

static uint32_t dense_scratch(const struct mycel_nn_plan *plan, uint32_t i, enum nn_phase phase)
{
    const struct mycel_nn_layer_plan *p = &plan->layer[i];
    uint32_t samples = samples_in(plan, i, plan->micro_batch);
    uint32_t wide = widens(plan, i) ? samples * NN_WIDEN * 4u : 0;
    switch (phase) {
    case NN_FORWARD:
        return wide;
    case NN_BACKWARD_WEIGHTS:
        return wide + (p->passes ? p->lanes * NN_BLOCK * 4u : 0) +
               (p->trains ? nn_target_space(plan, NN_BLOCK * p->lanes) : 0);
    default:
        return 0;
    }
}

/* Rows first … first + count - 1 of every sample's input: where they are if they are floats,
 * otherwise widened into `wide`. Raw pixels count one by one too when a pixel is a sample. */
static struct nn_pixels input_rows(const struct mycel_nn *nn, uint32_t i, uint32_t first,
                                   uint32_t count, float *wide)
{
    uint32_t rows = dense_rows(nn->model, i);
    uint32_t samples = samples_in(nn->plan, i, nn->samples);
    struct nn_pixels x = {.count = samples, .width = samples, .step = rows};
    if (!nn_reads_raw(nn->model, i)) {
        x.base = nn_in(nn, i) + first;
        return x;
    }
    uint32_t each = samples / nn->samples;
    if (!widens(nn->plan, i)) {
        x.rows = (const float *const *)(const void *)nn->inputs;
        x.offset = first;
        return x;
    }
    for (uint32_t s = 0; s < samples; s++) {
        nn_input_values(nn, s / each, s % each * rows + first, count, wide + (size_t)s * count);
    }
    x.base = wide;
    x.step = count;
    return x;
}

static void dense_forward(struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_layer *layer = nn_layer(nn, i);
    const struct mycel_nn_layer_plan *p = &nn->plan->layer[i];
    uint32_t rows = dense_rows(nn->model, i);
    uint32_t block = widens(nn->plan, i) ? NN_WIDEN : rows;
    float *wide = widens(nn->plan, i) ? nn_scratch(nn, i, NN_FORWARD) : NULL;
    float *w = nn_params(nn, i);
    for (uint32_t first = 0; first < rows; first += block) {
        uint32_t count = rows - first < block ? rows - first : block;
        bool last = first + count == rows;
        struct nn_mac job; /* not cleared: what its mode does not use is not read */
        job.x = input_rows(nn, i, first, count, wide);
        job.window = (struct nn_window){1, count, 0};
        job.w = w + (size_t)first * p->lanes;
        job.ldw = p->lanes;
        job.lanes = p->lanes;
        job.bias = layer->has_bias ? w + (size_t)p->rows * p->lanes : NULL;
        job.floor = nn_floor_of(last ? layer->activation : MYCEL_ACT_NONE);
        job.mode = first == 0 ? NN_MAC_BIAS : NN_MAC_ADD;
        job.y = nn_out(nn, i);
        job.y_step = p->lanes;
        job.y_jump = 0;
        nn->kernels->mac(&job);
    }
    if (layer->activation != MYCEL_ACT_RELU) {
        nn_activate(nn, i);
    }
}

/* The working space of one backward pass. */
struct space {
    float *transposed; /* lanes x NN_BLOCK: weights as they were, or NN_BLOCK sums */
    float *gradient;   /* NN_BLOCK x lanes */
    float *wide;       /* samples x NN_BLOCK */
};

static struct space lay_out(const struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_nn_layer_plan *p = &nn->plan->layer[i];
    struct space space = {0};
    if (dense_scratch(nn->plan, i, NN_BACKWARD_WEIGHTS) == 0) {
        return space;
    }
    float *at = nn_scratch(nn, i, NN_BACKWARD_WEIGHTS);
    space.transposed = at;
    at += p->passes ? p->lanes * NN_BLOCK : 0;
    space.gradient = at;
    at += p->trains ? nn_target_space(nn->plan, NN_BLOCK * p->lanes) / 4u : 0;
    space.wide = at;
    return space;
}

static void update_rows(struct mycel_nn *nn, uint32_t i, uint32_t first, uint32_t count,
                        const struct space *space)
{
    const struct mycel_nn_layer_plan *p = &nn->plan->layer[i];
    uint32_t from = first * p->lanes;
    const struct nn_outer job = {
        .x = input_rows(nn, i, first, count, space->wide),
        .window = {1, count, 0},
        .d = nn_out(nn, i),
        .ldd = p->lanes,
        .lanes = p->lanes,
        .c = nn_target(nn, i, from, count * p->lanes, space->gradient),
        .ldc = p->lanes,
    };
    nn->kernels->outer(&job);
    nn_target_done(nn, i, from, count * p->lanes, space->gradient);
}

static void update_bias(struct mycel_nn *nn, uint32_t i, const struct space *space)
{
    const struct mycel_nn_layer_plan *p = &nn->plan->layer[i];
    uint32_t from = p->rows * p->lanes;
    float *target = nn_target(nn, i, from, p->lanes, space->gradient);
    nn->kernels->sum(nn_out(nn, i), p->lanes, samples_in(nn->plan, i, nn->samples), p->lanes,
                     target);
    nn_target_done(nn, i, from, p->lanes, space->gradient);
}

/* Rows of the gradient that goes on, from the transposed weights, in the inputs' place. */
static void pass_rows(struct mycel_nn *nn, uint32_t i, uint32_t first, uint32_t count,
                      const struct space *space)
{
    const struct mycel_nn_layer_plan *p = &nn->plan->layer[i];
    const float *skip = nn_skip_of(nn, i);
    uint32_t samples = samples_in(nn->plan, i, nn->samples);
    struct nn_mac job; /* not cleared: what its mode does not use is not read */
    job.x = (struct nn_pixels){
        .base = nn_out(nn, i), .count = samples, .width = samples, .step = p->lanes};
    job.window = (struct nn_window){1, nn_layer(nn, i)->out.channels, 0};
    job.w = space->transposed;
    job.ldw = NN_BLOCK;
    job.lanes = count;
    job.mode = NN_MAC_GRADIENT;
    job.slope = nn_slope_below(nn, i);
    job.skip = skip != NULL ? skip + first : NULL;
    job.y = nn_in(nn, i) + first;
    job.y_step = p->rows;
    job.y_jump = 0;
    nn->kernels->mac(&job);
}

/* Before a block of weights is updated, what its gradient to the input needs of them is kept:
 * with one sample the finished sums, otherwise the weights themselves. */
static void keep_rows(struct mycel_nn *nn, uint32_t i, uint32_t first, uint32_t count,
                      const struct space *space)
{
    const struct mycel_nn_layer_plan *p = &nn->plan->layer[i];
    const float *w = nn_params(nn, i) + (size_t)first * p->lanes;
    if (samples_in(nn->plan, i, nn->samples) == 1) {
        nn->kernels->dots(w, p->lanes, count, nn_out(nn, i), nn_layer(nn, i)->out.channels,
                          space->transposed);
    } else {
        nn->kernels->transpose(w, p->lanes, count, p->lanes, space->transposed, NN_BLOCK);
    }
}

static void dense_backward(struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_layer *layer = nn_layer(nn, i);
    const struct mycel_nn_layer_plan *p = &nn->plan->layer[i];
    const struct space space = lay_out(nn, i);
    uint32_t rows = dense_rows(nn->model, i);
    bool whole = (!NN_WITH_UPDATES || nn->direct) && !p->passes && !widens(nn->plan, i);
    bool single = samples_in(nn->plan, i, nn->samples) == 1;
    uint32_t block = whole ? rows : NN_BLOCK;
    for (uint32_t first = 0; first < rows; first += block) {
        uint32_t count = rows - first < block ? rows - first : block;
        if (p->passes) {
            keep_rows(nn, i, first, nn_pad4(count), &space);
        }
        if (p->trains) {
            update_rows(nn, i, first, count, &space);
        }
        if (p->passes && single) {
            nn_pass_values(nn, i, first, nn_pad4(count), space.transposed);
        } else if (p->passes) {
            pass_rows(nn, i, first, nn_pad4(count), &space);
        }
    }
    if (p->trains && layer->has_bias) {
        update_bias(nn, i, &space);
    }
}

const struct nn_layer_ops nn_dense_ops = {dense_rows, dense_scratch, dense_forward, dense_backward};
