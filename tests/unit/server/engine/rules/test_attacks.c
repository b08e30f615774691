/*
 * Hostile devices: 6 of 30 send −10 times their delta, round after round, in a task whose optimum is
 * known (each device pulls the model towards its own point near the common one). The plain mean must be
 * seen to fail, or the test would prove nothing.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fleet.h"

#define PARAMS 1500u
#define DEVICES 30u
#define ATTACKERS 6u
#define ROUNDS 80u

static float goal[PARAMS], own_goal[DEVICES][PARAMS];

static void goals_draw(void)
{
    fleet_normal(goal, PARAMS, 31, 0);
    for (uint32_t d = 0; d < DEVICES; d++) {
        fleet_normal(own_goal[d], PARAMS, 31, 1 + d);
        for (uint32_t i = 0; i < PARAMS; i++) {
            own_goal[d][i] = goal[i] + 0.3f * own_goal[d][i];
        }
    }
}

static void devices_train(struct fleet *fleet, uint32_t attackers)
{
    float delta[PARAMS];
    for (uint32_t d = 0; d < DEVICES; d++) {
        float factor = 0.2f * (d < attackers ? -10.0f : 1.0f);
        for (uint32_t i = 0; i < PARAMS; i++) {
            delta[i] = factor * (own_goal[d][i] - fleet->base[i]);
        }
        fleet_set(fleet, d, delta, CODEC_INT8);
        fleet->updates[d].weight = 100;
        fleet->updates[d].scale = 1;
        fleet->updates[d].steps = 10;
    }
}

/* Distance to the goal that is left after all rounds, 1 at the start. A run that is 20 times further away
 * than that has diverged, and ends. */
static double distance_left(const char *text, uint32_t attackers)
{
    struct fleet fleet;
    fleet_open(&fleet, DEVICES, PARAMS, CODEC_F32, 32);
    memset(fleet.base, 0, PARAMS * sizeof *fleet.base);
    struct rule_strategy strategy = fleet_strategy(text);
    struct rule_setup setup = fleet_setup(&fleet, &strategy);
    float root[PARAMS];
    float *state = calloc(rule_state_floats(&strategy, PARAMS), sizeof *state);
    float *next = calloc(PARAMS, sizeof *next);
    rule_state_init(&strategy, PARAMS, state);
    double start = fleet_norm(goal, PARAMS), left = 1;
    for (uint32_t round = 0; round < ROUNDS && left < 20; round++) {
        devices_train(&fleet, attackers);
        for (uint32_t i = 0; i < PARAMS; i++) {
            root[i] = 0.2f * (goal[i] - fleet.base[i]);
        }
        setup.reference = root;
        fleet_run(&fleet, &setup, NULL, 1, state, next);
        memcpy(fleet.base, next, PARAMS * sizeof *next);
        left = fleet_distance(next, goal, PARAMS) / start;
    }
    free(state);
    free(next);
    fleet_close(&fleet);
    return left;
}

static void the_plain_mean_fails(void **state)
{
    (void)state;
    assert_true(distance_left("fedavg", 0) < 0.1);
    assert_true(distance_left("fedavg", ATTACKERS) > 10);
    assert_true(distance_left("fedadam lr=0.05", ATTACKERS) > 1);
}

static void robust_strategies_hold(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double most;
    } strategies[] = {
        {"multikrum", 0.15},
        {"krum", 0.4},
        {"median", 0.15},
        {"trimmed", 0.15},
        {"rfa", 0.25},
        {"fltrust", 0.15},
        {"centredclip radius=2 lr=0.5", 0.4},
        {"clip adaptive > fedadam lr=0.05", 0.4},
        {"clip adaptive > fedavg", 0.4},
        {"clip fixed norm=2 > fedavg", 0.4},
    };
    for (size_t i = 0; i < sizeof strategies / sizeof *strategies; i++) {
        double clean = distance_left(strategies[i].text, 0);
        double attacked = distance_left(strategies[i].text, ATTACKERS);
        printf("  %-34s clean %.3f, attacked %.3f\n", strategies[i].text, clean, attacked);
        if (!(attacked < strategies[i].most && clean < strategies[i].most)) {
            fail_msg("%s: clean %.3f, attacked %.3f", strategies[i].text, clean, attacked);
        }
    }
}

static int setup_goals(void **state)
{
    (void)state;
    goals_draw();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plain_mean_fails),
        cmocka_unit_test(robust_strategies_hold),
    };
    return cmocka_run_group_tests(tests, setup_goals, NULL);
}
