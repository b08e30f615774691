/*
 * The end of a round: tile by tile, the aggregate of all updates and the step that the rule makes of it.
 */
#include <math.h>
#include <mycel/error.h>
#include <string.h>

#include "server/engine/rules/rule_internal.h"

/* By device: the order of arrival must not be seen. Few entries, often sorted already. */
static void entries_sort(struct rule_round *round)
{
    for (uint32_t i = 1; i < round->updates; i++) {
        struct rule_entry entry = round->entries[i];
        uint32_t j = i;
        for (; j > 0 && round->entries[j - 1u].device > entry.device; j--) {
            round->entries[j] = round->entries[j - 1u];
        }
        round->entries[j] = entry;
    }
}

static void tile_reduce(struct rule_round *round, uint32_t first, uint32_t count, double factor)
{
    const struct rule *rule = round->setup.strategy->rule;
    if (rule->kind == RULE_GATHERING) {
        rule->ops->reduce(round, first, count, round->delta);
        return;
    }
    const int64_t *sum = round->sums + first;
    for (uint32_t i = 0; i < count; i++) {
        round->delta[i] = (float)((double)sum[i] * factor);
    }
}

static void tile_apply(struct rule_round *round, const struct rule_tile *tile)
{
    const struct rule_ops *ops = round->setup.strategy->rule->ops;
    if (ops->apply) {
        ops->apply(round, tile);
        return;
    }
    float rate = rule_value(round, 0); /* every rule's first parameter is lr */
    for (uint32_t i = 0; i < tile->count; i++) {
        tile->next[i] = tile->base[i] + rate * tile->delta[i];
    }
}

/* Σ (next − base)², or NaN/infinity if a parameter is not finite. `before` is the base. */
static double tile_step(const float *before, const float *next, uint32_t count)
{
    double square = 0;
    for (uint32_t i = 0; i < count; i++) {
        double step = (double)next[i] - (double)before[i];
        square += step * step;
    }
    return square;
}

static double sum_factor(const struct rule_round *round)
{
    const struct rule_ops *ops = round->setup.strategy->rule->ops;
    double factor = ops->factor ? ops->factor(round) : 1.0 / (double)round->weight;
    return factor * rule_sum_unit(round);
}

static double tiles_run(struct rule_round *round, const float *base, float *next)
{
    double factor = sum_factor(round), step = 0;
    for (uint32_t first = 0; first < round->setup.params; first += RULE_TILE) {
        float before[RULE_TILE]; /* base and next may be the same memory */
        uint32_t left = round->setup.params - first;
        uint32_t count = left < RULE_TILE ? left : RULE_TILE;
        memcpy(before, base + first, count * sizeof *before);
        tile_reduce(round, first, count, factor);
        tile_apply(round, &(struct rule_tile){.first = first,
                                              .count = count,
                                              .delta = round->delta,
                                              .base = before,
                                              .next = next + first});
        step += tile_step(before, next + first, count);
    }
    return step;
}

/* C := C exp(−rate (share below C − quantile)): Andrew et al., NeurIPS 2021, without the noise. */
static void clip_adapt(struct rule_round *round)
{
    const struct rule_strategy *strategy = round->setup.strategy;
    if (strategy->clip != RULE_CLIP_ADAPTIVE) {
        return;
    }
    float below = 1.0f - (float)round->clipped / (float)round->updates;
    float *clip = &round->setup.state[RULE_STATE_CLIP];
    *clip *= expf(-strategy->clip_rate * (below - strategy->clip_quantile));
    *clip = fminf(fmaxf(*clip, 1e-6f), 1e6f);
}

int rule_finish(struct rule_round *round, const float *base, float *next,
                struct rule_result *result)
{
    const struct rule *rule = round->setup.strategy->rule;
    if (round->updates == 0) {
        return MYCEL_E_STATE;
    }
    if (rule->kind == RULE_GATHERING) {
        entries_sort(round);
        if (rule->ops->prepare) {
            rule->ops->prepare(round);
        }
    }
    double step = tiles_run(round, base, next);
    if (!isfinite(step)) {
        return MYCEL_E_NONFINITE;
    }
    clip_adapt(round);
    round->setup.state[RULE_STATE_ROUNDS] += 1.0f;
    if (result) {
        *result = (struct rule_result){
            .updates = round->updates,
            .weight = round->weight,
            .clipped = round->clipped,
            .clip_norm = round->clip_norm,
            .step_norm = (float)sqrt(step),
        };
    }
    return 0;
}
