/* What a sleeping radio and its polls cost is in the report and in the battery, and it is the same. */
#include "sim/fleet/daytime.h"
#include "sim/run.h"
#include "sim/world/world.h"

#include <mycel/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define DAY_S 86400.0
#define LEVELS 4294967296.0

struct energies {
    double virtual_s;
    double reported_j; /* what the run reports: all of it */
    double class_j;    /* what the page's table of classes has for the radios */
    double compute_j;
    double datagrams_j;
    double battery_j; /* missing in the battery of the first device, at the end */
    uint32_t devices;
};

static void measure(void *user, const struct world *world, const struct run_figures *figures)
{
    struct energies *e = user;
    const struct battery *battery = &world->fleet.batteries[0];
    struct battery_state level = world->fleet.devices[0].battery;
    battery_advance(battery, &level, world->now_us, 0);
    *e = (struct energies){.virtual_s = figures->virtual_s,
                           .reported_j = figures->energy_j,
                           .class_j = world_radio_j(world, 0),
                           .compute_j = (double)world->tally.classes[0].compute_nj * 1e-9,
                           .datagrams_j = (double)world->tally.classes[0].radio_nj * 1e-9,
                           .battery_j = (double)battery->capacity_mj * 1e-3 *
                                        (double)(UINT32_MAX - level.level) / LEVELS,
                           .devices = world->fleet.class_devices[0]};
}

/* A few rounds, days apart; `changes` ends with NULL. */
static struct energies simulate(const char *const *changes)
{
    static const char *const settings[] = {"data=blobs:60,3,3", "model=3x3x1 > dense 3 softmax",
                                           "batch=10",          "rounds=3",
                                           "interval_s=172800", "evaluate_every=100"};
    struct scenario scenario;
    struct energies energies;
    char problem[SCENARIO_PROBLEM_BYTES];
    const struct run_observer observer = {.user = &energies, .ended = measure};
    scenario_init(&scenario);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        assert_int_equal(scenario_assign(&scenario, settings[i], problem), 0);
    }
    for (; *changes != NULL; changes++) {
        assert_int_equal(scenario_assign(&scenario, *changes, problem), 0);
    }
    int rc = sim_run(&scenario, &observer, problem);
    if (rc != 0) {
        fail_msg("%s: %s", mycel_error_text(rc), problem);
    }
    assert_true(energies.virtual_s > 3 * DAY_S);
    return energies;
}

#define SIMULATE(...) simulate((const char *const[]){__VA_ARGS__, NULL})

static void assert_near(double found, double expected, double share)
{
    if (found < expected * (1 - share) || found > expected * (1 + share)) {
        fail_msg("%g is not %g", found, expected);
    }
}

static void reports_contain_sleep_and_polls(void **state)
{
    (void)state;
    struct energies e = SIMULATE("classes=nrf52840", "devices=4", "goal=4");
    /* 4.5 uW, and 29.241 uJ each second (tests/unit/sim/network/test_radio.c). */
    double asleep_j = e.devices * e.virtual_s * (4.5e-6 + 29.241e-6);
    assert_near(e.class_j, e.datagrams_j + asleep_j, 1e-4);
    assert_near(e.reported_j, e.compute_j + e.datagrams_j + asleep_j, 1e-4);
    assert_true(asleep_j > e.reported_j / 2);
    struct energies seldom = SIMULATE("classes=nrf52840", "devices=4", "goal=4", "poll_ms=10000");
    asleep_j = seldom.devices * seldom.virtual_s * (4.5e-6 + 2.9241e-6);
    assert_near(seldom.class_j, seldom.datagrams_j + asleep_j, 1e-4);
}

/* With idling (10 uW of the board), the same joules are gone from a battery as the report has. */
static void batteries_pay_what_is_reported(void **state)
{
    (void)state;
    struct energies e =
        SIMULATE("classes=nrf52840", "devices=1", "goal=1", "minimum=1", "battery=none");
    assert_near(e.battery_j, e.reported_j + 10e-6 * e.virtual_s, 2e-3);
    struct energies lora = SIMULATE("classes=nrf52840", "devices=1", "goal=1", "minimum=1",
                                    "battery=none", "radio=lora");
    assert_near(lora.class_j, lora.datagrams_j + 5e-6 * lora.virtual_s, 1e-4);
    assert_near(lora.battery_j, lora.reported_j + 10e-6 * lora.virtual_s, 2e-3);
}

/* A board on the mains whose radio never sleeps: its listening is idling, which is not reported. */
static void radios_that_listen_cost_datagrams_only(void **state)
{
    (void)state;
    struct energies e = SIMULATE("classes=raspberry-pi", "devices=4", "goal=4");
    assert_true(e.datagrams_j > 0);
    assert_near(e.class_j, e.datagrams_j, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_contain_sleep_and_polls),
        cmocka_unit_test(batteries_pay_what_is_reported),
        cmocka_unit_test(radios_that_listen_cost_datagrams_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
