/* Shrinking, against a made-up failure; and processes that do not survive. */
#include "sim/check/jobs.h"
#include "sim/check/scenario.h"
#include "sim/check/shrink.h"

#include <mycel/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct made_up {
    uint32_t devices; /* it fails with so many at least */
    const char *crash;
    uint32_t runs;
};

/* Fails in one way when there are many devices and one of the crashes; in another with no rounds left. */
static bool try_it(void *user, const struct scenario *scenario, struct check_result *result)
{
    struct made_up *m = user;
    memset(result, 0, sizeof *result);
    m->runs++;
    bool fails = scenario->devices >= m->devices && strstr(scenario->crash_at, m->crash) != NULL;
    (void)snprintf(result->finding.check, sizeof result->finding.check, "%s",
                   !fails                  ? ""
                   : scenario->rounds == 1 ? "another"
                                           : "quorum");
    return !fails;
}

static void tends_to_what_is_needed(void **state)
{
    struct made_up m = {.devices = 7, .crash = "commit:12"};
    struct check_result result = {.finding.check = "quorum"};
    struct scenario scenario;
    char problem[SCENARIO_PROBLEM_BYTES];
    (void)state;
    check_scenario_draw(&scenario, 5);
    scenario.devices = 39;
    scenario.rounds = 6;
    assert_int_equal(scenario_set(&scenario, "crash_at", "17,commit:12,900", problem), 0);
    uint32_t runs = check_shrink(&scenario, &result, 500, try_it, &m);
    assert_int_equal(runs, m.runs);
    assert_int_equal(scenario.devices, 7);
    assert_int_equal(scenario.rounds, 2);
    assert_string_equal(scenario.crash_at, "commit:12");
    assert_string_equal(scenario.loss, "none");
    assert_string_equal(scenario.mode, "sync");
    assert_int_equal(scenario.seed, 5);
    assert_string_equal(result.finding.check, "quorum");
}

static void is_bounded(void **state)
{
    struct made_up m = {.devices = 3, .crash = ""};
    struct check_result result = {.finding.check = "quorum"};
    struct scenario scenario;
    (void)state;
    check_scenario_draw(&scenario, 5);
    assert_int_equal(check_shrink(&scenario, &result, 3, try_it, &m), 3);
    assert_int_equal(m.runs, 3);
}

/* A model that no device can hold is a failure of the run, in the process as outside of it. */
static void isolated_tells_the_same(void **state)
{
    struct check_result inside, outside;
    struct scenario scenario;
    (void)state;
    check_scenario_draw(&scenario, 3);
    assert_int_equal(checked_run(&scenario, &inside), check_isolated(&scenario, &outside));
    assert_memory_equal(&inside, &outside, sizeof inside);
    (void)snprintf(scenario.model, sizeof scenario.model, "16 > nothing");
    assert_false(check_isolated(&scenario, &outside));
    assert_string_equal(outside.finding.check, "run");
}

static bool stop_at_once(void *user, uint64_t done, const struct check_figures *sum)
{
    (void)done;
    (void)sum;
    ++*(uint32_t *)user;
    return false;
}

static void seeds_are_shared_out(void **state)
{
    uint32_t looks = 0;
    struct check_outcome outcome;
    struct check_seeds seeds = {.first = 1, .count = 12, .jobs = 3};
    (void)state;
    assert_int_equal(check_seeds_run(&seeds, &outcome), 0);
    assert_false(outcome.failed);
    assert_int_equal(outcome.done, 12);
    assert_true(outcome.sum.versions > 0 && outcome.sum.events > 1000);
    seeds.count = UINT32_MAX;
    seeds.user = &looks;
    seeds.progress = stop_at_once;
    assert_int_equal(check_seeds_run(&seeds, &outcome), MYCEL_E_CLOSED);
    assert_true(looks > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tends_to_what_is_needed),
        cmocka_unit_test(is_bounded),
        cmocka_unit_test(isolated_tells_the_same),
        cmocka_unit_test(seeds_are_shared_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
