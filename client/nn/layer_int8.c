/*
 * Dense layers and convolutions whose weights are 8-bit integers with one scale an output channel:
 * inference, and a frozen backbone under layers that train. A sample's input is rounded to the same
 * 127 steps of its own largest value, products are summed as integers, and only the sum becomes a
 * float, so that every machine gets the same bits. It must never be asked for a gradient.
 *
 * In the arena: the matrix, then a scale and a bias for each lane, then room for one output's
 * weights, which are rounded when the last of them has come in.
 */
#include <string.h>

#include "client/nn/nn_internal.h"
#include "mycel/error.h"

enum { STEPS = 127, CHUNK_VALUES = 32 };

static int8_t *matrix_of(const struct mycel_nn *nn, uint32_t i)
{
    return (int8_t *)(void *)nn_params(nn, i);
}

static float *scales_of(const struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_nn_layer_plan *p = &nn->plan->layer[i];
    return (float *)(void *)(matrix_of(nn, i) + (size_t)p->rows * p->lanes);
}

static float *biases_of(const struct mycel_nn *nn, uint32_t i)
{
    return scales_of(nn, i) + nn->plan->layer[i].lanes;
}

/* Weights of one output channel. */
static uint32_t inputs_of(const struct mycel_layer *l)
{
    uint32_t weights = l->param_count - (l->has_bias ? l->out.channels : 0);
    return weights / l->out.channels;
}

uint64_t nn_int8_bytes(const struct mycel_layer *l, uint64_t rows, uint64_t lanes)
{
    return rows * lanes + 8u * lanes + 4u * nn_pad4(inputs_of(l));
}

static float size_of(float x)
{
    return x < 0.0f ? -x : x;
}

/* x in steps, to the nearest, half away from zero. */
static int8_t round_to(float x, float steps_per_unit)
{
    float steps = x * steps_per_unit;
    return (int8_t)(int32_t)(steps < 0.0f ? steps - 0.5f : steps + 0.5f);
}

/* Rounds the output whose weights are all there; place gives where each goes. */
static void round_output(const struct mycel_nn *nn, uint32_t i, const float *row,
                         uint32_t (*place)(const void *view, uint32_t k), const void *view,
                         uint32_t first)
{
    uint32_t count = inputs_of(nn_layer(nn, i));
    float most = 0.0f;
    for (uint32_t k = 0; k < count; k++) {
        most = size_of(row[k]) > most ? size_of(row[k]) : most;
    }
    float steps = most > 0.0f ? (float)STEPS / most : 0.0f;
    for (uint32_t k = 0; k < count; k++) {
        matrix_of(nn, i)[place(view, first + k)] = round_to(row[k], steps);
    }
    scales_of(nn, i)[first / count] = most / (float)STEPS;
}

int nn_int8_write(struct mycel_nn *nn, uint32_t i, bool bias, uint32_t first, uint32_t count,
                  const float *values, uint32_t (*place)(const void *view, uint32_t k),
                  const void *view)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    float *biases = biases_of(nn, i);
    if (bias) {
        memcpy(biases + first, values, (size_t)count * 4u);
        return 0;
    }
    uint32_t inputs = inputs_of(l);
    float *row = biases + nn->plan->layer[i].lanes;
    if (first % inputs != 0 && l->param_offset + first != nn->int8_expected) {
        return MYCEL_E_STATE;
    }
    for (uint32_t k = 0; k < count; k++) {
        uint32_t at = (first + k) % inputs;
        row[at] = values[k];
        if (at + 1 == inputs) {
            round_output(nn, i, row, place, view, first + k - at);
        }
    }
    nn->int8_expected = l->param_offset + first + count;
    return 0;
}

float nn_int8_read(const struct mycel_nn *nn, uint32_t i, bool bias, uint32_t k, uint32_t place)
{
    if (bias) {
        return biases_of(nn, i)[k];
    }
    uint32_t lane = place % nn->plan->layer[i].lanes;
    return (float)matrix_of(nn, i)[place] * scales_of(nn, i)[lane];
}

/* The input rows that one row of output pixels looks at, border included. A dense layer looks at
 * everything at once. */
struct view {
    uint32_t rows;
    uint32_t width;
    uint32_t channels;
};

static struct view view_of(const struct mycel_model *model, uint32_t i)
{
    const struct mycel_layer *l = &model->layer[i];
    uint32_t channels = nn_in_channels(model, i);
    if (l->kind == MYCEL_LAYER_DENSE) {
        return (struct view){1, 1, nn_pixels_of(&l->in) * channels};
    }
    return (struct view){l->kernel_h, (l->out.width - 1u) * l->stride_w + l->kernel_w, channels};
}

uint32_t nn_int8_scratch(const struct mycel_nn_plan *plan, uint32_t i, enum nn_phase phase)
{
    struct view view = view_of(plan->model, i);
    return phase == NN_FORWARD ? nn_pad4(view.rows * view.width * view.channels) : 0;
}

/* Up to CHUNK_VALUES values of a sample's input, from `first` on. */
static void input_chunk(const struct mycel_nn *nn, uint32_t i, uint32_t s, uint32_t values,
                        uint32_t first, uint32_t count, float *chunk)
{
    if (nn_reads_raw(nn->model, i)) {
        nn_input_values(nn, s, first, count, chunk);
    } else {
        memcpy(chunk, nn_in(nn, i) + (size_t)s * values + first, (size_t)count * 4u);
    }
}

static float largest_input(const struct mycel_nn *nn, uint32_t i, uint32_t s, uint32_t values)
{
    float chunk[CHUNK_VALUES];
    float most = 0.0f;
    for (uint32_t first = 0; first < values; first += CHUNK_VALUES) {
        uint32_t count = values - first < CHUNK_VALUES ? values - first : CHUNK_VALUES;
        input_chunk(nn, i, s, values, first, count, chunk);
        for (uint32_t k = 0; k < count; k++) {
            most = size_of(chunk[k]) > most ? size_of(chunk[k]) : most;
        }
    }
    return most;
}

/* Rounds values first … first + count - 1 of a sample's input. */
static void round_input(const struct mycel_nn *nn, uint32_t i, uint32_t s, uint32_t values,
                        uint32_t first, uint32_t count, float steps, int8_t *to)
{
    float chunk[CHUNK_VALUES];
    for (uint32_t done = 0; done < count; done += CHUNK_VALUES) {
        uint32_t some = count - done < CHUNK_VALUES ? count - done : CHUNK_VALUES;
        input_chunk(nn, i, s, values, first + done, some, chunk);
        for (uint32_t k = 0; k < some; k++) {
            to[done + k] = round_to(chunk[k], steps);
        }
    }
}

/* Fills the view for output row o: rows and columns outside the image are 0. */
static void fill_view(const struct mycel_nn *nn, uint32_t i, uint32_t s, const struct view *view,
                      uint32_t o, float steps, int8_t *to)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    uint32_t values = nn_pixels_of(&l->in) * nn_in_channels(nn->model, i);
    if (l->kind == MYCEL_LAYER_DENSE) {
        round_input(nn, i, s, values, 0, values, steps, to);
        return;
    }
    uint32_t columns = view->width - l->pad_left;
    columns = columns < l->in.width ? columns : l->in.width;
    memset(to, 0, (size_t)view->rows * view->width * view->channels);
    for (uint32_t r = 0; r < view->rows; r++) {
        uint32_t row = o * l->stride_h + r - l->pad_top; /* wraps above the image */
        if (row < l->in.height) {
            round_input(nn, i, s, values, row * l->in.width * view->channels,
                        columns * view->channels, steps,
                        to + ((size_t)r * view->width + l->pad_left) * view->channels);
        }
    }
}

/* Four lanes of one output pixel. */
static void sum_lanes(const int8_t *x, const int8_t *w, uint32_t lanes, uint32_t segments,
                      uint32_t length, uint32_t stride, int32_t sum[4])
{
    int32_t a = 0;
    int32_t b = 0;
    int32_t c = 0;
    int32_t d = 0;
    for (uint32_t s = 0; s < segments; s++, x += stride) {
        for (uint32_t k = 0; k < length; k++, w += lanes) {
            int32_t value = x[k];
            a += value * w[0];
            b += value * w[1];
            c += value * w[2];
            d += value * w[3];
        }
    }
    sum[0] = a;
    sum[1] = b;
    sum[2] = c;
    sum[3] = d;
}

static void output_pixel(const struct mycel_nn *nn, uint32_t i, const struct view *view,
                         const int8_t *x, float unit, float *y)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    uint32_t lanes = nn->plan->layer[i].lanes;
    uint32_t taps = l->kind == MYCEL_LAYER_DENSE ? 1 : l->kernel_w;
    const float *scale = scales_of(nn, i);
    const float *bias = biases_of(nn, i);
    for (uint32_t lane = 0; lane < lanes; lane += 4) {
        int32_t sum[4];
        sum_lanes(x, matrix_of(nn, i) + lane, lanes, view->rows, taps * view->channels,
                  view->width * view->channels, sum);
        for (uint32_t k = 0; k < 4; k++) {
            y[lane + k] = (float)sum[k] * (unit * scale[lane + k]) + bias[lane + k];
        }
    }
}

void nn_int8_forward(struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_layer *l = nn_layer(nn, i);
    const struct view view = view_of(nn->model, i);
    uint32_t values = nn_pixels_of(&l->in) * nn_in_channels(nn->model, i);
    uint32_t step = l->kind == MYCEL_LAYER_DENSE ? 0 : l->stride_w * view.channels;
    int8_t *x = (int8_t *)(void *)nn_scratch(nn, i, NN_FORWARD);
    float *y = nn_out(nn, i);
    for (uint32_t s = 0; s < nn->samples; s++) {
        float most = largest_input(nn, i, s, values);
        float steps = most > 0.0f ? (float)STEPS / most : 0.0f;
        for (uint32_t o = 0; o < l->out.height; o++) {
            fill_view(nn, i, s, &view, o, steps, x);
            for (uint32_t p = 0; p < l->out.width; p++, y += nn->plan->layer[i].lanes) {
                output_pixel(nn, i, &view, x + (size_t)p * step, most / (float)STEPS, y);
            }
        }
    }
    nn_activate(nn, i);
}
