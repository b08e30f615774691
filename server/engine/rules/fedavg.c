/* FedAvg: the weighted mean of what the devices learned. */
#include "server/engine/rules/rule_internal.h"

static const struct rule_ops ops = {.sums = 1};

const struct rule rule_fedavg = {
    .name = "fedavg",
    .title = "weighted mean of the updates",
    .equation = "w += lr D, D = sum p_i D_i",
    .source = "McMahan et al., AISTATS 2017",
    .kind = RULE_STREAMING,
    .param_count = 1,
    .params = {{"lr", "server learning rate", 1.0f, 1e-6f, 10.0f}},
    .ops = &ops,
};
