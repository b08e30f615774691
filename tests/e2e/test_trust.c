/*
 * FLTrust in a real coordinator: it trains on its root set in every round and measures the devices by it. A
 * device that sends the opposite of what helps is accepted, as nothing tells it from others, and weighs nothing.
 */
#include "harness.h"
#include "probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ROUNDS 2 /* before so many norms are known that the attacker is refused by its own */
#define BODY_MAX 8192

static struct world world;

static int create(const char *strategy, const char *root)
{
    const char *all[] = {"run",
                         "create",
                         "--name",
                         "r",
                         "--model",
                         world.model,
                         "--rounds",
                         "2",
                         "--goal",
                         "3",
                         "--min",
                         "3",
                         "--over-selection",
                         "1",
                         "--pace",
                         "200ms",
                         "--batch",
                         "10",
                         "--codec",
                         "f32",
                         "--seed",
                         "7",
                         "--learning-rate",
                         "0.3",
                         "--strategy",
                         strategy,
                         root ? "--root-data" : NULL,
                         root,
                         NULL};
    return mycel(&world, NULL, 0, all);
}

/* One round of a device that sends a huge constant. */
static void attack(struct probe *probe)
{
    static uint8_t body[BODY_MAX];
    mycel_Lease lease = probe_lease(probe, 60);
    size_t bytes = probe_body(&lease, 60, 2.0f, body, sizeof body);
    assert_int_equal(probe_upload(probe, lease.update_key, body, bytes).code / 100, 2);
}

/* The last round, once its version's score is on the disk, too: that comes after the version. */
static double last_accuracy(void)
{
    for (unsigned waited = 0; waited <= HARNESS_WAIT_MS; waited += 50) {
        json_t *run = run_wait(&world, ROUNDS);
        json_t *last = json_array_get(json_object_get(run, "rounds"), ROUNDS - 1);
        json_t *accuracy = json_object_get(json_object_get(last, "metrics"), "accuracy");
        double value = json_is_number(accuracy) ? json_number_value(accuracy) : -1.0;
        check_counted_once(run);
        json_decref(run);
        if (value >= 0.0) {
            return value;
        }
        (void)usleep(50000);
    }
    fail_msg("the last version was not scored in time");
    return 0.0;
}

static double accuracy_after_attacks(const char *strategy, char sha256[65])
{
    world_open(&world, 3);
    assert_int_equal(create(strategy, world.test), 0);
    server_start(&world,
                 (const char *const[]){"--root-data", world.test, "--root-samples", "100", NULL});
    device_start(&world, 0, NULL);
    device_start(&world, 1, NULL);
    struct probe probe;
    probe_open(&probe, &world, 2);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        attack(&probe);
        json_decref(run_wait(&world, round));
    }
    double accuracy = last_accuracy();
    json_t *model = MYCEL_JSON(&world, "model", "show", "r");
    snprintf(sha256, 65, "%s", json_string_value(json_object_get(model, "sha256")));
    json_decref(model);
    probe_close(&probe);
    world_close(&world);
    return accuracy;
}

static void test_an_attacker_weighs_nothing(void **state)
{
    (void)state;
    char first[65], again[65], collapsed[65];
    double trusted = accuracy_after_attacks("fltrust", first);
    assert_true(trusted > 0.6);
    assert_true(trusted == accuracy_after_attacks("fltrust", again));
    assert_string_equal(first, again);
    assert_true(accuracy_after_attacks("fedavg", collapsed) < trusted - 0.2);
}

static void test_without_a_root_set_nothing_is_promised(void **state)
{
    (void)state;
    world_open(&world, 1);
    assert_int_equal(create("fltrust", NULL), 2);
    assert_int_equal(create("fltrust", world.test), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_attacker_weighs_nothing),
        cmocka_unit_test_teardown(test_without_a_root_set_nothing_is_promised, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
