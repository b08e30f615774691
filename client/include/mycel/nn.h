/*
 * The on-device trainer: twelve functions that plan a model's memory to the byte, train it in an
 * arena the caller owns, and move its parameters in and out in chunks. It never allocates, reads a
 * clock, prints, or keeps anything outside the arena, the plan and the model given to it; contexts
 * are independent, and one context belongs to one thread at a time.
 *
 *     mycel_model_parse(&model, "28x28x1 > dense 32 relu > dense 10 softmax", NULL);
 *     struct mycel_nn_config config = {.batch = 20, .learning_rate = 0.1f, .shuffle = true};
 *     mycel_nn_plan(&plan, &model, &config);             // plan.arena_bytes says what it takes
 *     mycel_nn_init(&nn, &plan, arena, sizeof arena);
 *     mycel_nn_write(nn, MYCEL_NN_PARAMS, 0, count, bytes);
 *     while (mycel_nn_train(nn, &data, &budget) == MYCEL_NN_MORE) { … }
 *     mycel_nn_delta(nn, &base, 0, count, delta);
 *
 * Errors are those of <mycel/error.h>. A pointer that must not be NULL, or a count beyond its
 * limit, is the programmer's error and stops the program.
 */
#ifndef MYCEL_NN_H
#define MYCEL_NN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mycel/model.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MYCEL_NN_BATCH_MAX 4096 /* samples of one step */
#define MYCEL_NN_ALIGN 64       /* bytes; an arena at any other address loses up to 63 of them */

/* What a call returns when the budget ended before the work did. */
#define MYCEL_NN_MORE 1

enum mycel_nn_use {
    MYCEL_NN_TRAIN,
    MYCEL_NN_INFER /* predict and evaluate only: no gradients, no optimizer state */
};

enum mycel_nn_optimizer {
    MYCEL_NN_SGD,
    MYCEL_NN_MOMENTUM, /* v = momentum v + g; w -= rate v */
    MYCEL_NN_NESTEROV, /* v = momentum v + g; w -= rate (g + momentum v) */
    MYCEL_NN_ADAMW     /* Loshchilov and Hutter 2019: decay apart from the moments */
};

enum mycel_nn_schedule {
    MYCEL_NN_CONSTANT,
    MYCEL_NN_STEP,   /* rate x schedule_factor every schedule_steps */
    MYCEL_NN_LINEAR, /* from rate down to rate x schedule_factor at schedule_steps */
    MYCEL_NN_COSINE  /* the same ends, half a cosine between them */
};

enum mycel_nn_input { MYCEL_NN_F32, MYCEL_NN_U8, MYCEL_NN_I8 };

/* Which layers keep their weights as 8-bit integers (one scale for each output), a quarter of the
 * memory. They can't be trained. */
enum mycel_nn_int8 {
    MYCEL_NN_INT8_NONE,
    MYCEL_NN_INT8_FROZEN, /* dense and convolution layers that are frozen */
    MYCEL_NN_INT8_ALL     /* all of them; with MYCEL_NN_INFER only */
};

/* Machine code for the inner loops. SCALAR gives the same bits on every machine, microcontrollers
 * included; every other set gives the same bits each time it runs. */
enum mycel_nn_kernels {
    MYCEL_NN_KERNELS_AUTO, /* the fastest that this machine has */
    MYCEL_NN_KERNELS_SCALAR,
    MYCEL_NN_KERNELS_SSE2, /* baseline x86-64 */
    MYCEL_NN_KERNELS_AVX2, /* with FMA */
    MYCEL_NN_KERNELS_AVX512,
    MYCEL_NN_KERNELS_NEON /* aarch64 */
};

/* Every field may be left 0 for its default. Fields after `kernels` matter for training only. */
struct mycel_nn_config {
    uint8_t use;          /* enum mycel_nn_use */
    uint8_t input;        /* enum mycel_nn_input: how samples are given */
    uint8_t int8;         /* enum mycel_nn_int8 */
    uint8_t kernels;      /* enum mycel_nn_kernels */
    bool stage;           /* arena room for a batch of inputs, for data that is not in memory */
    bool widen;           /* raw samples become floats once a step, in the arena, and not each time
                             that a kernel needs them: faster, for hosts (UNSUPPORTED elsewhere) */
    bool shuffle;         /* a new order each epoch, from the seed; else 0, 1, 2, … */
    bool scaffold;        /* add MYCEL_NN_CORRECTION to every gradient (Karimireddy et al. 2020) */
    uint8_t optimizer;    /* enum mycel_nn_optimizer */
    uint8_t schedule;     /* enum mycel_nn_schedule, counted in steps from mycel_nn_start */
    uint32_t batch;       /* samples a step, 1 … MYCEL_NN_BATCH_MAX; default 1 */
    uint32_t micro_batch; /* samples in memory at once, at most batch; default: batch. The result
                             differs from a whole batch's by rounding only */
    float input_scale;    /* value = raw x scale + shift; default 1 */
    float input_shift;    /* default 0 */
    const float *feature_scale; /* one a feature, instead of input_scale; caller's, outlives nn */
    const float *feature_shift; /* one a feature, instead of input_shift; caller's, outlives nn */
    float learning_rate;        /* default 0.01 */
    float momentum;             /* MOMENTUM, NESTEROV; default 0.9. ADAMW's beta1; default 0.9 */
    float beta2;                /* ADAMW; default 0.999 */
    float epsilon;              /* ADAMW; default 1e-8 */
    float weight_decay;         /* default 0; on weights and biases alike, as PyTorch does */
    float clip_norm;       /* 0: no clipping; else the gradient's largest L2 norm, over all layers.
                              Takes a gradient buffer */
    float prox;            /* FedProx: gradient += prox x (w - base), Li et al. 2020; default 0.
                              Takes a copy of the base, written as MYCEL_NN_BASE */
    float schedule_factor; /* default 0.1 for STEP, 0 otherwise */
    uint32_t schedule_steps; /* must be given for any schedule but CONSTANT */
    uint32_t warmup_steps;   /* the rate climbs linearly over these first; default 0 */
};

/* Bytes of the arena, class by class. */
struct mycel_nn_bytes {
    uint32_t context;     /* the context itself, batch pointers and labels */
    uint32_t params;      /* weights as the kernels want them; with FedProx the base, with SCAFFOLD
                             the correction */
    uint32_t optimizer;   /* velocities or moments of the layers that train */
    uint32_t gradients;   /* only where something has to wait for a whole gradient */
    uint32_t activations; /* values between layers, their gradients in the same place, and working
                             space; planned by when each is alive */
    uint32_t stage;       /* with config.stage; with config.widen the floats */
};

/* One layer of the plan: what `mycel model plan` prints. Offsets are from the arena's start. */
struct mycel_nn_layer_plan {
    uint32_t macs;             /* of one sample's forward pass; UINT32_MAX when more */
    uint32_t params_bytes;     /* in the arena, padding included */
    uint32_t activation_bytes; /* of one micro-batch; 0 when it lives in its input's place */
    uint32_t scratch_bytes;    /* the most that the layer needs besides, for its own work */
    bool trains;               /* its parameters change */
    bool passes;               /* a gradient goes through it to a layer below */
    bool int8;
    bool in_place;  /* the output replaces the input */
    uint32_t rows;  /* internal: rows of the weight matrix, without its bias row */
    uint32_t lanes; /* internal: output channels, rounded up to a multiple of 4 */
    uint32_t params_offset;
    uint32_t state_offset;    /* internal: the layer's place among trained parameters, in bytes */
    uint32_t gradient_offset; /* UINT32_MAX: none */
    uint32_t out_offset;
    uint32_t scratch_offset[4];
};

/* The result of planning: everything that is known before anything runs. It may be static const
 * data, as `mycel model plan --c` writes it for a build with the same options (nn_build.h). */
struct mycel_nn_plan {
    uint32_t arena_bytes; /* what mycel_nn_init needs, at an address aligned to MYCEL_NN_ALIGN */
    struct mycel_nn_bytes bytes;
    uint32_t micro_batch;
    uint16_t first_trained; /* the lowest layer that trains; layer_count when none does */
    uint32_t trained_bytes; /* internal: bytes of parameters that change, padded */
    uint32_t params_offset; /* internal: start of each region */
    uint32_t optimizer_offset;
    uint32_t base_offset;
    uint32_t correction_offset;
    uint32_t gradients_offset;
    uint32_t gradients_bytes;
    uint32_t activations_offset;
    uint32_t batch_offset;
    uint32_t stage_offset;
    uint32_t input_offset; /* UINT32_MAX: the first layer reads the caller's samples itself */
    const struct mycel_model *model;
    struct mycel_nn_config config; /* defaults filled in, kernels resolved when init runs */
    struct mycel_nn_layer_plan layer[MYCEL_MODEL_LAYERS_MAX];
};

/* A trainer in its arena. */
struct mycel_nn;

/* One sample, as a fetch callback gives it. Both pointers stay valid until the call that fetched
 * returns. */
struct mycel_nn_sample {
    const void *input;   /* model inputs of config.input, channels last; floats 4-aligned */
    uint32_t label;      /* crossentropy: the class; bce with one output: 0 or 1 */
    const float *target; /* bce, mse, huber: one value an output; NULL: the label (bce), or the
                            input itself (an autoencoder) */
};

/* Gives sample `index`. stage: room for one input when config.stage is set, else NULL; a fetch that
 * reads from a file or flash puts the input there and points at it. Returns 0, or < 0 to stop. */
typedef int (*mycel_nn_fetch)(void *ctx, uint32_t index, void *stage,
                              struct mycel_nn_sample *sample);

/* Samples: through a callback, or straight from arrays when fetch is NULL. */
struct mycel_nn_data {
    uint32_t count;
    mycel_nn_fetch fetch;
    void *ctx;
    const void *inputs;    /* count samples one after the other */
    const uint8_t *labels; /* NULL: none */
    const float *targets;  /* count x outputs, NULL: none */
};

/* How far one call of mycel_nn_train may go. It always does at least one step. */
struct mycel_nn_budget {
    uint32_t epochs;      /* passes over the data since mycel_nn_start at which training is done */
    uint32_t steps_max;   /* of this call; 0: no limit */
    uint32_t time_max_ms; /* of this call, looked at after each step; 0: no limit */
    uint32_t (*now_ms)(void *ctx); /* monotonic, may wrap; needed with time_max_ms */
    void *ctx;                     /* for now_ms */
};

struct mycel_nn_status {
    uint32_t steps;      /* since mycel_nn_start */
    uint32_t epochs;     /* whole passes since then */
    uint32_t samples;    /* seen since then, wraps */
    float loss;          /* mean over the last step's batch, before its update */
    float epoch_loss;    /* mean over the samples of the last whole epoch; 0 before its end */
    float learning_rate; /* of the next step */
    float gradient_norm; /* of the last step before clipping; 0 without clip_norm */
    const char *kernels; /* "scalar", "sse2", "avx2", "avx512" or "neon" */
};

struct mycel_nn_score {
    uint32_t count; /* samples looked at */
    uint32_t
        correct; /* by largest output, or by output > 0.5 when there is one; 0 for mse, huber */
    float loss;  /* mean, without dropout */
};

/* Parameter-shaped arrays of a context. */
enum mycel_nn_array {
    MYCEL_NN_PARAMS,
    MYCEL_NN_BASE,       /* with prox: what the gradient pulls towards */
    MYCEL_NN_CORRECTION, /* with scaffold: c - c_i */
    MYCEL_NN_GRADIENT    /* with clip_norm or micro-batches: that of the last step; read only */
};

/* The parameters that a delta is taken against: an array, or a reader for where no second model
 * fits into memory. */
struct mycel_nn_base {
    const float *params; /* canonical, all of them; or NULL */
    int (*read)(void *ctx, uint32_t offset, uint32_t count, float *params); /* 0, or < 0 to stop */
    void *ctx;
};

/* Where a checkpoint goes or comes from, in order and piece by piece. Returns 0, or < 0 to stop. */
typedef int (*mycel_nn_sink)(void *ctx, const void *bytes, size_t count);
typedef int (*mycel_nn_source)(void *ctx, void *bytes, size_t count);

/* Plans: fills plan (caller's, about 4 KB; outlives contexts made from it, as the model must).
 * Doesn't block and touches no arena.
 * Returns 0; MYCEL_E_INVALID (a config field out of its limits), MYCEL_E_UNSUPPORTED (the
 * combination), MYCEL_E_TOO_LARGE (more than 4 GB). */
int mycel_nn_plan(struct mycel_nn_plan *plan, const struct mycel_model *model,
                  const struct mycel_nn_config *config);

/* Makes a context in the arena (caller's, arena_bytes long, at any address; belongs to nn until
 * the caller reuses it: there is nothing to release). Parameters are all 0 until written.
 * Returns 0; MYCEL_E_NO_MEMORY (arena_bytes below plan->arena_bytes plus what alignment takes);
 * MYCEL_E_UNSUPPORTED (this machine lacks the kernels asked for). */
int mycel_nn_init(struct mycel_nn **nn, const struct mycel_nn_plan *plan, void *arena,
                  size_t arena_bytes);

/* Starts a training run: forgets optimizer state, steps and losses, keeps parameters. seed decides
 * order and dropout. learning_rate: 0 keeps the plan's. Call it before the first step. */
void mycel_nn_start(struct mycel_nn *nn, uint64_t seed, float learning_rate);

/* Writes values offset … offset + count - 1 of an array, canonical order, from count x 4 bytes of
 * little-endian binary32 at any address. Any order and any chunks, except that a layer kept as
 * int8 takes its weights in ascending order, each output's beginning to end. A NaN or infinity is
 * written as it is: the caller checks what comes from a peer.
 * Returns 0; MYCEL_E_INVALID (beyond the last parameter); MYCEL_E_NOT_FOUND (no such array in this
 * plan); MYCEL_E_STATE (int8 weights out of order). */
int mycel_nn_write(struct mycel_nn *nn, enum mycel_nn_array array, uint32_t offset, uint32_t count,
                   const void *bytes);

/* Reads values of an array into count x 4 bytes, same format. int8 weights come back rounded.
 * Returns 0; MYCEL_E_INVALID; MYCEL_E_NOT_FOUND. */
int mycel_nn_read(const struct mycel_nn *nn, enum mycel_nn_array array, uint32_t offset,
                  uint32_t count, void *bytes);

/* delta[i] = parameter[offset + i] - base[offset + i], canonical order; what an update encodes.
 * base NULL: the plan's MYCEL_NN_BASE. Exactly 0 for frozen layers.
 * Returns 0; MYCEL_E_INVALID; MYCEL_E_NOT_FOUND (base NULL without prox); what base->read gave. */
int mycel_nn_delta(const struct mycel_nn *nn, const struct mycel_nn_base *base, uint32_t offset,
                   uint32_t count, float *delta);

/* Trains until budget->epochs passes are done (0) or the call's share is used up
 * (MYCEL_NN_MORE: call again with the same data to go on; the outcome does not depend on how often
 * it was interrupted). The last batch of a pass may be smaller; each step uses the mean over its
 * samples. Blocks for one step at least.
 * Returns 0; MYCEL_NN_MORE; MYCEL_E_INVALID (no data, a label beyond the outputs, a target
 * missing); MYCEL_E_NONFINITE (the loss left the finite numbers: parameters are as that step left
 * them); MYCEL_E_STATE (planned for inference); what fetch gave. */
int mycel_nn_train(struct mycel_nn *nn, const struct mycel_nn_data *data,
                   const struct mycel_nn_budget *budget);

/* Outputs of samples first … first + count - 1: out gets count x outputs floats, probabilities
 * where the model ends in softmax or sigmoid. Labels and targets are not looked at.
 * Training goes on unaffected.
 * Returns 0; MYCEL_E_INVALID; what fetch gave. */
int mycel_nn_predict(struct mycel_nn *nn, const struct mycel_nn_data *data, uint32_t first,
                     uint32_t count, float *out);

/* Scores samples first … first + count - 1. Same errors. */
int mycel_nn_evaluate(struct mycel_nn *nn, const struct mycel_nn_data *data, uint32_t first,
                      uint32_t count, struct mycel_nn_score *score);

/* Where training stands. */
void mycel_nn_status(const struct mycel_nn *nn, struct mycel_nn_status *status);

/* Writes a checkpoint: parameters, optimizer state, counters and seed; version and CRC-32 with it.
 * Going on from it gives the same bits as never having stopped. The bytes are little endian and
 * the same on every machine. Returns 0, or what the sink gave. */
int mycel_nn_save(const struct mycel_nn *nn, mycel_nn_sink sink, void *ctx);

/* Reads a checkpoint into a context of the same model and optimizer.
 * Returns 0; MYCEL_E_VERSION, MYCEL_E_SHAPE (another model or optimizer), MYCEL_E_CORRUPT (the
 * context then has to be started and written again); what the source gave. */
int mycel_nn_restore(struct mycel_nn *nn, mycel_nn_source source, void *ctx);

#ifdef __cplusplus
}
#endif

#endif
