/*
 * Scores a model on a held-out set with the trainer's own forward pass. Owns the set; a set is
 * read-only once opened, so any number of threads may score at once.
 */
#ifndef MYCEL_SERVER_EVAL_EVAL_H
#define MYCEL_SERVER_EVAL_EVAL_H

#include <stddef.h>
#include <stdint.h>

struct eval_set;

#define EVAL_PROBLEM_BYTES 256

struct eval_score {
    float accuracy; /* share of samples whose largest output is the label, 0…1; 0 for regression */
    float loss;     /* mean over the samples */
    uint32_t samples;
};

/* Reads the set (data/dataset.h: IDX images and labels, or a CSV with `labels` NULL). Bytes are scaled
 * to 0…1. Blocks. Errors as dataset_read; `problem` (EVAL_PROBLEM_BYTES) says which in words. */
int eval_open(const char *inputs, const char *labels, struct eval_set **out, char *problem);

/* Makes a set of samples that are in memory already; takes them over, also when it fails. UNSUPPORTED (more
 * classes than a label byte holds), NO_MEMORY. */
struct dataset;
int eval_adopt(struct dataset *data, struct eval_set **out);

void eval_close(struct eval_set *set);

/* Scores `params` (canonical order) of the described model. Blocks for the arithmetic. MALFORMED (the
 * description), SHAPE (it fits neither the set nor `count`), NO_MEMORY, NONFINITE (the loss is no
 * number). */
int eval_model(const struct eval_set *set, const char *model, const float *params, uint32_t count,
               struct eval_score *score);

/* Accuracy of each class: share[c] for classes 0 … the set's last; NaN for one without samples. Returns how
 * many classes. Errors as eval_model, UNSUPPORTED: the set has no classes, or more than `capacity`. */
int eval_classes(const struct eval_set *set, const char *model, const float *params, uint32_t count,
                 float *share, uint32_t capacity);

/* One prediction: the class probabilities of sample `index` of the set into `out` (model outputs, at
 * most `capacity`). Returns how many. Errors as above, INVALID: no such sample. */
int eval_predict(const struct eval_set *set, const char *model, const float *params, uint32_t count,
                 uint32_t index, float *out, size_t capacity);

#endif
