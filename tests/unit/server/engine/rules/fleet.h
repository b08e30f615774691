/*
 * Test helper: a fleet of devices with random deltas, encoded as frames, and one call that runs a
 * strategy over them in any order and any split. Asserts on every error it does not expect.
 */
#ifndef MYCEL_TESTS_RULES_FLEET_H
#define MYCEL_TESTS_RULES_FLEET_H

#include "server/engine/rules/rules.h"

#define FLEET_MAX 128u

struct fleet {
    uint32_t params, devices;
    float *base;
    float *deltas[FLEET_MAX]; /* as the coordinator decodes them */
    uint8_t *bytes[FLEET_MAX];
    struct codec_frame frames[FLEET_MAX];
    struct rule_update updates[FLEET_MAX];
};

/* Devices with deltas of a common direction plus noise, weights 1 … 600, steps 1 … 40. */
void fleet_open(struct fleet *fleet, uint32_t devices, uint32_t params, enum codec_id codec,
                uint32_t seed);
void fleet_close(struct fleet *fleet);

/* Replaces a device's delta: encodes it again. */
void fleet_set(struct fleet *fleet, uint32_t device, const float *delta, enum codec_id codec);

/* A parsed strategy; the text must be valid. */
struct rule_strategy fleet_strategy(const char *text);

/* The setup that fleet_run uses, without state and work. */
struct rule_setup fleet_setup(const struct fleet *fleet, const struct rule_strategy *strategy);

/* Runs one round: devices in the given order (NULL: ascending), dealt in turn to `contexts` contexts that
 * are merged. `state` and `next` are the caller's. */
struct rule_result fleet_run(const struct fleet *fleet, const struct rule_setup *setup,
                             const uint32_t *order, uint32_t contexts, float *state, float *next);

/* Fills with a normal distribution, mean 0 and deviation 1. */
void fleet_normal(float *values, uint32_t count, uint32_t seed, uint32_t stream);

double fleet_distance(const float *a, const float *b, uint32_t count);
double fleet_norm(const float *a, uint32_t count);

#endif
