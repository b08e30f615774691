/* Scenarios of seeds mean the same as their text; a checked run is the run that it would be unchecked. */
#include "sim/check/check.h"
#include "sim/check/scenario.h"
#include "sim/run.h"

#include <mycel/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void write_to(const struct scenario *scenario, char path[])
{
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    assert_int_equal(check_scenario_write(scenario, file), 0);
    assert_int_equal(fclose(file), 0);
}

static void text_means_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        char path[] = "/tmp/mycel-check-XXXXXX";
        char problem[SCENARIO_PROBLEM_BYTES];
        struct scenario drawn, again;
        check_scenario_draw(&drawn, seed);
        assert_true(check_scenario_is_sound(&drawn));
        write_to(&drawn, path);
        scenario_init(&again);
        assert_int_equal(scenario_read(&again, path, problem), 0);
        assert_int_equal(unlink(path), 0);
        for (size_t i = 0; i < scenario_key_count(); i++) {
            char before[SCENARIO_TEXT_BYTES], after[SCENARIO_TEXT_BYTES];
            scenario_text(&drawn, &scenario_keys[i], before, sizeof before);
            scenario_text(&again, &scenario_keys[i], after, sizeof after);
            assert_string_equal(before, after);
        }
    }
}

static void keep_hash(void *user, const struct world *world, const struct run_figures *figures)
{
    (void)world;
    memcpy(user, figures->model_sha256, PROTO_SHA256_BYTES);
}

static void same_with_and_without_checks(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        char problem[SCENARIO_PROBLEM_BYTES];
        uint8_t unchecked[PROTO_SHA256_BYTES] = {0};
        struct check_result first, second;
        struct scenario scenario;
        const struct run_observer observer = {.user = unchecked, .ended = keep_hash};
        check_scenario_draw(&scenario, seed);
        assert_true(checked_run(&scenario, &first));
        assert_true(checked_run(&scenario, &second));
        assert_memory_equal(&first, &second, sizeof first);
        (void)sim_run(&scenario, &observer, problem);
        assert_memory_equal(first.model_sha256, unchecked, sizeof unchecked);
    }
}

static void set(struct scenario *scenario, const char *key, const char *value)
{
    char problem[SCENARIO_PROBLEM_BYTES];
    assert_int_equal(scenario_set(scenario, key, value, problem), 0);
}

/* A run that cannot go on is a finding if it was promised that it would, and only then. */
static void progress_is_asked_for(void **state)
{
    struct check_result result;
    struct scenario scenario;
    (void)state;
    check_scenario_calm(&scenario);
    assert_true(checked_run(&scenario, &result));
    assert_int_equal(result.figures.versions, 1);
    set(&scenario, "goal", "4"); /* of three devices */
    set(&scenario, "virtual_max_s", "5000");
    assert_false(check_scenario_is_sound(&scenario));
    assert_false(checked_run(&scenario, &result));
    assert_string_equal(result.finding.check, "progress");
    assert_true(result.finding.at_us >= 5000000000u);
    set(&scenario, "heal_s", "0");
    assert_true(checked_run(&scenario, &result));
}

static void crashes_are_where_they_were_placed(void **state)
{
    char problem[SCENARIO_PROBLEM_BYTES];
    struct check_result result;
    struct scenario scenario;
    (void)state;
    check_scenario_calm(&scenario);
    set(&scenario, "heal_s", "1000");
    set(&scenario, "rounds", "3");
    set(&scenario, "crash_at", "3,40,commit:1,commit:2,99999999");
    assert_true(checked_run(&scenario, &result));
    assert_int_equal(result.figures.crashes, 4);
    set(&scenario, "down_s", "30"); /* while it is down it cannot crash again */
    assert_true(checked_run(&scenario, &result));
    assert_in_range(result.figures.crashes, 1, 4);
    assert_true(result.now_us > 60000000u);
    set(&scenario, "crash_at", "3,x");
    assert_false(checked_run(&scenario, &result));
    assert_string_equal(result.finding.check, "run");
    assert_int_equal(sim_run(&scenario, &(struct run_observer){0}, problem), MYCEL_E_INVALID);
    assert_non_null(strstr(problem, "crash_at"));
}

static void healed_means_without_faults(void **state)
{
    struct check_result result;
    struct scenario scenario;
    (void)state;
    check_scenario_calm(&scenario);
    set(&scenario, "rounds", "4");
    set(&scenario, "loss", "p:rate=0.5");
    set(&scenario, "duplicates", "0.5");
    set(&scenario, "heal_s", "100000");
    assert_true(checked_run(&scenario, &result));
    assert_true(result.figures.lost > 0);
    set(&scenario, "heal_s", "0.000001");
    set(&scenario, "start_s", "5");
    assert_true(checked_run(&scenario, &result));
    assert_int_equal(result.figures.lost, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_means_the_same),
        cmocka_unit_test(same_with_and_without_checks),
        cmocka_unit_test(progress_is_asked_for),
        cmocka_unit_test(crashes_are_where_they_were_placed),
        cmocka_unit_test(healed_means_without_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
