/*
 * RFA: the geometric median by smoothed Weiszfeld iterations. The estimate z is always a combination of
 * the updates, so its distances follow from the inner products and the updates are read only twice.
 */
#include <math.h>

#include "server/engine/rules/rule_internal.h"

enum { LR, ITERATIONS, NU };

/* With z = sum share_j D_j: |z - D_i|^2 = s'Gs - 2 (Gs)_i + G_ii. */
static void reweight(struct rule_round *round)
{
    uint32_t n = round->updates;
    double along[RULE_GATHER_MAX], square = 0, total = 0;
    for (uint32_t i = 0; i < n; i++) {
        along[i] = 0;
        for (uint32_t j = 0; j < n; j++) {
            along[i] += round->matrix[(size_t)i * n + j] * round->entries[j].share;
        }
        square += along[i] * round->entries[i].share;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct rule_entry *entry = &round->entries[i];
        double distance = square - 2.0 * along[i] + round->matrix[(size_t)i * n + i];
        distance = distance > 0 ? sqrt(distance) : 0;
        entry->share = (double)entry->weight / fmax((double)rule_value(round, NU), distance);
        total += entry->share;
    }
    for (uint32_t i = 0; i < n; i++) {
        round->entries[i].share /= total;
    }
}

static void prepare(struct rule_round *round)
{
    uint32_t iterations = (uint32_t)rule_value(round, ITERATIONS);
    rule_gram(round);
    for (uint32_t i = 0; i < round->updates; i++) {
        round->entries[i].share = (double)round->entries[i].weight / (double)round->weight;
    }
    for (uint32_t i = 0; i < iterations; i++) {
        reweight(round);
    }
}

static const struct rule_ops ops = {
    .prepare = prepare, .reduce = rule_reduce_shares, .needs_matrix = 1};

const struct rule rule_rfa = {
    .name = "rfa",
    .title = "geometric median of the updates",
    .equation = "b_i = p_i / max(nu, |z - D_i|); z = sum b_i D_i / sum b_i; w += lr z",
    .source = "Pillutla, Kakade, Harchaoui, IEEE TSP 2022",
    .kind = RULE_GATHERING,
    .param_count = 3,
    .params = {{"lr", "server learning rate", 1.0f, 1e-6f, 10.0f},
               {"iterations", "of Weiszfeld's algorithm", 4.0f, 1.0f, 64.0f},
               {"nu", "smallest distance that is told apart", 1e-6f, 1e-12f, 1.0f}},
    .ops = &ops,
};
