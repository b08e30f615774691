/*
 * Killed without warning and started again: the coordinator after each kind of event and at random
 * moments, devices in every phase. The run ends, each (device, round) is counted at most once, and
 * the model is the one that an undisturbed run makes, to the bit.
 */
#include "harness.h"

#include "common/rng.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DEVICES 3
#define ROUNDS 6
#define RANDOM_KILLS 6 /* MYCEL_KILLS=20 for the full size */
#define HASH_BYTES 65

static struct world world;

static void open_world(unsigned rounds)
{
    world_open(&world, DEVICES);
    run_create(&world, rounds, DEVICES, DEVICES, "120s");
    server_start(&world, NULL);
}

static void start_devices(void)
{
    for (unsigned i = 0; i < DEVICES; i++) {
        device_start(&world, i, NULL);
    }
}

/* The newest version's hash. */
static void model_hash(char hash[HASH_BYTES])
{
    json_t *model = MYCEL_JSON(&world, "model", "show", "r");
    const char *text = json_string_value(json_object_get(model, "sha256"));
    assert_non_null(text);
    snprintf(hash, HASH_BYTES, "%s", text);
    json_decref(model);
}

static void finish(unsigned rounds, char hash[HASH_BYTES])
{
    json_t *run = run_wait(&world, rounds);
    check_counted_once(run);
    size_t i;
    json_t *round;
    json_array_foreach(json_object_get(run, "rounds"), i, round)
    {
        assert_int_equal(json_array_size(json_object_get(round, "accepted")), DEVICES);
    }
    json_decref(run);
    model_hash(hash);
}

/* What an undisturbed run of so many rounds ends with. */
static void undisturbed(unsigned rounds, char hash[HASH_BYTES])
{
    open_world(rounds);
    start_devices();
    finish(rounds, hash);
    assert_int_equal(server_stop(&world), 0);
    world_close(&world);
}

static void test_coordinator_killed_after_each_event(void **state)
{
    (void)state;
    static const char *const moments[] = {"\"round_state\"", "\"update_accepted\"",
                                          "\"round_committed\"", "\"version_scored\""};
    static const char *const debug[] = {"--log-level", "debug", NULL};
    char expected[HASH_BYTES], hash[HASH_BYTES];
    undisturbed(ROUNDS, expected);
    open_world(ROUNDS);
    server_kill(&world);
    server_start(&world, debug);
    start_devices();
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        assert_true(process_expect(&world.server, moments[i], HARNESS_WAIT_MS));
        server_kill(&world);
        server_start(&world, debug);
    }
    finish(ROUNDS, hash);
    assert_string_equal(hash, expected);
}

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_coordinator_killed_at_random(void **state)
{
    (void)state;
    uint64_t seed = number_from("MYCEL_SEED", 1);
    uint64_t kills = number_from("MYCEL_KILLS", RANDOM_KILLS);
    unsigned rounds = 2 * ROUNDS;
    char expected[HASH_BYTES], hash[HASH_BYTES];
    undisturbed(rounds, expected);
    open_world(rounds);
    start_devices();
    for (uint64_t i = 0; i < kills; i++) {
        pause_ms(20 + rng_below(seed, 1, i, 600));
        server_kill(&world);
        server_start(&world, NULL);
    }
    finish(rounds, hash);
    if (strcmp(hash, expected) != 0) {
        fail_msg("another model; repeat with MYCEL_SEED=%llu", (unsigned long long)seed);
    }
}

static void test_devices_killed_in_every_phase(void **state)
{
    (void)state;
    static const char *const phases[] = {"\"event\":\"checkin\"", "\"event\":\"lease\"",
                                         "\"event\":\"fetched\"", "\"event\":\"trained\"",
                                         "\"event\":\"encoded\"", "\"event\":\"receipt\""};
    char expected[HASH_BYTES], hash[HASH_BYTES];
    undisturbed(ROUNDS, expected);
    open_world(ROUNDS);
    start_devices();
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        struct process *device = &world.device[i % DEVICES];
        assert_true(process_expect(device, phases[i], HARNESS_WAIT_MS));
        device_kill(&world, (unsigned)i % DEVICES);
        device_start(&world, (unsigned)i % DEVICES, NULL);
    }
    finish(ROUNDS, hash);
    assert_string_equal(hash, expected);
}

/* An argument chooses one of the tests by a pattern, so that they can run side by side. */
int main(int argc, char **argv)
{
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_coordinator_killed_after_each_event, world_teardown),
        cmocka_unit_test_teardown(test_coordinator_killed_at_random, world_teardown),
        cmocka_unit_test_teardown(test_devices_killed_in_every_phase, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
