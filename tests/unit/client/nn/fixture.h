/*
 * What the trainer's tests share: a context with everything around it, seeded samples, and helpers
 * that fail the test instead of returning errors.
 */
#ifndef MYCEL_TESTS_NN_FIXTURE_H
#define MYCEL_TESTS_NN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <mycel/error.h>
#include <mycel/nn.h>

struct fixture {
    struct mycel_model model;
    struct mycel_nn_plan plan;
    struct mycel_nn *nn;
    void *arena; /* with canaries before and after */
    float *params;
    uint32_t count; /* of parameters */
};

/* Parses, plans and makes a context whose parameters come from `seed`. */
void fixture_open(struct fixture *f, const char *description, const struct mycel_nn_config *config,
                  uint64_t seed);
/* Checks the canaries and releases. */
void fixture_close(struct fixture *f);
void fixture_write(struct fixture *f, const float *params);
void fixture_read(struct fixture *f, enum mycel_nn_array array, float *values);
/* One step from f->params; returns its loss. */
float fixture_step(struct fixture *f, const struct mycel_nn_data *data, uint64_t seed);

/* Seeded samples for a model: inputs in -1 … 1, labels below the outputs, targets in 0 … 1. */
struct samples {
    float *inputs;
    uint8_t *labels;
    float *targets;
    struct mycel_nn_data data;
};

void samples_open(struct samples *s, const struct mycel_model *model, uint32_t count,
                  uint64_t seed);
void samples_close(struct samples *s);

/* The largest |a - b| / max(1, |a|). */
float largest_difference(const float *a, const float *b, uint32_t count);
uint64_t hash_of(const void *bytes, size_t count);

#endif
