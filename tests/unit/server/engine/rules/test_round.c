/*
 * What holds for every rule of the table: any order and any split give the same bits, refused updates
 * leave no trace, bounds are bounds, and a spoilt result is reported instead of published.
 */
#include <math.h>
#include <mycel/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/rng.h"
#include "fleet.h"

#define PARAMS 4500u
#define DEVICES 23u

struct outcome {
    float *next, *state;
    struct rule_result result;
};

static struct outcome outcome_of(const struct fleet *fleet, const struct rule_strategy *strategy,
                                 const uint32_t *order, uint32_t contexts)
{
    struct rule_setup setup = fleet_setup(fleet, strategy);
    struct outcome outcome;
    setup.reference = fleet->deltas[1];
    outcome.next = calloc(PARAMS, sizeof(float));
    outcome.state = calloc(rule_state_floats(strategy, PARAMS), sizeof(float));
    rule_state_init(strategy, PARAMS, outcome.state);
    /* Two rounds, so that the state takes part. */
    fleet_run(fleet, &setup, NULL, 1, outcome.state, outcome.next);
    outcome.result = fleet_run(fleet, &setup, order, contexts, outcome.state, outcome.next);
    return outcome;
}

static void outcome_free(struct outcome *outcome)
{
    free(outcome->next);
    free(outcome->state);
}

static void shuffle(uint32_t *order, uint32_t count, uint32_t seed)
{
    for (uint32_t i = 0; i < count; i++) {
        order[i] = i;
    }
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = rng_below(seed, 1, i, i), swapped = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swapped;
    }
}

static void order_and_split_change_no_bit(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet, DEVICES, PARAMS, CODEC_INT8, 21);
    for (uint32_t r = 0; r < rule_count(); r++) {
        char text[64];
        snprintf(text, sizeof text, "clip adaptive norm=0.5 > %s", rule_at(r)->name);
        struct rule_strategy strategy = fleet_strategy(text);
        struct outcome first = outcome_of(&fleet, &strategy, NULL, 1);
        assert_true(first.result.clipped > 0 && first.result.clip_norm > 0);
        for (uint32_t seed = 0; seed < 6; seed++) {
            uint32_t order[DEVICES];
            shuffle(order, DEVICES, seed);
            struct outcome other = outcome_of(&fleet, &strategy, order, 1 + seed % 4);
            size_t floats = rule_state_floats(&strategy, PARAMS);
            assert_memory_equal(first.next, other.next, PARAMS * sizeof(float));
            assert_memory_equal(first.state, other.state, floats * sizeof(float));
            assert_int_equal(first.result.clipped, other.result.clipped);
            assert_int_equal(first.result.weight, other.result.weight);
            assert_true(first.result.step_norm == other.result.step_norm);
            outcome_free(&other);
        }
        outcome_free(&first);
    }
    fleet_close(&fleet);
}

/* Begins a round in static memory. */
static void begin(struct rule_round *round, struct rule_setup *setup)
{
    static _Alignas(16) uint8_t work[4u << 20];
    static float head[1u << 16];
    setup->work = work;
    setup->work_bytes = sizeof work;
    setup->state = head;
    assert_true(rule_work_bytes(setup) <= sizeof work);
    assert_true(rule_state_floats(setup->strategy, setup->params) <= sizeof head / sizeof *head);
    rule_state_init(setup->strategy, setup->params, head);
    assert_int_equal(rule_begin(round, setup), 0);
}

struct refusal {
    const char *what;
    int error;
    void (*spoil)(struct rule_update *update);
};

static void spoil_weight_zero(struct rule_update *u)
{
    u->weight = 0;
}
static void spoil_weight_huge(struct rule_update *u)
{
    u->weight = 1001;
}
static void spoil_weight_max(struct rule_update *u)
{
    u->weight = UINT32_MAX;
}
static void spoil_steps(struct rule_update *u)
{
    u->steps = 0;
}
static void spoil_steps_huge(struct rule_update *u)
{
    u->steps = UINT32_MAX;
}
static void spoil_scale_zero(struct rule_update *u)
{
    u->scale = 0;
}
static void spoil_scale_nan(struct rule_update *u)
{
    u->scale = NAN;
}
static void spoil_scale_above(struct rule_update *u)
{
    u->scale = 1.5f;
}
static void spoil_loss_nan(struct rule_update *u)
{
    u->loss = NAN;
}
static void spoil_loss_infinite(struct rule_update *u)
{
    u->loss = INFINITY;
}
static void spoil_loss_negative(struct rule_update *u)
{
    u->loss = -1;
}

static const struct refusal refusals[] = {
    {"weight 0", MYCEL_E_WEIGHT, spoil_weight_zero},
    {"weight above the maximum", MYCEL_E_WEIGHT, spoil_weight_huge},
    {"weight 2^32-1", MYCEL_E_WEIGHT, spoil_weight_max},
    {"no steps", MYCEL_E_INVALID, spoil_steps},
    {"2^32-1 steps", MYCEL_E_INVALID, spoil_steps_huge},
    {"scale 0", MYCEL_E_INVALID, spoil_scale_zero},
    {"scale NaN", MYCEL_E_INVALID, spoil_scale_nan},
    {"scale above 1", MYCEL_E_INVALID, spoil_scale_above},
    {"loss NaN", MYCEL_E_INVALID, spoil_loss_nan},
    {"loss infinite", MYCEL_E_INVALID, spoil_loss_infinite},
    {"loss negative", MYCEL_E_INVALID, spoil_loss_negative},
};

static void refused_updates_leave_no_trace(void **state)
{
    (void)state;
    enum { SMALL = 300 };
    struct fleet fleet, wrong;
    fleet_open(&fleet, 5, SMALL, CODEC_F32, 22);
    fleet_open(&wrong, 1, SMALL + 1, CODEC_F32, 22);
    for (uint32_t r = 0; r < rule_count(); r++) {
        struct rule_strategy strategy = fleet_strategy(rule_at(r)->name);
        struct rule_setup setup = fleet_setup(&fleet, &strategy);
        struct rule_round round;
        float clean[SMALL], next[SMALL];
        setup.updates_max = 5;
        setup.reference = fleet.deltas[0];
        for (int with_refused = 0; with_refused < 2; with_refused++) {
            begin(&round, &setup);
            for (uint32_t d = 0; d < 5; d++) {
                for (size_t i = 0; with_refused && i < sizeof refusals / sizeof *refusals; i++) {
                    struct rule_update update = fleet.updates[d];
                    refusals[i].spoil(&update);
                    if (rule_add(&round, &update) != refusals[i].error) {
                        fail_msg("%s: %s", rule_at(r)->name, refusals[i].what);
                    }
                }
                if (with_refused) {
                    assert_int_equal(rule_add(&round, &wrong.updates[0]), MYCEL_E_SHAPE);
                }
                assert_int_equal(rule_add(&round, &fleet.updates[d]), 0);
            }
            assert_int_equal(rule_add(&round, &fleet.updates[0]), MYCEL_E_FULL);
            assert_int_equal(rule_finish(&round, fleet.base, with_refused ? next : clean, NULL), 0);
        }
        assert_memory_equal(clean, next, sizeof clean);
    }
    fleet_close(&fleet);
    fleet_close(&wrong);
}

static void absurd_values_are_refused(void **state)
{
    (void)state;
    enum { SMALL = 300 };
    struct fleet fleet;
    float delta[SMALL] = {0};
    fleet_open(&fleet, 2, SMALL, CODEC_F32, 23);
    delta[9] = -256.0f;
    fleet_set(&fleet, 1, delta, CODEC_F32);
    struct rule_strategy plain = fleet_strategy("fedavg");
    struct rule_strategy clipped = fleet_strategy("clip fixed norm=1 > fedavg");
    struct rule_setup setup = fleet_setup(&fleet, &plain);
    struct rule_round round;
    begin(&round, &setup);
    assert_int_equal(rule_add(&round, &fleet.updates[1]), MYCEL_E_NORM);
    setup.strategy = &clipped;
    begin(&round, &setup);
    assert_int_equal(rule_add(&round, &fleet.updates[1]), 0);
    fleet_close(&fleet);
}

static void empty_and_oversized_rounds(void **state)
{
    (void)state;
    struct fleet fleet;
    float next[100];
    fleet_open(&fleet, 1, 100, CODEC_F32, 24);
    struct rule_strategy strategy = fleet_strategy("median");
    struct rule_setup setup = fleet_setup(&fleet, &strategy);
    struct rule_round round;
    begin(&round, &setup);
    assert_int_equal(rule_finish(&round, fleet.base, next, NULL), MYCEL_E_STATE);
    setup.work_bytes = rule_work_bytes(&setup) - 1;
    assert_int_equal(rule_begin(&round, &setup), MYCEL_E_NO_MEMORY);
    setup.work_bytes = SIZE_MAX;
    setup.updates_max = RULE_GATHER_MAX + 1;
    assert_int_equal(rule_begin(&round, &setup), MYCEL_E_INVALID);
    assert_int_equal(rule_work_bytes(&setup), 0);
    strategy = fleet_strategy("fedavg");
    setup.updates_max = RULE_UPDATES_MAX + 1;
    assert_int_equal(rule_begin(&round, &setup), MYCEL_E_INVALID);
    setup.updates_max = RULE_UPDATES_MAX;
    setup.weight_max = CODEC_WEIGHT_MAX + 1;
    assert_int_equal(rule_begin(&round, &setup), MYCEL_E_INVALID);
    setup.weight_max = CODEC_WEIGHT_MAX;
    assert_int_equal(rule_begin(&round, &setup), MYCEL_E_TOO_LARGE);
    setup.weight_max = 10;
    strategy = fleet_strategy("fltrust");
    assert_int_equal(rule_begin(&round, &setup), MYCEL_E_INVALID); /* no reference */
    fleet_close(&fleet);
}

static void a_spoilt_result_is_reported(void **state)
{
    (void)state;
    struct fleet fleet;
    float next[100];
    fleet_open(&fleet, 3, 100, CODEC_F32, 25);
    fleet.base[42] = NAN;
    for (uint32_t r = 0; r < rule_count(); r++) {
        struct rule_strategy strategy = fleet_strategy(rule_at(r)->name);
        struct rule_setup setup = fleet_setup(&fleet, &strategy);
        struct rule_round round;
        setup.updates_max = 3;
        setup.reference = fleet.deltas[0];
        begin(&round, &setup);
        assert_int_equal(rule_add(&round, &fleet.updates[0]), 0);
        assert_int_equal(rule_finish(&round, fleet.base, next, NULL), MYCEL_E_NONFINITE);
    }
    fleet_close(&fleet);
}

/* The documented bound: the largest sum that can occur does not wrap. */
static void the_largest_sum_does_not_overflow(void **state)
{
    (void)state;
    struct fleet fleet;
    float next[4], delta[4] = {255.99f, -255.99f, 255.99f, 0};
    fleet_open(&fleet, 1, 4, CODEC_F32, 26);
    fleet_set(&fleet, 0, delta, CODEC_F32);
    fleet.updates[0].weight = 10000;
    struct rule_strategy strategy = fleet_strategy("fedavg");
    struct rule_setup setup = fleet_setup(&fleet, &strategy);
    struct rule_round round;
    setup.updates_max = 100000;
    setup.weight_max = 10000;
    begin(&round, &setup);
    for (uint32_t i = 0; i < setup.updates_max; i++) {
        assert_int_equal(rule_add(&round, &fleet.updates[0]), 0);
    }
    assert_int_equal(rule_finish(&round, fleet.base, next, NULL), 0);
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(fabs((double)(next[i] - fleet.base[i] - delta[i])) < 1e-4);
    }
    fleet_close(&fleet);
}

static void in_place_is_allowed(void **state)
{
    (void)state;
    struct fleet fleet;
    float next[100];
    fleet_open(&fleet, 3, 100, CODEC_F32, 27);
    for (uint32_t r = 0; r < rule_count(); r++) {
        struct rule_strategy strategy = fleet_strategy(rule_at(r)->name);
        struct rule_setup setup = fleet_setup(&fleet, &strategy);
        struct rule_round round;
        float model[100];
        setup.updates_max = 3;
        setup.reference = fleet.deltas[0];
        memcpy(model, fleet.base, sizeof model);
        for (int in_place = 0; in_place < 2; in_place++) {
            begin(&round, &setup);
            for (uint32_t d = 0; d < 3; d++) {
                assert_int_equal(rule_add(&round, &fleet.updates[d]), 0);
            }
            float *base = in_place ? model : fleet.base;
            assert_int_equal(rule_finish(&round, base, in_place ? model : next, NULL), 0);
        }
        assert_memory_equal(model, next, sizeof model);
    }
    fleet_close(&fleet);
}

/* Updates that point away from the reference, or nowhere, count but do not move the model. */
static void fltrust_follows_nobody_who_opposes(void **state)
{
    (void)state;
    struct fleet fleet;
    float opposed[100], next[100], zero[100] = {0};
    fleet_open(&fleet, 2, 100, CODEC_F32, 28);
    for (uint32_t i = 0; i < 100; i++) {
        opposed[i] = -fleet.deltas[0][i];
    }
    fleet_set(&fleet, 1, zero, CODEC_F32);
    struct rule_strategy strategy = fleet_strategy("fltrust");
    struct rule_setup setup = fleet_setup(&fleet, &strategy);
    struct rule_result result;
    struct rule_round round;
    setup.reference = opposed;
    begin(&round, &setup);
    assert_int_equal(rule_add(&round, &fleet.updates[0]), 0);
    assert_int_equal(rule_add(&round, &fleet.updates[1]), 0);
    assert_int_equal(rule_finish(&round, fleet.base, next, &result), 0);
    assert_int_equal(result.updates, 2);
    assert_memory_equal(next, fleet.base, sizeof next);
    fleet_close(&fleet);
}

/* A device may claim any loss; one that would dominate the denominator is refused. */
static void absurd_losses_are_refused(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_open(&fleet, 1, 100, CODEC_F32, 29);
    struct rule_strategy strategy = fleet_strategy("qfedavg q=5");
    struct rule_setup setup = fleet_setup(&fleet, &strategy);
    struct rule_round round;
    begin(&round, &setup);
    fleet.updates[0].loss = 1e6f;
    assert_int_equal(rule_add(&round, &fleet.updates[0]), MYCEL_E_NORM);
    assert_int_equal(round.updates, 0);
    fleet_close(&fleet);
}

static void merging_respects_the_capacity(void **state)
{
    (void)state;
    struct fleet fleet;
    static _Alignas(16) uint8_t work[2][1u << 20];
    float head[RULE_STATE_HEAD];
    fleet_open(&fleet, 3, 100, CODEC_F32, 30);
    struct rule_strategy strategy = fleet_strategy("median");
    struct rule_setup setup = fleet_setup(&fleet, &strategy);
    struct rule_round rounds[2];
    setup.updates_max = 2;
    setup.state = head;
    rule_state_init(&strategy, 100, head);
    for (uint32_t c = 0; c < 2; c++) {
        setup.work = work[c];
        setup.work_bytes = sizeof work[c];
        assert_int_equal(rule_begin(&rounds[c], &setup), 0);
        assert_int_equal(rule_add(&rounds[c], &fleet.updates[c]), 0);
    }
    assert_int_equal(rule_add(&rounds[0], &fleet.updates[2]), 0);
    assert_int_equal(rule_merge(&rounds[0], &rounds[1]), MYCEL_E_FULL);
    assert_int_equal(rounds[0].updates, 2);
    fleet_close(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_and_split_change_no_bit),
        cmocka_unit_test(refused_updates_leave_no_trace),
        cmocka_unit_test(absurd_values_are_refused),
        cmocka_unit_test(empty_and_oversized_rounds),
        cmocka_unit_test(a_spoilt_result_is_reported),
        cmocka_unit_test(the_largest_sum_does_not_overflow),
        cmocka_unit_test(in_place_is_allowed),
        cmocka_unit_test(fltrust_follows_nobody_who_opposes),
        cmocka_unit_test(absurd_losses_are_refused),
        cmocka_unit_test(merging_respects_the_capacity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
