/*
 * Real devices and a real coordinator with a bad network between them, made by the forwarder from a
 * seed. Whatever is lost, doubled, late or rebound, and however often devices are killed: every round
 * ends, and counts each device exactly once. Prints what each case took, one JSON object a line.
 *
 *   e2e_loss [CASE]   MYCEL_DEVICES (6), MYCEL_ROUNDS (2), MYCEL_SEED (1), MYCEL_LIMIT_S (240)
 */
#include "forwarder_process.h"

#include "common/rng.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
// cmocka needs those above
#include <cmocka.h>

#define LOOK_MS 100u
#define REBOOT_MS 20000u /* each device is killed so often, in the cases with reboots */
#define OPTIONS_MAX 12

struct scenario {
    const char *name;
    bool reboots;
    const char *network[OPTIONS_MAX]; /* of the forwarder, beside the seed */
    const char *device[OPTIONS_MAX];
};

/* A round trip of 20 ms is there in all of them. */
#define RTT "--rtt-ms", "20"
static struct scenario scenarios[] = {
    {.name = "clean", .network = {RTT}},
    {.name = "loss5", .network = {RTT, "--loss", "5"}},
    {.name = "loss20", .network = {RTT, "--loss", "20"}},
    {.name = "loss50", .network = {RTT, "--loss", "50"}},
    {.name = "duplicates", .network = {RTT, "--duplicate", "20"}},
    {.name = "disorder", .network = {RTT, "--reorder", "20", "--reorder-ms", "60"}},
    {.name = "rebinding", .network = {RTT, "--rebind", "10"}},
    {.name = "mesh", .network = {RTT, "--loss", "8", "--frame-bytes", "96", "--kbit", "250"}},
    {.name = "mesh64",
     .network = {RTT, "--loss", "8", "--frame-bytes", "96", "--kbit", "250"},
     .device = {"--block", "64"}},
    {.name = "reboots", .reboots = true, .network = {RTT, "--loss", "5"}},
    {.name = "mixed",
     .network = {RTT, "--loss", "5", "--duplicate", "20", "--reorder", "20", "--rebind", "25"}},
    {.name = "everything",
     .reboots = true,
     .network = {RTT, "--loss", "20", "--duplicate", "20", "--reorder", "20", "--rebind", "25"}},
};
#define SCENARIOS (sizeof scenarios / sizeof scenarios[0])

static struct world world;
static struct process forwarder;

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int close_world(void **state)
{
    (void)state;
    process_kill(&forwarder);
    world_close(&world);
    return 0;
}

static void start_network(const struct scenario *scenario, uint64_t seed)
{
    const char *options[OPTIONS_MAX + 3] = {"--seed"};
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    options[1] = text;
    for (unsigned i = 0; i < OPTIONS_MAX && scenario->network[i]; i++) {
        options[2 + i] = scenario->network[i];
    }
    snprintf(forwarder.log, sizeof forwarder.log, "%.200s/forwarder.log", world.folder);
    world.device_port = forwarder_start(&forwarder, world.folder, 0, world.port, options);
}

/* Waits for the last round, killing devices meanwhile if that is the case's point. */
static json_t *run_through(const struct scenario *scenario, uint64_t seed, unsigned rounds,
                           unsigned *reboots)
{
    int64_t start_ms = now_ms();
    int64_t limit_ms = (int64_t)number_from("MYCEL_LIMIT_S", 240) * 1000;
    int64_t between_ms = REBOOT_MS / world.devices;
    int64_t reboot_ms = start_ms + between_ms / 4;
    while (now_ms() - start_ms < limit_ms) {
        json_t *run = MYCEL_JSON(&world, "run", "show", "r");
        if (run_committed(run) >= rounds) {
            return run;
        }
        json_decref(run);
        if (scenario->reboots && now_ms() >= reboot_ms) {
            unsigned index = rng_below(seed, 2, (*reboots)++, world.devices);
            device_kill(&world, index);
            device_start(&world, index, NULL);
            reboot_ms = now_ms() + between_ms;
        }
        pause_ms(LOOK_MS);
    }
    fail_msg("%s: not %u rounds in time; repeat with MYCEL_SEED=%llu", scenario->name, rounds,
             (unsigned long long)seed);
    return NULL;
}

static double count_of(json_t *counts, const char *name)
{
    json_t *up = json_object_get(json_object_get(counts, "up"), name);
    json_t *down = json_object_get(json_object_get(counts, "down"), name);
    return (double)(json_integer_value(up) + json_integer_value(down));
}

static void print_case(const struct scenario *scenario, json_t *counts, unsigned rounds,
                       int64_t took_ms, unsigned reboots)
{
    double updates = (double)rounds * world.devices;
    printf("{\"test\":\"loss\",\"case\":\"%s\",\"devices\":%u,\"rounds\":%u,\"reboots\":%u,"
           "\"round_s\":%.2f,\"datagrams_per_round\":%.0f,\"datagrams_per_update\":%.1f,"
           "\"bytes_per_update\":%.0f,\"lost\":%.0f,\"duplicated\":%.0f,\"reordered\":%.0f,"
           "\"rebinds\":%lld}\n",
           scenario->name, world.devices, rounds, reboots, (double)took_ms / 1000.0 / rounds,
           count_of(counts, "offered") / rounds, count_of(counts, "offered") / updates,
           count_of(counts, "bytes") / updates, count_of(counts, "lost"),
           count_of(counts, "duplicated"), count_of(counts, "reordered"),
           json_integer_value(json_object_get(counts, "rebinds")));
    fflush(stdout);
}

static void test_every_round_ends(void **state)
{
    const struct scenario *scenario = *state;
    unsigned rounds = (unsigned)number_from("MYCEL_ROUNDS", 2);
    unsigned devices = (unsigned)number_from("MYCEL_DEVICES", 6);
    uint64_t seed = number_from("MYCEL_SEED", 1);
    unsigned reboots = 0;
    assert_in_range(devices, 1, HARNESS_DEVICES_MAX);
    world_prepare(&world, devices);
    world.device_args = scenario->device;
    snprintf(world.model, sizeof world.model, "8 > dense 128 relu > dense 4 softmax");
    world_enroll(&world);
    run_create(&world, rounds, devices, devices, "3600s");
    server_start(&world, NULL);
    start_network(scenario, seed);
    int64_t start_ms = now_ms();
    for (unsigned i = 0; i < devices; i++) {
        device_start(&world, i, NULL);
    }
    json_t *run = run_through(scenario, seed, rounds, &reboots);
    int64_t took_ms = now_ms() - start_ms;
    json_t *counts = forwarder_stop(&forwarder);
    check_counted_once(run);
    size_t i;
    json_t *round;
    json_array_foreach(json_object_get(run, "rounds"), i, round)
    {
        assert_int_equal(json_array_size(json_object_get(round, "accepted")), devices);
    }
    print_case(scenario, counts, rounds, took_ms, reboots);
    json_decref(counts);
    json_decref(run);
    assert_int_equal(server_stop(&world), 0);
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[SCENARIOS];
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    for (size_t i = 0; i < SCENARIOS; i++) {
        tests[i] = (struct CMUnitTest){.name = scenarios[i].name,
                                       .test_func = test_every_round_ends,
                                       .teardown_func = close_world,
                                       .initial_state = &scenarios[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
