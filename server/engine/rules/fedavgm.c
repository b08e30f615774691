/* FedAvgM: FedAvg with momentum on the server. */
#include "server/engine/rules/rule_internal.h"

enum { LR, BETA };

static void apply(struct rule_round *round, const struct rule_tile *tile)
{
    float rate = rule_value(round, LR), beta = rule_value(round, BETA);
    float *m = rule_state_vector(round, 0, tile->first);
    for (uint32_t i = 0; i < tile->count; i++) {
        m[i] = beta * m[i] + tile->delta[i];
        tile->next[i] = tile->base[i] + rate * m[i];
    }
}

static const struct rule_ops ops = {.sums = 1, .apply = apply};

const struct rule rule_fedavgm = {
    .name = "fedavgm",
    .title = "FedAvg with server momentum",
    .equation = "m = beta m + D; w += lr m",
    .source = "Hsu, Qi, Brown, 2019",
    .kind = RULE_STREAMING,
    .param_count = 2,
    .params = {{"lr", "server learning rate", 0.3f, 1e-6f, 10.0f},
               {"beta", "momentum", 0.9f, 0.0f, 0.9999f}},
    .state_vectors = 1,
    .ops = &ops,
};
