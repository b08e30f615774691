/*
 * Where training starts: the first values of every parameter. It owns the rule and its randomness,
 * and must give the same bits on every machine: one exact uniform, one product, no libm.
 */
#include "common/assert.h"
#include "common/rng.h"
#include "mycel/model.h"

/* Streams of one seed are numbered by tensor; this keeps them apart from those of other users. */
#define RNG_STREAM_INIT UINT64_C(0x696e697400000000)

enum { SQRT_STEPS = 32 };

/* sqrt(numerator / denominator) to within 2^-20, in integers: bit by bit of the root of the ratio
 * scaled by 2^40. Both operands are below 2^26, so nothing overflows. */
static float ratio_sqrt(uint32_t numerator, uint32_t denominator)
{
    uint64_t square = ((uint64_t)numerator << 40) / denominator;
    uint64_t root = 0;
    for (int bit = SQRT_STEPS - 1; bit >= 0; bit--) {
        uint64_t trial = root | (UINT64_C(1) << bit);
        if (trial * trial <= square) {
            root = trial;
        }
    }
    return (float)root * (1.0f / 1048576.0f);
}

static bool rectifies(uint8_t activation)
{
    return activation == MYCEL_ACT_RELU || activation == MYCEL_ACT_RELU6 ||
           activation == MYCEL_ACT_LEAKY;
}

/* The activation a layer's output meets first: its own, or that behind normalisation. */
static uint8_t next_activation(const struct mycel_model *model, uint32_t layer)
{
    uint8_t act = model->layer[layer].activation;
    for (uint32_t i = layer + 1; act == MYCEL_ACT_NONE && i < model->layer_count; i++) {
        uint8_t kind = model->layer[i].kind;
        if (kind == MYCEL_LAYER_DENSE || kind == MYCEL_LAYER_CONV ||
            kind == MYCEL_LAYER_DEPTHWISE) {
            break;
        }
        act = model->layer[i].activation;
    }
    return act;
}

/* What one tensor starts with: uniform in ±bound, or the constant when bound is 0. */
struct start {
    float bound;
    float constant;
};

static struct start tensor_start(const struct mycel_model *model, uint32_t layer,
                                 const struct mycel_tensor *tensor)
{
    uint8_t kind = model->layer[layer].kind;
    if (kind == MYCEL_LAYER_GROUPNORM || kind == MYCEL_LAYER_BATCHNORM) {
        bool one = tensor->role == MYCEL_TENSOR_WEIGHT || tensor->role == MYCEL_TENSOR_VARIANCE;
        return (struct start){0.0f, one ? 1.0f : 0.0f};
    }
    if (tensor->role != MYCEL_TENSOR_WEIGHT) {
        return (struct start){0.0f, 0.0f};
    }
    uint32_t fan_in = tensor->dim[1] * tensor->dim[2] * tensor->dim[3];
    uint32_t gain = rectifies(next_activation(model, layer)) ? 6 : 3;
    return (struct start){ratio_sqrt(gain, fan_in), 0.0f};
}

/* Writes values first … last - 1 of a tensor. */
static void fill(const struct start *start, uint64_t seed, uint64_t stream, uint32_t first,
                 uint32_t last, float *params)
{
    for (uint32_t i = first; i < last; i++) {
        float value = start->constant;
        if (start->bound > 0.0f) {
            float centred = rng_f32(seed, stream, i) * 2.0f - 1.0f; /* exact */
            value = centred * start->bound;
        }
        params[i - first] = value;
    }
}

void mycel_model_init_range(const struct mycel_model *model, uint64_t seed, uint32_t offset,
                            uint32_t count, float *params)
{
    MYCEL_ASSERT(offset <= model->param_count && count <= model->param_count - offset);
    uint32_t end = offset + count;
    for (uint32_t l = 0; l < model->layer_count; l++) {
        struct mycel_tensor t;
        for (uint32_t i = 0; mycel_model_tensor(model, l, i, &t) == 0; i++) {
            uint32_t first = t.offset > offset ? t.offset : offset;
            uint32_t last = t.offset + t.count < end ? t.offset + t.count : end;
            if (first >= last) {
                continue;
            }
            struct start start = tensor_start(model, l, &t);
            uint64_t stream = RNG_STREAM_INIT + l * MYCEL_MODEL_LAYER_TENSORS_MAX + i;
            fill(&start, seed, stream, first - t.offset, last - t.offset,
                 params + (first - offset));
        }
    }
}

void mycel_model_init_params(const struct mycel_model *model, uint64_t seed, float *params)
{
    mycel_model_init_range(model, seed, 0, model->param_count, params);
}
