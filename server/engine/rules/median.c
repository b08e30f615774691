/* The median of each coordinate. */
#include "server/engine/rules/robust.h"
#include "server/engine/rules/rule_internal.h"

static void reduce(struct rule_round *round, uint32_t first, uint32_t count, float *delta)
{
    rule_rows(round, first, count);
    robust_trimmed(round->row, round->updates, count, (round->updates - 1u) / 2u, round->scratch,
                   delta);
}

static const struct rule_ops ops = {.reduce = reduce, .sorts = 1};

const struct rule rule_median = {
    .name = "median",
    .title = "median of each coordinate, unweighted",
    .equation = "w += lr median_i D_i",
    .source = "Yin et al., ICML 2018",
    .kind = RULE_GATHERING,
    .param_count = 1,
    .params = {{"lr", "server learning rate", 1.0f, 1e-6f, 10.0f}},
    .ops = &ops,
};
