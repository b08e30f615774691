/* Rules that need more than updates: SCAFFOLD's variates and FLTrust's reference, in whole simulations. */
#include "sim/run.h"

#include <mycel/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void keep_last(void *user, const struct world *world, const struct run_figures *figures)
{
    (void)world;
    *(struct run_figures *)user = *figures;
}

/* Thirty devices with few classes each, six a round; `changes` ends with NULL. */
static int simulate(const char *const *changes, struct run_figures *figures, char *problem)
{
    static const char *const settings[] = {"data=blobs:2000,12,8",
                                           "model=12x12x1 > dense 32 relu > dense 8 softmax",
                                           "partition=dirichlet:0.2",
                                           "batch=10",
                                           "epochs=3",
                                           "rate=0.05",
                                           "devices=30",
                                           "goal=6",
                                           "pace_s=1",
                                           "rounds=15",
                                           "evaluate_every=15"};
    struct scenario scenario;
    const struct run_observer observer = {.user = figures, .ended = keep_last};
    scenario_init(&scenario);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        assert_int_equal(scenario_assign(&scenario, settings[i], problem), 0);
    }
    for (; *changes != NULL; changes++) {
        assert_int_equal(scenario_assign(&scenario, *changes, problem), 0);
    }
    return sim_run(&scenario, &observer, problem);
}

static double accuracy_of(const char *const *changes)
{
    struct run_figures figures;
    char problem[SCENARIO_PROBLEM_BYTES];
    int rc = simulate(changes, &figures, problem);
    if (rc != 0) {
        fail_msg("%s: %s", mycel_error_text(rc), problem);
    }
    assert_int_equal(figures.version, 15);
    return figures.accuracy;
}

#define ACCURACY(...) accuracy_of((const char *const[]){__VA_ARGS__, NULL})

static void scaffold_corrects_the_drift(void **state)
{
    (void)state;
    double without = ACCURACY("strategy=fedavg");
    assert_true(ACCURACY("strategy=scaffold") > without + 0.05);
    /* Variates follow what was decoded, in short encodings, too. */
    assert_true(ACCURACY("strategy=scaffold", "codec=drive1") > without + 0.03);
}

static void scaffold_survives_crashes_and_reboots(void **state)
{
    (void)state;
    assert_true(ACCURACY("strategy=scaffold", "crashes=10000", "reboots=1000") > 0.75);
}

static void scaffold_is_for_plain_sgd(void **state)
{
    (void)state;
    static const char *const changes[] = {"strategy=scaffold", "momentum=0.5", NULL};
    struct run_figures figures;
    char problem[SCENARIO_PROBLEM_BYTES];
    assert_int_equal(simulate(changes, &figures, problem), MYCEL_E_INVALID);
    assert_non_null(strstr(problem, "plain SGD"));
}

static void fltrust_knows_whom_to_trust(void **state)
{
    (void)state;
#define HOSTILE "attack=scale:-5", "attackers=0.3"
    double average = ACCURACY("strategy=fedavg", HOSTILE);
    double trust = ACCURACY("strategy=fltrust", HOSTILE);
    assert_true(average < 0.45);
    assert_true(trust > 0.6);
    /* Fifty samples of its own are another reference. */
    assert_true(ACCURACY("strategy=fltrust", HOSTILE, "root_samples=50") != trust);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scaffold_corrects_the_drift),
        cmocka_unit_test(scaffold_survives_crashes_and_reboots),
        cmocka_unit_test(scaffold_is_for_plain_sgd),
        cmocka_unit_test(fltrust_knows_whom_to_trust),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
