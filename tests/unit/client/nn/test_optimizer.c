/*
 * Optimizers, clipping, schedules and the federated terms against a plain reference computed here
 * in double from the gradient that the context hands out.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/rng.h"
#include "fixture.h"

static const char net[] = "7 > dense 6 tanh > dense 3 softmax";
enum { STEPS = 12, SAMPLES = 24, BATCH = 4 };

struct reference {
    double w[128];
    double m[128];
    double v[128];
    float base[128];
    float correction[128];
};

static double rate_at(const struct mycel_nn_config *c, uint32_t step)
{
    double f = fmin(1.0, (double)step / (double)(c->schedule_steps ? c->schedule_steps : 1));
    double rate = (double)c->learning_rate;
    switch (c->schedule) {
    case MYCEL_NN_STEP:
        rate *= pow((double)c->schedule_factor, step / c->schedule_steps);
        break;
    case MYCEL_NN_LINEAR:
        rate *= 1.0 + ((double)c->schedule_factor - 1.0) * f;
        break;
    case MYCEL_NN_COSINE:
        rate *= (double)c->schedule_factor +
                (1.0 - (double)c->schedule_factor) * 0.5 * (1.0 + cos(acos(-1.0) * f));
        break;
    default:
        break;
    }
    return step < c->warmup_steps ? rate * (step + 1) / c->warmup_steps : rate;
}

static void reference_step(struct reference *r, const struct mycel_nn_config *c, const float *grad,
                           uint32_t count, uint32_t step)
{
    double rate = rate_at(c, step);
    double norm = 0.0;
    for (uint32_t i = 0; i < count; i++) {
        norm += (double)grad[i] * (double)grad[i];
    }
    double scale = sqrt(norm) > (double)c->clip_norm ? (double)c->clip_norm / sqrt(norm) : 1.0;
    for (uint32_t i = 0; i < count; i++) {
        double g = (double)grad[i] * scale + (c->scaffold ? (double)r->correction[i] : 0.0) +
                   (double)c->prox * (r->w[i] - (double)r->base[i]);
        double decay = (double)c->weight_decay;
        if (c->optimizer == MYCEL_NN_ADAMW) {
            r->m[i] = 0.9 * r->m[i] + 0.1 * g;
            r->v[i] = 0.999 * r->v[i] + 0.001 * g * g;
            double m = r->m[i] / (1.0 - pow(0.9, step + 1));
            double v = r->v[i] / (1.0 - pow(0.999, step + 1));
            r->w[i] -= rate * decay * r->w[i] + rate * m / (sqrt(v) + 1e-8);
            continue;
        }
        g += decay * r->w[i];
        r->m[i] = c->optimizer == MYCEL_NN_SGD ? g : 0.9 * r->m[i] + g;
        r->w[i] -= rate * (c->optimizer == MYCEL_NN_NESTEROV ? g + 0.9 * r->m[i] : r->m[i]);
    }
}

static void compare(struct mycel_nn_config config)
{
    struct fixture f;
    struct samples s;
    struct reference r = {0};
    float gradient[128];
    float w[128];
    config.batch = BATCH;
    bool whole = config.clip_norm > 0.0f;
    config.clip_norm = whole ? config.clip_norm : 1e30f;
    fixture_open(&f, net, &config, 1);
    samples_open(&s, &f.model, SAMPLES, 2);
    for (uint32_t i = 0; i < f.count; i++) {
        r.w[i] = (double)f.params[i];
        r.base[i] = rng_f32(3, 0, i);
        r.correction[i] = 0.1f * rng_f32(3, 1, i);
    }
    if (config.prox > 0.0f) {
        assert_int_equal(mycel_nn_write(f.nn, MYCEL_NN_BASE, 0, f.count, r.base), 0);
    }
    if (config.scaffold) {
        assert_int_equal(mycel_nn_write(f.nn, MYCEL_NN_CORRECTION, 0, f.count, r.correction), 0);
    }
    for (uint32_t step = 0; step < STEPS; step++) {
        struct mycel_nn_budget one = {.epochs = 100, .steps_max = 1};
        assert_int_equal(mycel_nn_train(f.nn, &s.data, &one), MYCEL_NN_MORE);
        fixture_read(&f, MYCEL_NN_GRADIENT, gradient);
        reference_step(&r, &config, gradient, f.count, step);
        fixture_read(&f, MYCEL_NN_PARAMS, w);
        for (uint32_t i = 0; i < f.count; i++) {
            assert_true(fabs((double)w[i] - r.w[i]) < 2e-5);
            r.w[i] = (double)w[i]; /* compare steps, not their accumulated rounding */
        }
    }
    /* Without a gradient buffer the same weights come out of the fused path. */
    struct fixture fused;
    config.clip_norm = whole ? config.clip_norm : 0.0f;
    fixture_open(&fused, net, &config, 1);
    if (config.prox > 0.0f) {
        assert_int_equal(mycel_nn_write(fused.nn, MYCEL_NN_BASE, 0, f.count, r.base), 0);
    }
    if (config.scaffold) {
        assert_int_equal(mycel_nn_write(fused.nn, MYCEL_NN_CORRECTION, 0, f.count, r.correction),
                         0);
    }
    struct mycel_nn_budget all = {.epochs = 100, .steps_max = STEPS};
    assert_int_equal(mycel_nn_train(fused.nn, &s.data, &all), MYCEL_NN_MORE);
    fixture_read(&fused, MYCEL_NN_PARAMS, fused.params);
    assert_true(largest_difference(w, fused.params, f.count) < 1e-4f);
    fixture_close(&fused);
    samples_close(&s);
    fixture_close(&f);
}

static void optimizers_agree_with_a_reference(void **state)
{
    (void)state;
    for (uint8_t optimizer = 0; optimizer <= MYCEL_NN_ADAMW; optimizer++) {
        struct mycel_nn_config c = {.optimizer = optimizer, .learning_rate = 0.02f};
        compare(c);
        c.weight_decay = 0.05f;
        compare(c);
        c.prox = 0.5f;
        compare(c);
        c.scaffold = true;
        compare(c);
        c.clip_norm = 0.05f;
        compare(c);
    }
}

static void schedules_agree_with_a_reference(void **state)
{
    (void)state;
    for (uint8_t schedule = 0; schedule <= MYCEL_NN_COSINE; schedule++) {
        struct mycel_nn_config c = {.schedule = schedule, .learning_rate = 0.05f};
        c.schedule_steps = schedule == MYCEL_NN_STEP ? 4 : 9;
        c.schedule_factor = 0.25f;
        compare(c);
        c.warmup_steps = 5;
        compare(c);
    }
}

/* FedProx with a base that is the start and a large weight hardly moves. */
static void prox_holds_back(void **state)
{
    (void)state;
    float moved[2] = {0.0f, 0.0f};
    for (int way = 0; way < 2; way++) {
        struct mycel_nn_config c = {.batch = 4, .learning_rate = 0.05f};
        c.prox = way == 0 ? 0.0f : 10.0f;
        struct fixture f;
        struct samples s;
        float delta[128];
        struct mycel_nn_base base = {0};
        fixture_open(&f, net, &c, 1);
        samples_open(&s, &f.model, SAMPLES, 2);
        base.params = f.params;
        if (way == 1) {
            assert_int_equal(mycel_nn_write(f.nn, MYCEL_NN_BASE, 0, f.count, f.params), 0);
        }
        struct mycel_nn_budget budget = {.epochs = 20};
        assert_int_equal(mycel_nn_train(f.nn, &s.data, &budget), 0);
        assert_int_equal(mycel_nn_delta(f.nn, way == 0 ? &base : NULL, 0, f.count, delta), 0);
        for (uint32_t i = 0; i < f.count; i++) {
            moved[way] += delta[i] * delta[i];
        }
        samples_close(&s);
        fixture_close(&f);
    }
    assert_true(moved[1] < 0.1f * moved[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(optimizers_agree_with_a_reference),
        cmocka_unit_test(schedules_agree_with_a_reference),
        cmocka_unit_test(prox_holds_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
