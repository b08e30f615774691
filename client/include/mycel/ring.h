/*
 * A ring of labelled samples that a device collects about itself, for <mycel/nn.h> to train on: in
 * memory, or in flash or a file behind two callbacks. When it is full, a new sample takes the place
 * of the oldest one of the most numerous class, so that rare classes stay. A guess of the model can
 * be kept unlabelled until a person says whether it was right.
 *
 *     mycel_ring_open(&ring, &config);
 *     int ticket = mycel_ring_add(&ring, pixels, MYCEL_RING_UNKNOWN, guess);
 *     mycel_ring_feedback(&ring, ticket, MYCEL_RING_WRONG, 3);   // "no, it was a 3"
 *     mycel_ring_data(&ring, &data);
 *     mycel_nn_train(nn, &data, &budget);
 *
 * The context that trains needs config.stage when the ring lies behind callbacks.
 */
#ifndef MYCEL_RING_H
#define MYCEL_RING_H

#include <stdint.h>

#include "mycel/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MYCEL_RING_SLOTS_MAX 4096
#define MYCEL_RING_UNKNOWN UINT16_MAX /* in place of a label, or of a guess */
#define MYCEL_RING_RECORD_BYTES 16    /* of a slot in storage, before its input */

enum mycel_ring_verdict {
    MYCEL_RING_RIGHT, /* the guess becomes the label */
    MYCEL_RING_WRONG  /* the label is the one given; MYCEL_RING_UNKNOWN: the sample is dropped */
};

/* What the ring remembers of a slot while it is open. */
struct mycel_ring_slot {
    uint32_t sequence; /* 0: empty; older samples have lower numbers */
    uint16_t label;
    uint16_t guess;
};

/* Storage at offsets 0 … slots x mycel_ring_stride() - 1. Each returns 0, or < 0. A record is
 * written with its input first and its header last, so an interrupted write leaves an empty slot.
 * Flash that has to be erased before it is written does so behind `write`. */
struct mycel_ring_store {
    int (*read)(void *ctx, uint32_t offset, void *bytes, uint32_t count);
    int (*write)(void *ctx, uint32_t offset, const void *bytes, uint32_t count);
    void *ctx;
};

struct mycel_ring_config {
    uint32_t slots;               /* 1 … MYCEL_RING_SLOTS_MAX */
    uint32_t pending_max;         /* of them unlabelled; default an eighth, at least 1 */
    uint32_t input_bytes;         /* of one sample, at least 1 */
    uint16_t classes;             /* labels are below it; at least 1 */
    struct mycel_ring_slot *slot; /* `slots` of them; caller's, outlives the ring */
    void *memory; /* slots x mycel_ring_stride() bytes, 4-aligned; or NULL with … */
    const struct mycel_ring_store *store; /* … storage behind callbacks; outlives the ring */
};

/* An open ring; its fields are its own. */
struct mycel_ring {
    struct mycel_ring_config config;
    uint32_t sequence; /* of the newest sample */
};

/* Bytes of storage a slot takes. */
uint32_t mycel_ring_stride(uint32_t input_bytes);

/* Opens a ring and finds what its storage holds already: samples whose checksum is right and whose
 * label is below config->classes. New memory must be zeroed. Blocks as the store does.
 * Returns the number of samples found; MYCEL_E_INVALID; what the store gave. */
int mycel_ring_open(struct mycel_ring *ring, const struct mycel_ring_config *config);

/* Adds a sample. label: below classes, or MYCEL_RING_UNKNOWN with a guess that feedback may follow.
 * Returns a ticket > 0 for feedback; MYCEL_E_INVALID; what the store gave. */
int mycel_ring_add(struct mycel_ring *ring, const void *input, uint16_t label, uint16_t guess);

/* A person's word on a sample that was added, labelled or not.
 * Returns 0; MYCEL_E_NOT_FOUND (it made room for another meanwhile); MYCEL_E_INVALID; what the
 * store gave. */
int mycel_ring_feedback(struct mycel_ring *ring, int ticket, enum mycel_ring_verdict verdict,
                        uint16_t label);

/* Labelled samples of one class, or of all with MYCEL_RING_UNKNOWN. */
uint32_t mycel_ring_count(const struct mycel_ring *ring, uint16_t label);

/* Data for mycel_nn_train: the labelled samples. Valid until the next add or feedback. */
void mycel_ring_data(struct mycel_ring *ring, struct mycel_nn_data *data);

/* Scale and shift for each feature (config.feature_scale and _shift of the context) such that over
 * the labelled samples each has mean 0 and variance 1; a feature that never changes gets scale 1.
 * input: enum mycel_nn_input. stage: room for one input, NULL when the ring lies in memory.
 * Returns 0; MYCEL_E_STATE without labelled samples; what the store gave. */
int mycel_ring_scaling(struct mycel_ring *ring, uint8_t input, void *stage, float *scale,
                       float *shift);

#ifdef __cplusplus
}
#endif

#endif
