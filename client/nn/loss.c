/*
 * Losses and the gradient they start. Cross-entropy and bce are taken together with the softmax or
 * sigmoid before them, so that their gradient is simply output - target. Values behind the last
 * channel of a pixel stay 0.
 */
#include "client/nn/nn_internal.h"
#include "client/nn/nn_math.h"

/* What output k of sample s should have been; k counts as the caller's targets do. */
static float target_of(const struct mycel_nn *nn, uint32_t s, uint32_t k)
{
    if (nn->targets[s] != NULL) {
        return nn->targets[s][k];
    }
    if (nn->model->loss == MYCEL_LOSS_BCE) {
        return (float)nn->labels[s];
    }
    float value;
    nn_input_values(nn, s, k, 1, &value);
    return value;
}

static float loss_of(const struct mycel_model *model, float y, float t)
{
    float e = y - t;
    float size = e < 0.0f ? -e : e;
    switch (model->loss) {
    case MYCEL_LOSS_BCE:
        return -(t * nn_logf(y) + (1.0f - t) * nn_logf(1.0f - y));
    case MYCEL_LOSS_HUBER:
        if (size > model->huber_delta) {
            return model->huber_delta * (size - 0.5f * model->huber_delta);
        }
        return 0.5f * e * e;
    default:
        return 0.5f * e * e;
    }
}

static float slope_of(const struct mycel_model *model, float y, float t)
{
    float e = y - t;
    if (model->loss == MYCEL_LOSS_HUBER) {
        float d = model->huber_delta;
        return e > d ? d : e < -d ? -d : e;
    }
    return e;
}

/* Sample s of the outputs, [pixel][padded channel]. */
static float *sample_of(const struct mycel_nn *nn, uint32_t s)
{
    uint32_t last = nn->model->layer_count - 1u;
    return nn_out(nn, last) + (size_t)s * nn_values(&nn_layer(nn, last)->out);
}

static uint32_t best_of(const float *y, uint32_t classes)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < classes; i++) {
        best = y[i] > y[best] ? i : best;
    }
    return best;
}

static float sample_loss(const struct mycel_nn *nn, uint32_t s, uint32_t *correct)
{
    const struct mycel_model *model = nn->model;
    const struct mycel_shape *out = &model->layer[model->layer_count - 1].out;
    const float *y = sample_of(nn, s);
    if (!MYCEL_NN_WITH_LOSSES || model->loss == MYCEL_LOSS_CROSSENTROPY) {
        if (correct != NULL) {
            *correct += best_of(y, out->channels) == nn->labels[s];
        }
        return -nn_logf(y[nn->labels[s]]);
    }
    uint32_t outputs = mycel_shape_values(out);
    if (correct != NULL && model->loss == MYCEL_LOSS_BCE && outputs == 1) {
        *correct += (y[0] > 0.5f) == (target_of(nn, s, 0) > 0.5f);
    }
    float sum = 0.0f;
    uint32_t k = 0;
    for (uint32_t p = 0; p < nn_pixels_of(out); p++, y += nn_pad4(out->channels)) {
        for (uint32_t c = 0; c < out->channels; c++) {
            sum += loss_of(model, y[c], target_of(nn, s, k++));
        }
    }
    return sum / (float)outputs;
}

float nn_loss(const struct mycel_nn *nn, uint32_t *correct)
{
    float sum = 0.0f;
    for (uint32_t s = 0; s < nn->samples; s++) {
        sum += sample_loss(nn, s, correct);
    }
    return sum;
}

static void class_gradient(const struct mycel_nn *nn)
{
    uint32_t lanes = nn_pad4(mycel_model_outputs(nn->model));
    float *y = sample_of(nn, 0);
    for (uint32_t s = 0; s < nn->samples; s++, y += lanes) {
        y[nn->labels[s]] -= 1.0f;
        for (uint32_t c = 0; c < lanes; c++) {
            y[c] *= nn->gradient_scale;
        }
    }
}

void nn_loss_gradient(const struct mycel_nn *nn)
{
    const struct mycel_model *model = nn->model;
    const struct mycel_layer *last = &model->layer[model->layer_count - 1];
    if (!MYCEL_NN_WITH_LOSSES || model->loss == MYCEL_LOSS_CROSSENTROPY) {
        class_gradient(nn);
        return;
    }
    const struct nn_slope act = nn_slope_of(last);
    bool fused = model->loss == MYCEL_LOSS_BCE;
    float scale = nn->gradient_scale / (float)mycel_shape_values(&last->out);
    for (uint32_t s = 0; s < nn->samples; s++) {
        float *y = sample_of(nn, s);
        uint32_t k = 0;
        for (uint32_t p = 0; p < nn_pixels_of(&last->out); p++, y += nn_pad4(last->out.channels)) {
            for (uint32_t c = 0; c < last->out.channels; c++) {
                bool inside = y[c] > act.low && y[c] < act.high;
                float slope = inside ? act.c0 + y[c] * (act.c1 + act.c2 * y[c]) : act.outside;
                float gradient = slope_of(model, y[c], target_of(nn, s, k++)) * scale;
                y[c] = fused ? gradient : gradient * slope;
            }
        }
    }
}
