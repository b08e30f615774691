/*
 * Krum and Multi-Krum: an update is scored by its distances to its n − f − 2 nearest neighbours; the best
 * one, or the mean of the best m, is the aggregate. Distances come from inner products.
 */
#include <math.h>

#include "server/engine/rules/rule_internal.h"

enum { LR, FRACTION, KEPT };

/* f = ⌈share × n⌉, but no more than n ≥ 2f + 3 allows. */
static uint32_t attackers(const struct rule_round *round)
{
    uint32_t n = round->updates;
    uint32_t most = n >= 3u ? (n - 3u) / 2u : 0;
    uint32_t f = (uint32_t)ceilf(rule_value(round, FRACTION) * (float)n);
    return f < most ? f : most;
}

static double squared_distance(const struct rule_round *round, uint32_t i, uint32_t j)
{
    const double *g = round->matrix;
    size_t n = round->updates;
    double square = g[i * n + i] + g[j * n + j] - 2.0 * g[i * n + j];
    return square > 0 ? square : 0;
}

/* Sum of the `nearest` smallest squared distances from update i: insertion into a sorted list. */
static double score(const struct rule_round *round, uint32_t i, uint32_t nearest)
{
    double list[RULE_GATHER_MAX], sum = 0;
    uint32_t length = 0;
    for (uint32_t j = 0; j < round->updates; j++) {
        if (j == i) {
            continue;
        }
        double distance = squared_distance(round, i, j);
        uint32_t at = length < nearest ? length++ : nearest;
        for (; at > 0 && list[at - 1u] > distance; at--) {
            if (at < nearest) {
                list[at] = list[at - 1u];
            }
        }
        if (at < nearest) {
            list[at] = distance;
        }
    }
    for (uint32_t k = 0; k < length; k++) {
        sum += list[k];
    }
    return sum;
}

/* Gives equal shares to the `kept` updates with the lowest scores; among equals, the first device. */
static void keep_best(struct rule_round *round, uint32_t kept)
{
    uint32_t n = round->updates;
    uint32_t nearest = n - attackers(round) > 2u ? n - attackers(round) - 2u : 1u;
    double scores[RULE_GATHER_MAX];
    for (uint32_t i = 0; i < n; i++) {
        scores[i] = score(round, i, nearest);
        round->entries[i].share = 0;
    }
    for (uint32_t k = 0; k < kept; k++) {
        uint32_t best = n;
        for (uint32_t i = 0; i < n; i++) {
            if (round->entries[i].share == 0 && (best == n || scores[i] < scores[best])) {
                best = i;
            }
        }
        round->entries[best].share = 1.0 / (double)kept;
    }
}

static void krum_prepare(struct rule_round *round)
{
    rule_gram(round);
    keep_best(round, 1);
}

static void multikrum_prepare(struct rule_round *round)
{
    uint32_t n = round->updates;
    uint32_t kept = (uint32_t)rule_value(round, KEPT);
    rule_gram(round);
    if (kept == 0 || kept > n) {
        kept = n - attackers(round);
    }
    keep_best(round, kept);
}

static const struct rule_ops krum_ops = {
    .prepare = krum_prepare, .reduce = rule_reduce_shares, .needs_matrix = 1};
static const struct rule_ops multikrum_ops = {
    .prepare = multikrum_prepare, .reduce = rule_reduce_shares, .needs_matrix = 1};

const struct rule rule_krum = {
    .name = "krum",
    .title = "the one update closest to its neighbours",
    .equation = "w += lr D_k, k = argmin of the sum of the n-f-2 smallest |D_i - D_j|^2",
    .source = "Blanchard et al., NeurIPS 2017",
    .kind = RULE_GATHERING,
    .param_count = 2,
    .params = {{"lr", "server learning rate", 1.0f, 1e-6f, 10.0f},
               {"f", "share of attackers to expect", 0.2f, 0.0f, 0.5f}},
    .ops = &krum_ops,
};

const struct rule rule_multikrum = {
    .name = "multikrum",
    .title = "mean of the updates closest to their neighbours",
    .equation = "w += lr mean of the m D_i with the smallest Krum scores; m = 0: n - f",
    .source = "Blanchard et al., NeurIPS 2017",
    .kind = RULE_GATHERING,
    .param_count = 3,
    .params = {{"lr", "server learning rate", 1.0f, 1e-6f, 10.0f},
               {"f", "share of attackers to expect", 0.2f, 0.0f, 0.5f},
               {"m", "updates to average, 0: n - f", 0.0f, 0.0f, 1024.0f}},
    .ops = &multikrum_ops,
};
