/* FedAdagrad: a step size per coordinate that only ever shrinks. */
#include <math.h>

#include "server/engine/rules/rule_internal.h"

enum { LR, TAU };

static void apply(struct rule_round *round, const struct rule_tile *tile)
{
    float rate = rule_value(round, LR), tau = rule_value(round, TAU);
    float *v = rule_state_vector(round, 0, tile->first);
    for (uint32_t i = 0; i < tile->count; i++) {
        float delta = tile->delta[i];
        v[i] += delta * delta;
        tile->next[i] = tile->base[i] + rate * delta / (sqrtf(v[i]) + tau);
    }
}

static float state_initial(const float *params, uint32_t vector)
{
    (void)vector;
    return params[TAU] * params[TAU];
}

static const struct rule_ops ops = {.sums = 1, .apply = apply, .state_initial = state_initial};

const struct rule rule_fedadagrad = {
    .name = "fedadagrad",
    .title = "adaptive server steps, Adagrad",
    .equation = "v += D^2; w += lr D / (sqrt v + tau); v_0 = tau^2",
    .source = "Reddi et al., ICLR 2021",
    .kind = RULE_STREAMING,
    .param_count = 2,
    .params = {{"lr", "server learning rate", 0.03f, 1e-6f, 10.0f},
               {"tau", "adaptivity: smaller adapts more", 1e-3f, 1e-9f, 1.0f}},
    .state_vectors = 1,
    .ops = &ops,
};
