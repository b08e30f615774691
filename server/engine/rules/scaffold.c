/*
 * SCAFFOLD, server side: keeps the control variate c that corrects the drift of the devices. With the
 * paper's option II the change of a device's variate follows from its delta, so nothing more has to be
 * uploaded: c_i+ - c_i = -c - D_i / (K_i lr_device), with D_i as decoded on both sides. State vector 0 is c;
 * devices fetch the state beside the model.
 */
#include "server/engine/rules/rule_internal.h"

enum { LR, CLIENTS };
enum { SUM_DELTA, SUM_DRIFT };

static int terms(const struct rule_round *round, const struct rule_update *update, float gain,
                 struct rule_terms *terms)
{
    terms->sum[SUM_DELTA].weight = update->weight;
    terms->sum[SUM_DELTA].gain = gain;
    terms->sum[SUM_DRIFT].weight = 1;
    terms->sum[SUM_DRIFT].gain = gain / ((float)update->steps * round->setup.learning_rate);
    return 0;
}

/* N: as the strategy says, else all of the run; never fewer than have taken part at once. */
static double clients_of(const struct rule_round *round)
{
    double asked = (double)rule_value(round, CLIENTS);
    double clients = asked > 0 ? asked : (double)round->setup.clients;
    return clients > (double)round->updates ? clients : (double)round->updates;
}

static void apply(struct rule_round *round, const struct rule_tile *tile)
{
    float rate = rule_value(round, LR);
    double share = 1.0 / clients_of(round), unit = rule_sum_unit(round);
    double updates = (double)round->updates;
    float *c = rule_state_vector(round, 0, tile->first);
    const int64_t *drift = round->sums + (size_t)SUM_DRIFT * round->setup.params + tile->first;
    for (uint32_t i = 0; i < tile->count; i++) {
        double change = -updates * (double)c[i] - (double)drift[i] * unit;
        c[i] = (float)((double)c[i] + share * change);
        tile->next[i] = tile->base[i] + rate * tile->delta[i];
    }
}

static const struct rule_ops ops = {.sums = 2, .terms = terms, .apply = apply};

const struct rule rule_scaffold = {
    .name = "scaffold",
    .title = "FedAvg with control variates against client drift",
    .equation = "device: gradient += c - c_i; server: w += lr D; c += 1/N sum(c_i+ - c_i)",
    .source = "Karimireddy et al., ICML 2020",
    .kind = RULE_STREAMING,
    .param_count = 2,
    .params = {{"lr", "server learning rate", 1.0f, 1e-6f, 10.0f},
               {"clients", "devices in the run (N); 0: all that are enrolled", 0, 0, 1e6f}},
    .state_vectors = 1,
    .ops = &ops,
};
