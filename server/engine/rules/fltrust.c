/*
 * FLTrust: the coordinator trains on a small clean set of its own; an update counts by how much it points
 * the same way as that reference, and with the reference's length.
 */
#include <math.h>

#include "server/engine/rules/rule_internal.h"

static double product_with_reference(const struct rule_round *round,
                                     const struct rule_update *update)
{
    float tile[CODEC_BLOCK_PARAMS_MAX];
    uint32_t params = round->setup.params;
    double product = 0;
    for (uint32_t first = 0; first < params; first += CODEC_BLOCK_PARAMS_MAX) {
        uint32_t left = params - first;
        uint32_t count = left < CODEC_BLOCK_PARAMS_MAX ? left : CODEC_BLOCK_PARAMS_MAX;
        codec_decode(update->frame, first, count, tile);
        for (uint32_t i = 0; i < count; i++) {
            product += (double)tile[i] * (double)round->setup.reference[first + i];
        }
    }
    return product;
}

static int terms(const struct rule_round *round, const struct rule_update *update, float gain,
                 struct rule_terms *terms)
{
    (void)gain; /* the length is replaced anyway */
    double norm = sqrt((double)update->stats.squared_norm);
    double lengths = norm * round->reference_norm;
    double trust = lengths > 0 ? product_with_reference(round, update) / lengths : 0;
    if (!(trust > 0)) {
        return 0;
    }
    terms->sum[0].weight = 1;
    terms->sum[0].gain = (float)(trust * round->reference_norm / norm) * update->scale;
    return rule_scalar(trust, &terms->scalar[0]);
}

static double factor(const struct rule_round *round)
{
    double trust = rule_scalar_value(round, 0);
    return trust > 0 ? 1.0 / trust : 0;
}

static const struct rule_ops ops = {.sums = 1, .terms = terms, .factor = factor};

const struct rule rule_fltrust = {
    .name = "fltrust",
    .title = "trust by agreement with the coordinator's own small data set",
    .equation = "t_i = max(0, cos(D_i, D_0)); w += lr sum t_i (|D_0| / |D_i|) D_i / sum t_i",
    .source = "Cao et al., NDSS 2021",
    .kind = RULE_STREAMING,
    .param_count = 1,
    .params = {{"lr", "server learning rate", 1.0f, 1e-6f, 10.0f}},
    .ops = &ops,
};
