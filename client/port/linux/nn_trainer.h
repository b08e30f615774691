/*
 * The client's trainer over <mycel/nn.h> and a data set in memory. It owns the arena of the training
 * under way; the data set is its caller's. It must never keep anything of a training after release.
 */
#ifndef MYCEL_CLIENT_PORT_LINUX_NN_TRAINER_H
#define MYCEL_CLIENT_PORT_LINUX_NN_TRAINER_H

#include "data/dataset.h"

#include <mycel/nn.h>
#include <mycel/port.h>

#define NN_TRAINER_ARENA_BYTES_MAX (UINT32_C(1) << 30)

struct nn_trainer {
    const struct dataset *data;
    const uint32_t *indices; /* of the part; NULL: all samples */
    uint32_t count;          /* samples trained on */
    struct mycel_model model;
    struct mycel_nn_plan plan;
    struct mycel_nn *nn; /* NULL: nothing is prepared */
    void *arena;
    struct mycel_train_result result;
    uint64_t seed;
    uint32_t epochs;
    uint32_t steps_max;
    uint32_t steps_per_epoch;
    uint32_t epochs_seen;
    float target; /* of the sample being looked at, where a label serves as one */
    bool started;
    bool in_order; /* samples as they stand in the data set; set after init, before use */
};

extern const struct mycel_trainer nn_trainer_table;

/* data must outlive the trainer. */
void nn_trainer_init(struct nn_trainer *trainer, const struct dataset *data);

/* The same for the samples indices[0 … count - 1] of the set, in that order; kept by pointer. */
void nn_trainer_init_part(struct nn_trainer *trainer, const struct dataset *data,
                          const uint32_t *indices, uint32_t count);

#endif
