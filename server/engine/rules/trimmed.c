/* The mean of each coordinate without its extremes. */
#include <math.h>

#include "server/engine/rules/robust.h"
#include "server/engine/rules/rule_internal.h"

enum { LR, FRACTION };

/* b = ⌈f n⌉ on each side, but at least one value is left. */
static uint32_t dropped(const struct rule_round *round)
{
    uint32_t most = (round->updates - 1u) / 2u;
    uint32_t b = (uint32_t)ceilf(rule_value(round, FRACTION) * (float)round->updates);
    return b < most ? b : most;
}

static void reduce(struct rule_round *round, uint32_t first, uint32_t count, float *delta)
{
    rule_rows(round, first, count);
    robust_trimmed(round->row, round->updates, count, dropped(round), round->scratch, delta);
}

static const struct rule_ops ops = {.reduce = reduce, .sorts = 1};

const struct rule rule_trimmed = {
    .name = "trimmed",
    .title = "mean of each coordinate without its extremes, unweighted",
    .equation = "w += lr mean of the D_i without the b = ceil(f n) smallest and largest",
    .source = "Yin et al., ICML 2018",
    .kind = RULE_GATHERING,
    .param_count = 2,
    .params = {{"lr", "server learning rate", 1.0f, 1e-6f, 10.0f},
               {"f", "share of attackers to expect", 0.2f, 0.0f, 0.5f}},
    .ops = &ops,
};
