/*
 * FedProx: the devices are held near the model they started from; on the server it is FedAvg. The
 * devices' term travels in their plan (rule_prox_mu).
 */
#include "server/engine/rules/rule_internal.h"

static const struct rule_ops ops = {.sums = 1};

const struct rule rule_fedprox = {
    .name = "fedprox",
    .title = "FedAvg with devices held near the model they started from",
    .equation = "device: gradient += mu (w - w_t); server: w += lr D",
    .source = "Li et al., MLSys 2020",
    .kind = RULE_STREAMING,
    .param_count = 2,
    .params = {{"lr", "server learning rate", 1.0f, 1e-6f, 10.0f},
               {"mu", "strength of the devices' proximal term", 0.01f, 0.0f, 10.0f}},
    .ops = &ops,
};
