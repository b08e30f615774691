/* FedAdam: momentum, and a step size per coordinate from a running mean of squares. */
#include <math.h>

#include "server/engine/rules/rule_internal.h"

enum { LR, BETA1, BETA2, TAU };
enum { STATE_M, STATE_V };

static void apply(struct rule_round *round, const struct rule_tile *tile)
{
    float rate = rule_value(round, LR), tau = rule_value(round, TAU);
    float beta1 = rule_value(round, BETA1), beta2 = rule_value(round, BETA2);
    float *m = rule_state_vector(round, STATE_M, tile->first);
    float *v = rule_state_vector(round, STATE_V, tile->first);
    for (uint32_t i = 0; i < tile->count; i++) {
        float delta = tile->delta[i];
        m[i] = beta1 * m[i] + (1.0f - beta1) * delta;
        v[i] = beta2 * v[i] + (1.0f - beta2) * (delta * delta);
        tile->next[i] = tile->base[i] + rate * m[i] / (sqrtf(v[i]) + tau);
    }
}

static float state_initial(const float *params, uint32_t vector)
{
    return vector == STATE_V ? params[TAU] * params[TAU] : 0;
}

static const struct rule_ops ops = {.sums = 1, .apply = apply, .state_initial = state_initial};

const struct rule rule_fedadam = {
    .name = "fedadam",
    .title = "adaptive server steps, Adam",
    .equation =
        "m = b1 m + (1-b1) D; v = b2 v + (1-b2) D^2; w += lr m / (sqrt v + tau); v_0 = tau^2",
    .source = "Reddi et al., ICLR 2021",
    .kind = RULE_STREAMING,
    .param_count = 4,
    .params = {{"lr", "server learning rate", 0.01f, 1e-6f, 10.0f},
               {"beta1", "memory of the mean", 0.9f, 0.0f, 0.9999f},
               {"beta2", "memory of the squares", 0.99f, 0.0f, 0.99999f},
               {"tau", "adaptivity: smaller adapts more", 1e-3f, 1e-9f, 1.0f}},
    .state_vectors = 2,
    .ops = &ops,
};
