/*
 * The coordinator's own training, for rules that compare devices with a reference (FLTrust: Cao et al., NDSS
 * 2021): on a few clean samples, from a version's parameters, the way a device of the run trains.
 */
#ifndef MYCEL_SERVER_EVAL_TRAIN_H
#define MYCEL_SERVER_EVAL_TRAIN_H

#include "server/eval/eval.h"

/* As the run's lease has it (proto/mycel.proto, Lease). */
struct eval_plan {
    uint64_t seed; /* of the choice of samples, and with `order` of their order in each epoch */
    uint64_t order;
    uint32_t samples;   /* at most so many, drawn from the set without replacement; 0: all */
    uint32_t epochs;    /* at least 1 */
    uint32_t batch;     /* at least 1 */
    uint32_t steps_max; /* 0: no limit */
    float learning_rate;
    float momentum; /* 0: plain SGD */
    float prox_mu;  /* 0: off */
};

/*
 * Writes into `delta` what training moves the `count` parameters `base` (canonical order) by. The same
 * arguments give the same bits on every machine: the trainer's scalar kernels are used. Blocks for the
 * arithmetic; any number of threads may train on one set. MALFORMED (the description), SHAPE (model, set and
 * `count` do not fit), NO_MEMORY, NONFINITE (training diverged), UNSUPPORTED (the plan).
 */
int eval_train_delta(const struct eval_set *set, const char *model, const struct eval_plan *plan,
                     const float *base, uint32_t count, float *delta);

#endif
