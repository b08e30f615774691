/* What a set is made of, for the files of this folder. */
#ifndef MYCEL_SERVER_EVAL_EVAL_SET_H
#define MYCEL_SERVER_EVAL_EVAL_SET_H

#include "data/dataset.h"
#include "server/eval/eval.h"

struct eval_set {
    struct dataset data;
    uint8_t *labels; /* as the trainer takes them: a byte each, NULL for targets or many classes */
    float *targets;  /* for regression; from the labels where the set has no targets */
};

#endif
