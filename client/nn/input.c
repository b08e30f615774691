/*
 * The caller's samples: fetching a batch of pointers, and turning raw values into floats where they
 * are needed, or at once with config.widen. It never writes to the caller's memory.
 */
#include <string.h>

#include "client/nn/nn_internal.h"
#include "mycel/error.h"

#define CACHE_LINE_BYTES 64u

bool nn_input_is_plain(const struct mycel_nn_config *config)
{
    if (MYCEL_NN_WITH_HOST && config->widen) {
        return true; /* nn_input_widen has made them so */
    }
    return config->input == MYCEL_NN_F32 && config->feature_scale == NULL &&
           config->feature_shift == NULL && config->input_scale == 1.0f &&
           config->input_shift == 0.0f;
}

static uint32_t input_bytes(const struct mycel_nn *nn)
{
    uint32_t size = !MYCEL_NN_WITH_INPUTS || nn->plan->config.input == MYCEL_NN_F32 ? 4 : 1;
    return mycel_model_inputs(nn->model) * size;
}

static int check_answer(struct mycel_nn *nn, const struct mycel_nn_sample *sample)
{
    uint32_t outputs = mycel_model_outputs(nn->model);
    if (!MYCEL_NN_WITH_LOSSES) {
        return sample->label < outputs ? 0 : MYCEL_E_INVALID;
    }
    switch (nn->model->loss) {
    case MYCEL_LOSS_CROSSENTROPY:
        return sample->label < outputs ? 0 : MYCEL_E_INVALID;
    case MYCEL_LOSS_BCE:
        if (sample->target == NULL) {
            return outputs == 1 && sample->label <= 1 ? 0 : MYCEL_E_INVALID;
        }
        return 0;
    default:
        if (sample->target == NULL) { /* an autoencoder */
            return outputs == mycel_model_inputs(nn->model) ? 0 : MYCEL_E_INVALID;
        }
        return 0;
    }
}

/* Sample `index` straight from the caller's arrays. */
static void from_arrays(const struct mycel_nn *nn, const struct mycel_nn_data *data, uint32_t index,
                        struct mycel_nn_sample *sample)
{
    sample->input = (const uint8_t *)data->inputs + (size_t)index * input_bytes(nn);
    sample->label = data->labels != NULL ? data->labels[index] : 0;
    sample->target = data->targets != NULL
                         ? data->targets + (size_t)index * mycel_model_outputs(nn->model)
                         : NULL;
}

/* Values first … first + count - 1 of a raw sample. */
static void widen(const struct mycel_nn *nn, const void *raw, uint32_t first, uint32_t count,
                  float *values)
{
    const struct mycel_nn_config *c = &nn->plan->config;
    const uint8_t *u8 = raw;
    const int8_t *i8 = raw;
    const float *f32 = raw;
    bool even = c->feature_scale == NULL && c->feature_shift == NULL;
    if (even && c->input == MYCEL_NN_U8) {
        nn->kernels->widen_u8(u8 + first, count, c->input_scale, c->input_shift, values);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t k = first + i;
        float value = c->input == MYCEL_NN_F32  ? f32[k]
                      : c->input == MYCEL_NN_U8 ? (float)u8[k]
                                                : (float)i8[k];
        float scale = c->feature_scale != NULL ? c->feature_scale[k] : c->input_scale;
        float shift = c->feature_shift != NULL ? c->feature_shift[k] : c->input_shift;
        values[i] = value * scale + shift;
    }
}

/* Asks for a sample that is going to be widened: those of a batch lie anywhere. */
static void prefetch(const uint8_t *raw, uint32_t bytes)
{
    for (uint32_t at = 0; at < bytes; at += CACHE_LINE_BYTES) {
        __builtin_prefetch(raw + at);
    }
}

void nn_input_widen(struct mycel_nn *nn)
{
    uint32_t count = mycel_model_inputs(nn->model);
    float *values = nn_at(nn, nn->plan->stage_offset);
    for (uint32_t s = 0; s < nn->samples; s++, values += count) {
        widen(nn, nn->inputs[s], 0, count, values);
        nn->inputs[s] = values;
    }
}

int nn_fetch(struct mycel_nn *nn, const struct mycel_nn_data *data, uint32_t slot, uint32_t index,
             bool answers)
{
    struct mycel_nn_sample sample = {0};
    if (data->fetch == NULL) {
        from_arrays(nn, data, index, &sample);
    } else {
        void *stage = NULL;
        if (nn->plan->config.stage) {
            uint32_t bytes = (input_bytes(nn) + 3u) / 4u * 4u;
            stage = nn->arena + nn->plan->stage_offset + (size_t)slot * bytes;
        }
        int rc = data->fetch(data->ctx, index, stage, &sample);
        if (rc != 0) {
            return rc;
        }
    }
    int rc = answers ? check_answer(nn, &sample) : 0;
    bool unlabelled = data->fetch == NULL && data->labels == NULL && data->targets == NULL;
    bool regresses = nn->model->loss >= MYCEL_LOSS_MSE;
    if (rc != 0 || (answers && unlabelled && !regresses)) {
        return MYCEL_E_INVALID;
    }
    if (MYCEL_NN_WITH_HOST && nn->plan->config.widen) {
        prefetch(sample.input, input_bytes(nn));
    }
    nn->inputs[slot] = sample.input;
    nn->labels[slot] = sample.label;
    nn->targets[slot] = sample.target;
    return 0;
}

void nn_input_values(const struct mycel_nn *nn, uint32_t s, uint32_t first, uint32_t count,
                     float *values)
{
    if (MYCEL_NN_WITH_HOST && nn->plan->config.widen) {
        memcpy(values, (const float *)nn->inputs[s] + first, (size_t)count * sizeof *values);
        return;
    }
    widen(nn, nn->inputs[s], first, count, values);
}

void nn_input_fill(const struct mycel_nn *nn)
{
    const struct mycel_shape *in = &nn->model->input;
    uint32_t channels = in->channels;
    uint32_t padded = nn_pad4(channels);
    float *x = nn_at(nn, nn->plan->input_offset);
    for (uint32_t s = 0; s < nn->samples; s++) {
        for (uint32_t p = 0; p < nn_pixels_of(in); p++, x += padded) {
            nn_input_values(nn, s, p * channels, channels, x);
            for (uint32_t c = channels; c < padded; c++) {
                x[c] = 0.0f;
            }
        }
    }
}
