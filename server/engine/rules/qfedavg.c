/*
 * q-FedAvg: devices with a high loss count more, so that accuracy is spread more fairly. With L = 1 /
 * lr_device both sums are divided by L, which keeps them in range.
 */
#include <math.h>

#include "server/engine/rules/rule_internal.h"

enum { LR, Q };

#define LOSS_MIN 1e-6 /* F^(q-1) of a loss of zero would be infinite */

static int terms(const struct rule_round *round, const struct rule_update *update, float gain,
                 struct rule_terms *terms)
{
    double q = (double)rule_value(round, Q);
    double loss = fmax((double)update->loss, LOSS_MIN);
    double power = pow(loss, q);
    double square = (double)update->stats.squared_norm * (double)gain * (double)gain;
    double smoothness = 1.0 / (double)round->setup.learning_rate;
    terms->sum[0].weight = 1;
    terms->sum[0].gain = (float)power * gain;
    return rule_scalar(q * pow(loss, q - 1.0) * smoothness * square + power, &terms->scalar[0]);
}

static double factor(const struct rule_round *round)
{
    double denominator = rule_scalar_value(round, 0);
    return denominator > 0 ? 1.0 / denominator : 0;
}

static const struct rule_ops ops = {.sums = 1, .terms = terms, .factor = factor};

const struct rule rule_qfedavg = {
    .name = "qfedavg",
    .title = "fairer FedAvg: devices with a high loss count more",
    .equation = "w += lr sum F_i^q D_i / sum(q F_i^(q-1) L |D_i|^2 + F_i^q), L = 1 / device lr",
    .source = "Li, Sanjabi, Beirami, Smith, ICLR 2020",
    .kind = RULE_STREAMING,
    .param_count = 2,
    .params = {{"lr", "server learning rate", 1.0f, 1e-6f, 10.0f},
               {"q", "fairness; 0 is the plain mean", 0.2f, 0.0f, 5.0f}},
    .ops = &ops,
};
