/* Each streaming rule, three rounds in a row, against its equation written down as plain loops in double
 * precision here. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fleet.h"

#define PARAMS 5003u /* more than a tile, and no multiple of anything */
#define DEVICES 12u
#define ROUNDS 3

/* The reference's own memory between rounds. */
struct reference {
    double w[PARAMS], m[PARAMS], v[PARAMS];
    double clip;
};

typedef void (*reference_fn)(const struct fleet *fleet, struct reference *r);

static double delta_of(const struct fleet *f, uint32_t d, uint32_t i)
{
    return (double)f->updates[d].scale * (double)f->deltas[d][i];
}

static double weight_sum(const struct fleet *f)
{
    double sum = 0;
    for (uint32_t d = 0; d < f->devices; d++) {
        sum += f->updates[d].weight;
    }
    return sum;
}

static double mean_delta(const struct fleet *f, uint32_t i)
{
    double sum = 0;
    for (uint32_t d = 0; d < f->devices; d++) {
        sum += f->updates[d].weight * delta_of(f, d, i);
    }
    return sum / weight_sum(f);
}

static double norm_of(const struct fleet *f, uint32_t d)
{
    return fleet_norm(f->deltas[d], f->params) * (double)f->updates[d].scale;
}

static void reference_fedavg(const struct fleet *f, struct reference *r)
{
    for (uint32_t i = 0; i < PARAMS; i++) {
        r->w[i] += 0.7 * mean_delta(f, i);
    }
}

static void reference_fedavgm(const struct fleet *f, struct reference *r)
{
    for (uint32_t i = 0; i < PARAMS; i++) {
        r->m[i] = 0.9 * r->m[i] + mean_delta(f, i);
        r->w[i] += 0.3 * r->m[i];
    }
}

static void reference_fedadagrad(const struct fleet *f, struct reference *r)
{
    for (uint32_t i = 0; i < PARAMS; i++) {
        double delta = mean_delta(f, i);
        r->v[i] += delta * delta;
        r->w[i] += 0.03 * delta / (sqrt(r->v[i] + 1e-6) + 1e-3); /* v starts at tau² */
    }
}

static void reference_fedadam(const struct fleet *f, struct reference *r)
{
    for (uint32_t i = 0; i < PARAMS; i++) {
        double delta = mean_delta(f, i);
        if (r->m[i] == 0 && r->v[i] == 0) {
            r->v[i] = 1e-6;
        }
        r->m[i] = 0.9 * r->m[i] + 0.1 * delta;
        r->v[i] = 0.99 * r->v[i] + 0.01 * delta * delta;
        r->w[i] += 0.01 * r->m[i] / (sqrt(r->v[i]) + 1e-3);
    }
}

static void reference_fedyogi(const struct fleet *f, struct reference *r)
{
    for (uint32_t i = 0; i < PARAMS; i++) {
        double delta = mean_delta(f, i), square = delta * delta;
        if (r->m[i] == 0 && r->v[i] == 0) {
            r->v[i] = 1e-6;
        }
        double sign = r->v[i] > square ? 1 : r->v[i] < square ? -1 : 0;
        r->m[i] = 0.9 * r->m[i] + 0.1 * delta;
        r->v[i] -= 0.01 * square * sign;
        r->w[i] += 0.01 * r->m[i] / (sqrt(r->v[i]) + 1e-3);
    }
}

static void reference_scaffold(const struct fleet *f, struct reference *r)
{
    for (uint32_t i = 0; i < PARAMS; i++) {
        double change = 0;
        for (uint32_t d = 0; d < f->devices; d++) {
            change += -r->m[i] - delta_of(f, d, i) / (f->updates[d].steps * (double)0.1f);
        }
        r->m[i] += change / 100;
        r->w[i] += mean_delta(f, i);
    }
}

static double path_length(double k)
{
    return (k - 0.5 * (1 - pow(0.5, k)) / (1 - 0.5)) / (1 - 0.5);
}

static void reference_fednova(const struct fleet *f, struct reference *r)
{
    double paths = 0;
    for (uint32_t d = 0; d < f->devices; d++) {
        paths += f->updates[d].weight / weight_sum(f) * path_length(f->updates[d].steps);
    }
    for (uint32_t i = 0; i < PARAMS; i++) {
        double sum = 0;
        for (uint32_t d = 0; d < f->devices; d++) {
            sum += f->updates[d].weight / weight_sum(f) * delta_of(f, d, i) /
                   path_length(f->updates[d].steps);
        }
        r->w[i] += paths * sum;
    }
}

/* As in the paper: with G_i = -L D_i, not divided by L. */
static void reference_qfedavg(const struct fleet *f, struct reference *r)
{
    double q = 0.5, lipschitz = 10, denominator = 0;
    for (uint32_t d = 0; d < f->devices; d++) {
        double loss = (double)f->updates[d].loss, g = lipschitz * norm_of(f, d);
        denominator += q * pow(loss, q - 1) * g * g + lipschitz * pow(loss, q);
    }
    for (uint32_t i = 0; i < PARAMS; i++) {
        double sum = 0;
        for (uint32_t d = 0; d < f->devices; d++) {
            sum += pow((double)f->updates[d].loss, q) * -lipschitz * delta_of(f, d, i);
        }
        r->w[i] -= sum / denominator;
    }
}

static void reference_centredclip(const struct fleet *f, struct reference *r)
{
    static double kept[FLEET_MAX];
    for (uint32_t d = 0; d < f->devices; d++) {
        double square = 0;
        for (uint32_t i = 0; i < PARAMS; i++) {
            square += pow(delta_of(f, d, i) - r->v[i], 2);
        }
        kept[d] = fmin(1, 0.5 / sqrt(square));
    }
    for (uint32_t i = 0; i < PARAMS; i++) {
        double sum = 0;
        for (uint32_t d = 0; d < f->devices; d++) {
            sum += (delta_of(f, d, i) - r->v[i]) * kept[d];
        }
        r->v[i] += sum / f->devices;
        r->w[i] += r->v[i];
    }
}

/* The reference delta is device 0's. */
static void reference_fltrust(const struct fleet *f, struct reference *r)
{
    double trust[FLEET_MAX], total = 0, root = fleet_norm(f->deltas[0], PARAMS);
    for (uint32_t d = 0; d < f->devices; d++) {
        double product = 0;
        for (uint32_t i = 0; i < PARAMS; i++) {
            product += (double)f->deltas[d][i] * (double)f->deltas[0][i];
        }
        trust[d] = fmax(0, product / root / fleet_norm(f->deltas[d], PARAMS));
        total += trust[d];
    }
    for (uint32_t i = 0; i < PARAMS; i++) {
        double sum = 0;
        for (uint32_t d = 0; d < f->devices; d++) {
            sum += trust[d] * root / fleet_norm(f->deltas[d], PARAMS) * delta_of(f, d, i);
        }
        r->w[i] += sum / total;
    }
}

static void reference_clip(const struct fleet *f, struct reference *r)
{
    double below = 0, gain[FLEET_MAX];
    r->clip = r->clip > 0 ? r->clip : 0.8;
    for (uint32_t d = 0; d < f->devices; d++) {
        double norm = fleet_norm(f->deltas[d], PARAMS);
        below += norm <= r->clip;
        gain[d] = fmin(1, r->clip / norm);
    }
    for (uint32_t i = 0; i < PARAMS; i++) {
        double sum = 0;
        for (uint32_t d = 0; d < f->devices; d++) {
            sum += f->updates[d].weight * gain[d] * delta_of(f, d, i);
        }
        r->w[i] += sum / weight_sum(f);
    }
    r->clip *= exp(-0.2 * (below / f->devices - 0.8));
}

struct rule_case {
    const char *strategy;
    reference_fn reference;
    double tolerance; /* of |w - reference|, relative to |step| */
};

static void rule_matches_its_equation(void **state)
{
    const struct rule_case *rule_case = *state;
    struct fleet fleet;
    static struct reference reference;
    memset(&reference, 0, sizeof reference);
    fleet_open(&fleet, DEVICES, PARAMS, CODEC_F32, 3);
    struct rule_strategy strategy = fleet_strategy(rule_case->strategy);
    struct rule_setup setup = fleet_setup(&fleet, &strategy);
    setup.reference = fleet.deltas[0];
    float *rule_state = calloc(rule_state_floats(&strategy, PARAMS), sizeof *rule_state);
    float *next = calloc(PARAMS, sizeof *next), *expected = calloc(PARAMS, sizeof *expected);
    rule_state_init(&strategy, PARAMS, rule_state);
    for (uint32_t i = 0; i < PARAMS; i++) {
        reference.w[i] = (double)fleet.base[i];
    }
    for (int round = 0; round < ROUNDS; round++) {
        struct rule_result result = fleet_run(&fleet, &setup, NULL, 1, rule_state, next);
        rule_case->reference(&fleet, &reference);
        for (uint32_t i = 0; i < PARAMS; i++) {
            expected[i] = (float)reference.w[i];
        }
        double step = fleet_distance(next, fleet.base, PARAMS);
        assert_true(step > 0);
        assert_true(fabs(step - (double)result.step_norm) < 1e-3 * step);
        double error = fleet_distance(next, expected, PARAMS) / step;
        if (!(error < rule_case->tolerance)) {
            fail_msg("%s, round %d: off by %g of the step", rule_case->strategy, round, error);
        }
        memcpy(fleet.base, next, PARAMS * sizeof *next);
    }
    free(rule_state);
    free(next);
    free(expected);
    fleet_close(&fleet);
}

/* Base parameters are about 1 and steps about 0.01, so f32 itself leaves about 1e-5 of a step. */
static struct rule_case cases[] = {
    {"fedavg lr=0.7", reference_fedavg, 1e-4},
    {"fedprox lr=0.7 mu=0.1", reference_fedavg, 1e-4},
    {"fedavgm", reference_fedavgm, 1e-4},
    {"fedadagrad", reference_fedadagrad, 1e-4},
    {"fedadam", reference_fedadam, 1e-4},
    {"fedyogi", reference_fedyogi, 1e-4},
    {"scaffold", reference_scaffold, 1e-4},
    {"fednova momentum=0.5", reference_fednova, 1e-3},
    {"qfedavg q=0.5", reference_qfedavg, 1e-4},
    {"centredclip radius=0.5", reference_centredclip, 1e-4},
    {"fltrust", reference_fltrust, 1e-4},
    {"clip adaptive norm=0.8 > fedavg", reference_clip, 1e-4},
};

#define CASE(i)                                                                                    \
    {                                                                                              \
        "rule " #i, rule_matches_its_equation, NULL, NULL, &cases[i]                               \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(0), CASE(1), CASE(2), CASE(3), CASE(4),  CASE(5),
                                       CASE(6), CASE(7), CASE(8), CASE(9), CASE(10), CASE(11)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
