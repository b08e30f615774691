/*
 * Shapes, parameter places and the rules that join layers: what follows from a description once its
 * words are read. It owns the canonical order (see <mycel/model.h>) and must never touch weights.
 */
#include "common/assert.h"
#include "common/model_internal.h"
#include "mycel/error.h"

/* Output length of a window that slides over `in` padded values; 0 when it doesn't fit. */
static uint32_t slide(uint32_t in, uint32_t kernel, uint32_t stride)
{
    return in < kernel ? 0 : (in - kernel) / stride + 1;
}

static int place_window(struct mycel_layer *layer, const char **why)
{
    if (layer->kernel_h == 0) { /* a pool over the whole image */
        layer->out.height = 1;
        layer->out.width = 1;
        return 0;
    }
    uint32_t height = layer->in.height + (uint32_t)layer->pad_top + layer->pad_bottom;
    uint32_t width = layer->in.width + (uint32_t)layer->pad_left + layer->pad_right;
    uint32_t out_h = slide(height, layer->kernel_h, layer->stride_h);
    uint32_t out_w = slide(width, layer->kernel_w, layer->stride_w);
    if (out_h == 0 || out_w == 0) {
        *why = "the kernel is larger than what reaches this layer";
        return MYCEL_E_SHAPE;
    }
    if (out_h > MYCEL_MODEL_DIM_MAX || out_w > MYCEL_MODEL_DIM_MAX) {
        *why = "the output of this layer is too large";
        return MYCEL_E_TOO_LARGE;
    }
    if (layer->pad_top >= layer->kernel_h || layer->pad_left >= layer->kernel_w) {
        *why = "the padding must be smaller than the kernel";
        return MYCEL_E_SHAPE;
    }
    layer->out.height = (uint16_t)out_h;
    layer->out.width = (uint16_t)out_w;
    return 0;
}

static bool same_shape(const struct mycel_shape *a, const struct mycel_shape *b)
{
    return a->height == b->height && a->width == b->width && a->channels == b->channels;
}

static int place_add(const struct mycel_model *model, const struct mycel_layer *layer,
                     const char **why)
{
    if (layer->source + 1u == model->layer_count) {
        *why = "add needs another layer between it and its label";
        return MYCEL_E_SHAPE;
    }
    if (!same_shape(&layer->in, &model->layer[layer->source].out)) {
        *why = "add needs two outputs of the same shape";
        return MYCEL_E_SHAPE;
    }
    return 0;
}

static uint64_t count_params(const struct mycel_layer *layer)
{
    uint64_t out = layer->out.channels;
    uint64_t window = (uint64_t)layer->kernel_h * layer->kernel_w;
    uint64_t bias = layer->has_bias ? out : 0;
    switch (layer->kind) {
    case MYCEL_LAYER_DENSE:
        return out * mycel_shape_values(&layer->in) + bias;
    case MYCEL_LAYER_CONV:
        return out * window * layer->in.channels + bias;
    case MYCEL_LAYER_DEPTHWISE:
        return out * window + bias;
    case MYCEL_LAYER_GROUPNORM:
        return 2 * out;
    case MYCEL_LAYER_BATCHNORM:
        return 4 * out;
    default:
        return 0;
    }
}

/* Output shape of the layer, from its input. */
static int place_output(const struct mycel_model *model, struct mycel_layer *layer,
                        const char **why)
{
    uint32_t channels = layer->out.channels;
    layer->out = layer->in;
    switch (layer->kind) {
    case MYCEL_LAYER_DENSE:
        layer->out = (struct mycel_shape){1, 1, channels};
        return 0;
    case MYCEL_LAYER_CONV:
        layer->out.channels = channels;
        return place_window(layer, why);
    case MYCEL_LAYER_DEPTHWISE:
    case MYCEL_LAYER_MAXPOOL:
    case MYCEL_LAYER_AVGPOOL:
        return place_window(layer, why);
    case MYCEL_LAYER_GROUPNORM:
        if (layer->in.channels % layer->groups != 0) {
            *why = "the channels do not divide into that many groups";
            return MYCEL_E_SHAPE;
        }
        return 0;
    case MYCEL_LAYER_ADD:
        return place_add(model, layer, why);
    default:
        return 0;
    }
}

int model_layer_place(struct mycel_model *model, uint32_t index, const char **why)
{
    MYCEL_ASSERT(index < MYCEL_MODEL_LAYERS_MAX);
    struct mycel_layer *layer = &model->layer[index];
    layer->in = index == 0 ? model->input : model->layer[index - 1].out;
    int rc = place_output(model, layer, why);
    if (rc != 0) {
        return rc;
    }
    const struct mycel_shape *out = &layer->out;
    if ((uint64_t)out->height * out->width * out->channels > MYCEL_MODEL_VALUES_MAX) {
        *why = "the output of this layer is too large";
        return MYCEL_E_TOO_LARGE;
    }
    uint64_t params = count_params(layer);
    if (model->param_count + params > MYCEL_MODEL_PARAMS_MAX) {
        *why = "the model has too many parameters";
        return MYCEL_E_TOO_LARGE;
    }
    layer->param_offset = model->param_count;
    layer->param_count = (uint32_t)params;
    model->param_count += (uint32_t)params;
    return 0;
}

static uint8_t default_loss(uint8_t activation)
{
    switch (activation) {
    case MYCEL_ACT_SOFTMAX:
        return MYCEL_LOSS_CROSSENTROPY;
    case MYCEL_ACT_SIGMOID:
        return MYCEL_LOSS_BCE;
    default:
        return MYCEL_LOSS_MSE;
    }
}

/* Cross-entropy is computed together with its softmax, and bce with its sigmoid. */
static int join_loss(struct mycel_model *model, struct mycel_layer *last, const char **why)
{
    uint8_t partner = model->loss == MYCEL_LOSS_CROSSENTROPY ? MYCEL_ACT_SOFTMAX
                      : model->loss == MYCEL_LOSS_BCE        ? MYCEL_ACT_SIGMOID
                                                             : MYCEL_ACT_NONE;
    if (partner != MYCEL_ACT_NONE && last->activation == MYCEL_ACT_NONE) {
        last->activation = partner;
    }
    bool softmax = last->activation == MYCEL_ACT_SOFTMAX;
    if (softmax != (model->loss == MYCEL_LOSS_CROSSENTROPY) ||
        (partner == MYCEL_ACT_SIGMOID && last->activation != MYCEL_ACT_SIGMOID)) {
        *why = "crossentropy goes with softmax and bce with sigmoid";
        return MYCEL_E_UNSUPPORTED;
    }
    return 0;
}

int model_finish(struct mycel_model *model, const char **why)
{
    if (model->layer_count == 0) {
        *why = "a model needs at least one layer";
        return MYCEL_E_MALFORMED;
    }
    for (uint32_t i = 0; i + 1 < model->layer_count; i++) {
        if (model->layer[i].activation == MYCEL_ACT_SOFTMAX) {
            *why = "softmax belongs to the last layer only";
            return MYCEL_E_UNSUPPORTED;
        }
    }
    struct mycel_layer *last = &model->layer[model->layer_count - 1];
    if (last->kind == MYCEL_LAYER_DROPOUT) {
        *why = "a model cannot end with dropout";
        return MYCEL_E_UNSUPPORTED;
    }
    if (model->loss == MYCEL_LOSSES) {
        model->loss = default_loss(last->activation);
    }
    int rc = join_loss(model, last, why);
    if (rc != 0) {
        return rc;
    }
    if (last->activation == MYCEL_ACT_SOFTMAX && (last->out.height > 1 || last->out.width > 1)) {
        *why = "softmax needs a vector: end with dense or globalpool";
        return MYCEL_E_SHAPE;
    }
    return 0;
}

uint64_t mycel_layer_macs(const struct mycel_layer *layer)
{
    uint64_t pixels = (uint64_t)layer->out.height * layer->out.width;
    uint64_t window = (uint64_t)layer->kernel_h * layer->kernel_w;
    switch (layer->kind) {
    case MYCEL_LAYER_DENSE:
        return (uint64_t)layer->out.channels * mycel_shape_values(&layer->in);
    case MYCEL_LAYER_CONV:
        return pixels * window * layer->in.channels * layer->out.channels;
    case MYCEL_LAYER_DEPTHWISE:
        return pixels * window * layer->out.channels;
    default:
        return 0;
    }
}

/* Fills a tensor's shape; returns its role or -1 past the last. */
static int tensor_of(const struct mycel_layer *layer, uint32_t index, struct mycel_tensor *tensor)
{
    uint32_t out = layer->out.channels;
    bool norm = layer->kind == MYCEL_LAYER_GROUPNORM || layer->kind == MYCEL_LAYER_BATCHNORM;
    uint32_t tensors = layer->kind == MYCEL_LAYER_BATCHNORM ? 4 : (norm || layer->has_bias ? 2 : 1);
    if (layer->param_count == 0 || index >= tensors) {
        return -1;
    }
    *tensor = (struct mycel_tensor){.role = (uint8_t)index, .rank = 1, .dim = {out, 1, 1, 1}};
    if (index > 0 || norm) {
        return (int)index;
    }
    if (layer->kind == MYCEL_LAYER_DENSE) {
        tensor->rank = 2;
        tensor->dim[1] = mycel_shape_values(&layer->in);
        return 0;
    }
    tensor->rank = 4;
    tensor->dim[1] = layer->kind == MYCEL_LAYER_CONV ? layer->in.channels : 1;
    tensor->dim[2] = layer->kernel_h;
    tensor->dim[3] = layer->kernel_w;
    return 0;
}

int mycel_model_tensor(const struct mycel_model *model, uint32_t layer, uint32_t index,
                       struct mycel_tensor *tensor)
{
    MYCEL_ASSERT(layer < model->layer_count);
    uint32_t offset = model->layer[layer].param_offset;
    for (uint32_t i = 0; i <= index; i++) {
        if (tensor_of(&model->layer[layer], i, tensor) < 0) {
            return MYCEL_E_NOT_FOUND;
        }
        tensor->offset = offset;
        tensor->count = tensor->dim[0] * tensor->dim[1] * tensor->dim[2] * tensor->dim[3];
        offset += tensor->count;
    }
    return 0;
}
