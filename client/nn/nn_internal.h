/*
 * What the trainer's files share: the context, where things lie in the arena, and the layers'
 * common interface. Nothing outside client/nn includes it.
 *
 * Invariants that every layer keeps:
 * - A tensor between layers is [sample][pixel][channel] with the channels of a pixel padded to a
 *   multiple of four, and the padding is 0 at all times. The caller's samples have no padding.
 * - A layer's output makes way for its own gradient: backward of layer i finds d(loss)/d(sum before
 *   the activation) of each output where the output was, and leaves that of layer i - 1 in turn.
 * - Weights are [row][lane], rows padded to a multiple of four with zeros, then one row of biases.
 *   A row belongs to one input value, a lane to one output channel.
 */
#ifndef MYCEL_NN_INTERNAL_H
#define MYCEL_NN_INTERNAL_H

#include "client/nn/kernels/kernels.h"
#include "client/nn/nn_build.h"
#include "mycel/nn.h"

#define NN_NONE UINT32_MAX
#define NN_BLOCK 32 /* rows of a dense layer's weights that go backward at once */
#define NN_WIDEN 32 /* values of a raw sample that become floats at once, for a dense layer */

/* The working space of a layer, by when it is needed. */
enum nn_phase {
    NN_FORWARD,
    NN_BACKWARD, /* all the way through both of the following */
    NN_BACKWARD_WEIGHTS,
    NN_BACKWARD_INPUT,
    NN_PHASES
};

struct mycel_nn {
    const struct mycel_nn_plan *plan;
    const struct mycel_model *model;
    const struct nn_kernels *kernels;
    uint8_t *arena;
    const void **inputs;    /* raw samples of the micro-batch */
    const float **targets;  /* their targets, for the losses that have some */
    uint32_t *labels;       /* their labels */
    uint32_t samples;       /* in the micro-batch */
    uint32_t step_done;     /* samples of the step in micro-batches before this one */
    bool training;          /* dropout drops */
    bool direct;            /* nn_plan_is_direct, asked often */
    float gradient_scale;   /* what the loss multiplies its gradient by */
    uint32_t update_step;   /* optimizer steps so far plus one, while stepping */
    uint32_t int8_expected; /* next canonical place an int8 layer takes */

    /* The training run, as a checkpoint holds it. */
    uint64_t seed;
    float learning_rate;
    uint32_t steps;
    uint32_t epochs;
    uint32_t position; /* in the epoch, samples */
    uint32_t seen;
    float loss;
    float epoch_loss;
    float epoch_sum; /* of losses x samples in the epoch so far */
    float gradient_norm;
};

static inline uint32_t nn_pad4(uint32_t n)
{
    return (n + 3u) & ~3u;
}

static inline const struct mycel_layer *nn_layer(const struct mycel_nn *nn, uint32_t i)
{
    return &nn->model->layer[i];
}

static inline float *nn_at(const struct mycel_nn *nn, uint32_t offset)
{
    return (float *)(void *)(nn->arena + offset);
}

static inline float *nn_params(const struct mycel_nn *nn, uint32_t i)
{
    return nn_at(nn, nn->plan->layer[i].params_offset);
}

static inline float *nn_out(const struct mycel_nn *nn, uint32_t i)
{
    return nn_at(nn, nn->plan->layer[i].out_offset);
}

static inline float *nn_scratch(const struct mycel_nn *nn, uint32_t i, enum nn_phase phase)
{
    return nn_at(nn, nn->plan->layer[i].scratch_offset[phase]);
}

static inline bool nn_is_int8(const struct mycel_nn_plan *plan, uint32_t i)
{
    return MYCEL_NN_WITH_INT8 && plan->layer[i].int8;
}

static inline uint32_t nn_pixels_of(const struct mycel_shape *shape)
{
    return (uint32_t)shape->height * shape->width;
}

/* Floats of one sample in a tensor between layers. */
static inline uint32_t nn_values(const struct mycel_shape *shape)
{
    return nn_pixels_of(shape) * nn_pad4(shape->channels);
}

/* Whether layer i reads the caller's samples itself. */
static inline bool nn_reads_raw(const struct mycel_model *model, uint32_t i)
{
    uint8_t kind = model->layer[0].kind;
    return i == 0 && (kind == MYCEL_LAYER_DENSE || kind == MYCEL_LAYER_CONV);
}

/* Channels of a pixel as layer i's input has them in memory. */
static inline uint32_t nn_in_channels(const struct mycel_model *model, uint32_t i)
{
    uint32_t channels = model->layer[i].in.channels;
    return nn_reads_raw(model, i) ? channels : nn_pad4(channels);
}

/* The values that go into layer i (i > 0, or not raw): its input tensor. */
static inline float *nn_in(const struct mycel_nn *nn, uint32_t i)
{
    return i > 0 ? nn_out(nn, i - 1) : nn_at(nn, nn->plan->input_offset);
}

/* A layer kind: pure functions of the plan, and work on a context. */
struct nn_layer_ops {
    /* Rows of the weight matrix, without padding and bias. */
    uint32_t (*rows)(const struct mycel_model *model, uint32_t i);
    uint32_t (*scratch_bytes)(const struct mycel_nn_plan *plan, uint32_t i, enum nn_phase phase);
    void (*forward)(struct mycel_nn *nn, uint32_t i);
    void (*backward)(struct mycel_nn *nn, uint32_t i);
};

/* The table of kinds. */
const struct nn_layer_ops *nn_ops(const struct mycel_layer *layer);

extern const struct nn_layer_ops nn_dense_ops;
extern const struct nn_layer_ops nn_conv_ops;
extern const struct nn_layer_ops nn_depthwise_ops;
extern const struct nn_layer_ops nn_maxpool_ops;
extern const struct nn_layer_ops nn_avgpool_ops;
extern const struct nn_layer_ops nn_groupnorm_ops;
extern const struct nn_layer_ops nn_batchnorm_ops;
extern const struct nn_layer_ops nn_dropout_ops;
extern const struct nn_layer_ops nn_add_ops;

/* layer_int8.c. place gives where canonical weight k of the view's tensor lies in the matrix. */
uint64_t nn_int8_bytes(const struct mycel_layer *l, uint64_t rows, uint64_t lanes);
uint32_t nn_int8_scratch(const struct mycel_nn_plan *plan, uint32_t i, enum nn_phase phase);
int nn_int8_write(struct mycel_nn *nn, uint32_t i, bool bias, uint32_t first, uint32_t count,
                  const float *values, uint32_t (*place)(const void *view, uint32_t k),
                  const void *view);
float nn_int8_read(const struct mycel_nn *nn, uint32_t i, bool bias, uint32_t k, uint32_t place);
void nn_int8_forward(struct mycel_nn *nn, uint32_t i);

/* layers.c: bytes of a layer's working space. */
uint32_t nn_scratch_bytes(const struct mycel_nn_plan *plan, uint32_t i, enum nn_phase phase);

/* plan.c: whether each layer's gradient can go straight into its weights (plain SGD). */
bool nn_plan_is_direct(const struct mycel_nn_plan *plan);
/* plan.c: floats of the layer's parameters that train, from its first on. */
uint32_t nn_trained_values(const struct mycel_nn_plan *plan, uint32_t i);
/* plan_place.c: gives every tensor and working space of plan its place; returns the bytes. */
uint64_t nn_plan_place(struct mycel_nn_plan *plan);

/* activation.c */
struct nn_slope nn_slope_of(const struct mycel_layer *layer);
/* What turns the gradient of layer i - 1's output into that of its sum. A dropout in the place of
 * the layer before it leaves that layer's slope to be found in its own output. */
struct nn_slope nn_slope_below(const struct mycel_nn *nn, uint32_t i);
/* The activation of layer i over its output tensor, for those that are not done elsewhere. */
void nn_activate(const struct mycel_nn *nn, uint32_t i);
/* A floor that is a ReLU, or none. */
float nn_floor_of(uint8_t activation);
/* Turns one sample of layer i's raw input gradient, in `raw`, into what layer i - 1 finds. */
void nn_pass_gradient(const struct mycel_nn *nn, uint32_t i, uint32_t sample, const float *raw);
/* The same for values first … first + count - 1 of the whole micro-batch. */
void nn_pass_values(const struct mycel_nn *nn, uint32_t i, uint32_t first, uint32_t count,
                    const float *raw);
/* The gradient that an add further up sends to layer i - 1's output, or NULL. */
const float *nn_skip_of(const struct mycel_nn *nn, uint32_t i);

/* optimizer.c */
/* Where layer i's gradient is to be added to: its weights, a gradient buffer, or `space` (cleared
 * here). nn_target_done then applies it if it was `space`. Both cover values from … from + count. */
float *nn_target(struct mycel_nn *nn, uint32_t i, uint32_t from, uint32_t count, float *space);
void nn_target_done(struct mycel_nn *nn, uint32_t i, uint32_t from, uint32_t count,
                    const float *space);
/* Bytes of `space` for that many values, 0 when none is needed. */
uint32_t nn_target_space(const struct mycel_nn_plan *plan, uint32_t count);
/* Before the first and after the last micro-batch of a step. */
void nn_step_begin(struct mycel_nn *nn, uint32_t batch);
void nn_step_end(struct mycel_nn *nn);
float nn_rate(const struct mycel_nn *nn);

/* input.c: the caller's samples as floats. */
/* Sample `index` of data into slot of the micro-batch; answers: its label or target must be good.
 * Returns 0, MYCEL_E_INVALID, or what the caller's fetch gave. */
int nn_fetch(struct mycel_nn *nn, const struct mycel_nn_data *data, uint32_t slot, uint32_t index,
             bool answers);
/* Whether layers find floats that they can use as they are. */
bool nn_input_is_plain(const struct mycel_nn_config *config);
/* With config.widen: makes all samples of the micro-batch floats, before anything reads them. */
void nn_input_widen(struct mycel_nn *nn);
/* Values first … first + count - 1 of sample s. */
void nn_input_values(const struct mycel_nn *nn, uint32_t s, uint32_t first, uint32_t count,
                     float *values);
/* Fills the input tensor where no layer reads raw samples. */
void nn_input_fill(const struct mycel_nn *nn);

/* loss.c */
/* Loss of the micro-batch, summed over its samples, from the last layer's finished outputs. */
float nn_loss(const struct mycel_nn *nn, uint32_t *correct); /* correct: NULL if nobody asks */
/* Replaces the outputs by their gradient x gradient_scale. */
void nn_loss_gradient(const struct mycel_nn *nn);

/* params.c: arrays that only a checkpoint reads and writes, after the public ones. */
enum nn_state_array {
    NN_ARRAY_FIRST = MYCEL_NN_GRADIENT + 1, /* velocities or first moments */
    NN_ARRAY_SECOND,                        /* second moments */
    NN_ARRAYS
};
/* As mycel_nn_read and mycel_nn_write, for any array; MYCEL_E_NOT_FOUND when there is none. */
int nn_array_read(const struct mycel_nn *nn, int array, uint32_t offset, uint32_t count,
                  void *bytes);
int nn_array_write(struct mycel_nn *nn, int array, uint32_t offset, uint32_t count,
                   const void *bytes);
bool nn_array_exists(const struct mycel_nn *nn, int array);

/* layers.c */
void nn_forward(struct mycel_nn *nn);
void nn_backward(struct mycel_nn *nn);

#endif
