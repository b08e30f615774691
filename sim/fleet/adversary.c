/* See adversary.h. */
#include "sim/fleet/adversary.h"

#include <mycel/error.h>
#include <stdlib.h>

static int make_memory(struct adversary *a)
{
    if (a->spec.kind == ATTACK_ALIE) {
        a->crowd = (struct attack_crowd){.params = a->params,
                                         .mean = calloc(a->params, sizeof(float)),
                                         .squares = calloc(a->params, sizeof(float))};
        return a->crowd.mean != NULL && a->crowd.squares != NULL ? MYCEL_OK : MYCEL_E_NO_MEMORY;
    }
    if (a->spec.kind == ATTACK_REPLAY) {
        a->earlier = calloc(a->devices, sizeof *a->earlier);
        return a->earlier != NULL ? MYCEL_OK : MYCEL_E_NO_MEMORY;
    }
    return MYCEL_OK;
}

int adversary_init(struct adversary *a, const struct scenario *s, uint32_t params, char *problem)
{
    struct option_error error;
    *a = (struct adversary){.devices = s->devices, .params = params};
    if (attack_parse(s->attack, &a->spec, &error) < 0) {
        return scenario_refuse_at(problem, "attack", s->attack, error.column, error.text);
    }
    int rc = make_memory(a);
    if (rc < 0) {
        adversary_free(a);
    }
    return rc;
}

void adversary_free(struct adversary *a)
{
    for (uint32_t i = 0; a->earlier != NULL && i < a->devices; i++) {
        free(a->earlier[i]);
    }
    free(a->earlier);
    free(a->crowd.mean);
    free(a->crowd.squares);
    *a = (struct adversary){0};
}

struct attacker adversary_attacker(struct adversary *a, uint64_t seed, uint32_t device,
                                   uint32_t lease)
{
    return (struct attacker){.spec = &a->spec,
                             .seed = seed,
                             .device = device,
                             .round = lease,
                             .crowd = a->spec.kind == ATTACK_ALIE ? &a->crowd : NULL,
                             .earlier = a->earlier != NULL ? a->earlier[device] : NULL};
}

/* The first honest delta is kept, and sent ever after. */
static int keep_delta(struct adversary *a, const struct attacker *attacker, const float *base,
                      const float *weights)
{
    if (a->spec.kind != ATTACK_REPLAY || a->earlier[attacker->device] != NULL) {
        return MYCEL_OK;
    }
    float *delta = malloc(a->params * sizeof *delta);
    if (delta == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    attack_delta(base, weights, a->params, delta);
    a->earlier[attacker->device] = delta;
    return MYCEL_OK;
}

int adversary_report(struct adversary *a, const struct attacker *attacker, uint32_t version,
                     const float *base, float *weights)
{
    if (a->spec.kind == ATTACK_ALIE) {
        if (a->crowd_version != version) {
            attack_crowd_reset(&a->crowd);
            a->crowd_version = version;
        }
        attack_crowd_add(&a->crowd, base, weights);
    }
    int rc = keep_delta(a, attacker, base, weights);
    attack_report(attacker, base, weights, a->params);
    return rc;
}
