/*
 * Centred clipping: each update is clipped around last round's aggregate v instead of around zero, so an
 * attacker gains at most r a round. One iteration; state vector 0 is v.
 */
#include <math.h>

#include "server/engine/rules/rule_internal.h"

enum { LR, RADIUS };

/* |gain D_i - v| */
static double distance_to_centre(const struct rule_round *round, const struct rule_update *update,
                                 float gain)
{
    float tile[CODEC_BLOCK_PARAMS_MAX];
    uint32_t params = round->setup.params;
    double square = 0;
    for (uint32_t first = 0; first < params; first += CODEC_BLOCK_PARAMS_MAX) {
        uint32_t left = params - first;
        uint32_t count = left < CODEC_BLOCK_PARAMS_MAX ? left : CODEC_BLOCK_PARAMS_MAX;
        const float *v = rule_state_vector(round, 0, first);
        codec_decode(update->frame, first, count, tile);
        for (uint32_t i = 0; i < count; i++) {
            double difference = (double)(gain * tile[i]) - (double)v[i];
            square += difference * difference;
        }
    }
    return sqrt(square);
}

static int terms(const struct rule_round *round, const struct rule_update *update, float gain,
                 struct rule_terms *terms)
{
    double distance = distance_to_centre(round, update, gain);
    double radius = (double)rule_value(round, RADIUS);
    double kept = distance > radius ? radius / distance : 1.0;
    terms->sum[0].weight = 1;
    terms->sum[0].gain = gain * (float)kept;
    return rule_scalar(kept, &terms->scalar[0]);
}

static double factor(const struct rule_round *round)
{
    return 1.0 / (double)round->updates;
}

/* v + mean(c_i (D_i - v)) = v (1 - mean c_i) + mean(c_i D_i) */
static void apply(struct rule_round *round, const struct rule_tile *tile)
{
    float rate = rule_value(round, LR);
    float left = (float)(1.0 - rule_scalar_value(round, 0) / (double)round->updates);
    float *v = rule_state_vector(round, 0, tile->first);
    for (uint32_t i = 0; i < tile->count; i++) {
        v[i] = left * v[i] + tile->delta[i];
        tile->next[i] = tile->base[i] + rate * v[i];
    }
}

static const struct rule_ops ops = {.sums = 1, .terms = terms, .factor = factor, .apply = apply};

const struct rule rule_centredclip = {
    .name = "centredclip",
    .title = "mean of updates clipped around the last aggregate",
    .equation = "v += mean((D_i - v) min(1, r / |D_i - v|)); w += lr v",
    .source = "Karimireddy, He, Jaggi, ICML 2021",
    .kind = RULE_STREAMING,
    .param_count = 2,
    .params = {{"lr", "server learning rate", 1.0f, 1e-6f, 10.0f},
               {"radius", "r, norm of what one update may add", 1.0f, 1e-6f, 1e6f}},
    .state_vectors = 1,
    .ops = &ops,
};
