/*
 * FedNova: devices that took more local steps do not pull harder. a_i is the length of device i's path in
 * units of one gradient step; sum n_i a_i is kept exactly, as two halves of a wide integer.
 */
#include <math.h>

#include "server/engine/rules/rule_internal.h"

enum { LR, MOMENTUM };

#define PATH_BITS 10 /* fraction of a_i in the exact sum */

/* a_i = K_i, or with momentum r: (K_i - r (1 - r^K_i) / (1 - r)) / (1 - r). */
static double path_length(const struct rule_round *round, uint32_t steps)
{
    double r = (double)rule_value(round, MOMENTUM), k = (double)steps;
    return r > 0 ? (k - r * (1.0 - pow(r, k)) / (1.0 - r)) / (1.0 - r) : k;
}

static int terms(const struct rule_round *round, const struct rule_update *update, float gain,
                 struct rule_terms *terms)
{
    double path = path_length(round, update->steps);
    /* Weight < 2^30 and path · 2^10 < 2^34: steps are bounded and 1 / (1 − r) is at most 10. */
    uint64_t product = (uint64_t)update->weight * (uint64_t)rint(ldexp(path, PATH_BITS));
    terms->scalar[0] = (int64_t)(product & 0xffffffffu);
    terms->scalar[1] = (int64_t)(product >> 32);
    terms->sum[0].weight = update->weight;
    terms->sum[0].gain = (float)((double)gain / path);
    return 0;
}

/* (sum p_i a_i) sum p_i D_i / a_i */
static double factor(const struct rule_round *round)
{
    double paths = ldexp((double)round->scalar[1], 32) + (double)round->scalar[0];
    double weight = (double)round->weight;
    return ldexp(paths, -PATH_BITS) / (weight * weight);
}

static const struct rule_ops ops = {.sums = 1, .terms = terms, .factor = factor};

const struct rule rule_fednova = {
    .name = "fednova",
    .title = "FedAvg, normalised by the number of local steps",
    .equation = "w += lr (sum p_i a_i) sum p_i D_i / a_i",
    .source = "Wang et al., NeurIPS 2020",
    .kind = RULE_STREAMING,
    .param_count = 2,
    .params = {{"lr", "server learning rate", 1.0f, 1e-6f, 10.0f},
               {"momentum", "the devices' momentum, as in their plan", 0.0f, 0.0f, 0.9f}},
    .ops = &ops,
};
