/*
 * Activations: their values, and their slopes as functions of the output, which is all that is left
 * of a layer when its gradient arrives. It owns no layer.
 */
#include "client/nn/nn_internal.h"
#include "client/nn/nn_math.h"

static float infinity(void)
{
    return nn_float_of(0x7f800000u);
}

float nn_floor_of(uint8_t activation)
{
    return activation == MYCEL_ACT_RELU ? 0.0f : -infinity();
}

struct nn_slope nn_slope_of(const struct mycel_layer *layer)
{
    const float inf = infinity();
    if (!MYCEL_NN_WITH_ACTIVATIONS) {
        float outside = layer->activation == MYCEL_ACT_RELU ? 0.0f : 1.0f;
        float low = layer->activation == MYCEL_ACT_RELU ? 0.0f : inf;
        return (struct nn_slope){low, inf, 1.0f, 0.0f, 0.0f, outside};
    }
    switch (layer->activation) {
    case MYCEL_ACT_RELU:
        return (struct nn_slope){0.0f, inf, 1.0f, 0.0f, 0.0f, 0.0f};
    case MYCEL_ACT_RELU6:
        return (struct nn_slope){0.0f, 6.0f, 1.0f, 0.0f, 0.0f, 0.0f};
    case MYCEL_ACT_LEAKY:
        return (struct nn_slope){0.0f, inf, 1.0f, 0.0f, 0.0f, layer->slope};
    case MYCEL_ACT_SIGMOID:
        return (struct nn_slope){-inf, inf, 0.0f, 1.0f, -1.0f, 0.0f};
    case MYCEL_ACT_TANH:
        return (struct nn_slope){-inf, inf, 1.0f, 0.0f, -1.0f, 0.0f};
    default:
        return (struct nn_slope){-inf, inf, 1.0f, 0.0f, 0.0f, 1.0f};
    }
}

struct nn_slope nn_slope_below(const struct mycel_nn *nn, uint32_t i)
{
    uint32_t below = i - 1;
    while (MYCEL_NN_WITH_DROPOUT && nn->plan->layer[below].in_place &&
           nn_layer(nn, below)->kind == MYCEL_LAYER_DROPOUT) {
        below--;
    }
    return nn_slope_of(nn_layer(nn, below));
}

static float activate(const struct mycel_layer *layer, float x)
{
    if (!MYCEL_NN_WITH_ACTIVATIONS) {
        return x < 0.0f ? 0.0f : x;
    }
    switch (layer->activation) {
    case MYCEL_ACT_RELU:
        return x < 0.0f ? 0.0f : x;
    case MYCEL_ACT_RELU6:
        return x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x;
    case MYCEL_ACT_LEAKY:
        return x < 0.0f ? x * layer->slope : x;
    case MYCEL_ACT_SIGMOID:
        return nn_sigmoidf(x);
    case MYCEL_ACT_TANH:
        return nn_tanhf(x);
    default:
        return x;
    }
}

void nn_activate(const struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_layer *layer = nn_layer(nn, i);
    uint32_t channels = layer->out.channels;
    uint32_t padded = nn_pad4(channels);
    uint32_t pixels = nn->samples * nn_pixels_of(&layer->out);
    float *y = nn_out(nn, i);
    if (layer->activation == MYCEL_ACT_NONE) {
        return;
    }
    if (layer->activation == MYCEL_ACT_SOFTMAX) {
        nn->kernels->softmax(y, padded, pixels, channels);
        return;
    }
    for (uint32_t p = 0; p < pixels; p++, y += padded) {
        for (uint32_t c = 0; c < channels; c++) {
            y[c] = activate(layer, y[c]);
        }
    }
}

const float *nn_skip_of(const struct mycel_nn *nn, uint32_t i)
{
    const struct mycel_model *model = nn->model;
    if (!MYCEL_NN_WITH_ADD || !model->layer[i - 1].tapped) {
        return NULL;
    }
    for (uint32_t a = i; a < model->layer_count; a++) {
        if (model->layer[a].kind == MYCEL_LAYER_ADD && model->layer[a].source == i - 1) {
            return nn_out(nn, a);
        }
    }
    return NULL;
}

void nn_pass_values(const struct mycel_nn *nn, uint32_t i, uint32_t first, uint32_t count,
                    const float *raw)
{
    const struct nn_slope slope = nn_slope_below(nn, i);
    const float *skip = nn_skip_of(nn, i);
    skip = skip != NULL ? skip + first : NULL;
    nn->kernels->pass(nn_out(nn, i - 1) + first, raw, skip, count, &slope);
}

void nn_pass_gradient(const struct mycel_nn *nn, uint32_t i, uint32_t sample, const float *raw)
{
    uint32_t values = nn_values(&nn_layer(nn, i - 1)->out);
    nn_pass_values(nn, i, sample * values, values, raw);
}
