/*
 * What a model is: one readable line, its layers with their shapes, and the canonical order of its
 * parameters. It owns the description and nothing else: no weights, no arithmetic. Both sides of the
 * wire include it, so it must never depend on either.
 *
 * A description in EBNF. Words are separated by blanks, ">" joins the layers, case matters:
 *
 *   model      = input , { ">" , layer } , [ ">" , loss ] ;
 *   input      = n                                  (* n features *)
 *              | n "x" n                            (* length x channels, for conv1d *)
 *              | n "x" n "x" n ;                    (* height x width x channels *)
 *   layer      = "dense" n         { bias | act | common }
 *              | "conv" n kernel   { window | bias | act | common }     (* images *)
 *              | "conv1d" n n      { window | bias | act | common }     (* sequences *)
 *              | "pointwise" n     { bias | act | common }              (* conv 1x1 *)
 *              | "depthwise" kernel { window | bias | act | common }    (* one filter a channel *)
 *              | "maxpool" ( kernel | "global" ) { stride | act | common }
 *              | "avgpool" ( kernel | "global" ) { stride | act | common }
 *              | "globalpool"      { act | common }                     (* avgpool global *)
 *              | "groupnorm" n     { act | common }                     (* n groups *)
 *              | "batchnorm"       { act | common }                     (* statistics never move *)
 *              | "dropout" number  { common }                           (* share dropped, 0 <= p < 1 *)
 *              | "add" label       { act | common }                     (* residual: + that output *)
 *              | "flatten"                                              (* dense flattens by itself *)
 *              | act ;                              (* the activation of the layer before it *)
 *   kernel     = n | n "x" n ;                      (* 3 means 3x3 on an image *)
 *   window     = stride | "same" | "valid" | "pad" kernel ;
 *   stride     = "stride" kernel ;
 *   bias       = "nobias" ;
 *   act        = "relu" | "relu6" | "leaky" [ number ] | "sigmoid" | "tanh" | "softmax" ;
 *   common     = "frozen" | label ;                 (* frozen: these parameters never change *)
 *   label      = "@" , letter , { letter | digit } ;
 *   loss       = "crossentropy" | "bce" | "mse" | "huber" [ number ] ;
 *
 * "same" pads (k-1)/2 before and k/2 after, so a stride of one keeps the size. Pools have no
 * padding and their stride is their kernel unless given. softmax is for the last layer only and
 * makes the loss cross-entropy; sigmoid at the end makes it bce; anything else makes it mse.
 * A label may be added once. Example with a residual block and a frozen first layer:
 *
 *   32x32x3 > conv 16 3x3 same relu frozen @a > conv 16 3x3 same > add @a relu > globalpool
 *           > dense 10 softmax
 *
 * Parameters in canonical order: layer by layer as described, within a layer the tensors of
 * mycel_model_tensor() in turn, each in PyTorch's shape and row-major: dense weight [out][in],
 * convolution weight [out][in][kh][kw] (depthwise [channels][1][kh][kw]), then bias [out];
 * groupnorm weight, bias; batchnorm weight, bias, mean, variance. A dense layer behind an image
 * counts its inputs as PyTorch's flatten does, channel first. Values are IEEE-754 binary32, little
 * endian wherever they are bytes. Samples are given pixel by pixel, channels last.
 */
#ifndef MYCEL_MODEL_H
#define MYCEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Layers of one model. A build for a small device may lower it (48 bytes a layer), never raise it
 * above 64. */
#ifndef MYCEL_MODEL_LAYERS_MAX
#define MYCEL_MODEL_LAYERS_MAX 64
#endif

#define MYCEL_MODEL_TEXT_MAX 1024                  /* bytes of a description, with its NUL */
#define MYCEL_MODEL_PARAMS_MAX (UINT32_C(1) << 26) /* parameters of one model */
#define MYCEL_MODEL_VALUES_MAX (UINT32_C(1) << 24) /* values of one layer's input or output */
#define MYCEL_MODEL_DIM_MAX 65535                  /* units, channels, height or width */
#define MYCEL_MODEL_KERNEL_MAX 255                 /* side of a kernel, a stride or a padding */
#define MYCEL_MODEL_LAYER_TENSORS_MAX 4

enum mycel_layer_kind {
    MYCEL_LAYER_DENSE,
    MYCEL_LAYER_CONV, /* conv, conv1d (height 1) and pointwise */
    MYCEL_LAYER_DEPTHWISE,
    MYCEL_LAYER_MAXPOOL,
    MYCEL_LAYER_AVGPOOL,
    MYCEL_LAYER_GROUPNORM,
    MYCEL_LAYER_BATCHNORM,
    MYCEL_LAYER_DROPOUT,
    MYCEL_LAYER_ADD,
    MYCEL_LAYER_KINDS
};

enum mycel_activation {
    MYCEL_ACT_NONE,
    MYCEL_ACT_RELU,
    MYCEL_ACT_RELU6,
    MYCEL_ACT_LEAKY,
    MYCEL_ACT_SIGMOID,
    MYCEL_ACT_TANH,
    MYCEL_ACT_SOFTMAX, /* last layer only */
    MYCEL_ACTS
};

/* Means are over the samples of a batch, and over the outputs of a sample except for
 * cross-entropy. e = output - target. */
enum mycel_loss {
    MYCEL_LOSS_CROSSENTROPY, /* -log p[label]; labels are class indices */
    MYCEL_LOSS_BCE,          /* sigmoid cross-entropy; targets 0..1, or a label for one output */
    MYCEL_LOSS_MSE,          /* e*e/2: its gradient is e, so a step is rate x error x input */
    MYCEL_LOSS_HUBER,        /* e*e/2 up to delta, then delta*(|e| - delta/2) */
    MYCEL_LOSSES
};

/* A tensor between two layers, one sample of it. A flat vector has height = width = 1, a sequence
 * height = 1. */
struct mycel_shape {
    uint16_t height;
    uint16_t width;
    uint32_t channels;
};

struct mycel_layer {
    uint8_t kind;       /* enum mycel_layer_kind */
    uint8_t activation; /* enum mycel_activation, applied to this layer's output */
    uint8_t source;     /* ADD: index of the layer whose output is added */
    bool frozen;        /* parameters never change */
    bool has_bias;      /* DENSE, CONV, DEPTHWISE */
    bool tapped;        /* a later ADD reads this output */
    uint8_t kernel_h;   /* 0 in a pool over the whole image */
    uint8_t kernel_w;
    uint8_t stride_h;
    uint8_t stride_w;
    uint8_t pad_top;
    uint8_t pad_left;
    uint8_t pad_bottom;
    uint8_t pad_right;
    uint16_t groups; /* GROUPNORM */
    float slope;     /* LEAKY: factor of negative values, default 0.01 */
    float rate;      /* DROPOUT: share of values dropped */
    struct mycel_shape in;
    struct mycel_shape out;
    uint32_t param_offset; /* of its first parameter in canonical order */
    uint32_t param_count;
};

struct mycel_model {
    struct mycel_shape input;
    uint8_t input_rank; /* 1 features, 2 sequence, 3 image: only how it is written */
    uint8_t loss;       /* enum mycel_loss */
    uint16_t layer_count;
    uint32_t param_count;
    float huber_delta; /* default 1 */
    struct mycel_layer layer[MYCEL_MODEL_LAYERS_MAX];
};

/* Where and why a description was refused. */
struct mycel_model_error {
    int column;       /* of the first offending character, counted from 1 */
    int length;       /* of the offending word, at least 1, for an underline */
    const char *text; /* one sentence without a full stop; static storage */
};

enum mycel_tensor_role {
    MYCEL_TENSOR_WEIGHT,
    MYCEL_TENSOR_BIAS,
    MYCEL_TENSOR_MEAN,
    MYCEL_TENSOR_VARIANCE
};

/* One parameter tensor, in PyTorch's shape. */
struct mycel_tensor {
    uint8_t role;    /* enum mycel_tensor_role */
    uint8_t rank;    /* 1, 2 or 4 */
    uint32_t dim[4]; /* outermost first, unused ones 1 */
    uint32_t offset; /* of the first value in canonical order, in values */
    uint32_t count;  /* values */
};

/* Reads a description. text: NUL-terminated, at most MYCEL_MODEL_TEXT_MAX bytes with the NUL; it
 * may come from a peer. error: NULL, or filled when the result is not 0. The model is whole when
 * the result is 0 and unspecified otherwise. Doesn't block.
 * Returns 0; MYCEL_E_MALFORMED (grammar), MYCEL_E_SHAPE (a layer does not fit its input),
 * MYCEL_E_TOO_LARGE (a maximum above), MYCEL_E_UNSUPPORTED (known words in an unsupported place). */
int mycel_model_parse(struct mycel_model *model, const char *text, struct mycel_model_error *error);

/* Writes the canonical description: equal models give equal text, and parsing it gives an equal
 * model. text: size bytes, NUL-terminated if size > 0 even when cut.
 * Returns the length without NUL, or MYCEL_E_NO_MEMORY when size is too small. */
int mycel_model_format(const struct mycel_model *model, char *text, size_t size);

/* Describes tensor `index` (0, 1, …) of a layer. Returns 0, or MYCEL_E_NOT_FOUND past its last. */
int mycel_model_tensor(const struct mycel_model *model, uint32_t layer, uint32_t index,
                       struct mycel_tensor *tensor);

/* Fills params (model->param_count floats, canonical order, caller's) with a start: weights
 * uniform within sqrt(6 / fan-in) before a rectifier (He et al. 2015) and sqrt(3 / fan-in) before
 * anything else, biases 0, normalisation 1 and 0. The same seed gives the same bits on every
 * machine, and a value depends on nothing but seed, tensor and place, so that
 * mycel_model_init_range can make any part of it. */
void mycel_model_init_params(const struct mycel_model *model, uint64_t seed, float *params);

/* The same for values offset .. offset + count - 1 only, where offset + count <= param_count. */
void mycel_model_init_range(const struct mycel_model *model, uint64_t seed, uint32_t offset,
                            uint32_t count, float *params);

/* Values in one sample of a tensor. */
static inline uint32_t mycel_shape_values(const struct mycel_shape *shape)
{
    return (uint32_t)shape->height * shape->width * shape->channels;
}

/* Values in one sample's input, and in its output (classes, or targets). */
static inline uint32_t mycel_model_inputs(const struct mycel_model *model)
{
    return mycel_shape_values(&model->input);
}

static inline uint32_t mycel_model_outputs(const struct mycel_model *model)
{
    return mycel_shape_values(&model->layer[model->layer_count - 1].out);
}

/* Multiply-accumulates of one sample's forward pass through a layer. */
uint64_t mycel_layer_macs(const struct mycel_layer *layer);

/* Names as the grammar writes them ("conv", "relu", "mse"; "" for no activation). Static storage. */
const char *mycel_layer_kind_name(uint8_t kind);
const char *mycel_activation_name(uint8_t activation);
const char *mycel_loss_name(uint8_t loss);

#ifdef __cplusplus
}
#endif

#endif
