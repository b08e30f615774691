/*
 * What an operator does while the coordinator works: rolls a run back (while it runs, and while it is
 * down), averages versions, lets old ones go, and asks why a device is not heard.
 */
#include "harness.h"
#include "probe.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define DEVICES 3
#define PARAMS 108 /* of the world's model: 8 > dense 8 relu > dense 4 softmax */

static struct world world;

static long integer(json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    return json_is_integer(value) ? (long)json_integer_value(value) : -1;
}

static const char *text(json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

static void start_devices(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        device_start(&world, i, NULL);
    }
}

/* With the coordinator, so that nobody waits for a session that is no more. */
static void kill_all(void)
{
    server_kill(&world);
    for (unsigned i = 0; i < world.devices; i++) {
        device_kill(&world, i);
    }
}

static void wait_finished(const char *name)
{
    for (unsigned waited = 0; waited <= 2 * HARNESS_WAIT_MS; waited += 100) {
        json_t *run = MYCEL_JSON(&world, "run", "show", name);
        bool finished = strcmp(text(run, "state"), "finished") == 0;
        json_decref(run);
        if (finished) {
            return;
        }
        pause_ms(100);
    }
    fail_msg("the run did not end");
}

/* A round that was committed made the version after its base; one at most was given up. */
static void check_rounds(unsigned devices, unsigned abandoned_max)
{
    json_t *run = MYCEL_JSON(&world, "run", "show", "r");
    size_t i;
    json_t *round;
    unsigned abandoned = 0;
    check_counted_once(run);
    json_array_foreach(json_object_get(run, "rounds"), i, round)
    {
        if (strcmp(text(round, "state"), "committed") == 0) {
            assert_int_equal(json_array_size(json_object_get(round, "accepted")), devices);
        } else {
            assert_string_equal(text(round, "state"), "abandoned");
            abandoned++;
        }
    }
    assert_true(abandoned <= abandoned_max);
    json_decref(run);
}

/* --- rollback ----------------------------------------------------------------------------------- */

/* Stops the coordinator while a round is open, which an operator's version then overtakes: so rounds and versions keep
 * the same numbers. Between a version and the next round's row there is a moment without one, and one that runs on can
 * be there by the time that something is done about what was seen: hence stopped first, looked at then. */
static void freeze_in_a_round(unsigned committed)
{
    bool open = false;
    json_decref(run_wait(&world, committed));
    for (unsigned tries = 0; !open && tries < 100; tries++) {
        int status = 0;
        assert_int_equal(kill(world.server.pid, SIGSTOP), 0);
        assert_int_equal(waitpid(world.server.pid, &status, WUNTRACED), world.server.pid);
        assert_true(WIFSTOPPED(status));
        json_t *run = MYCEL_JSON(&world, "run", "show", "r");
        const json_t *rounds = json_object_get(run, "rounds");
        json_t *last = json_array_get(rounds, json_array_size(rounds) - 1);
        open = strcmp(text(last, "state"), "committed") != 0;
        json_decref(run);
        if (!open) {
            assert_int_equal(kill(world.server.pid, SIGCONT), 0);
            pause_ms(5);
        }
    }
    assert_true(open);
}

/* One that was stopped within a transaction keeps others from writing: then it goes on, and is stopped again. */
static void roll_back_in_a_round(unsigned committed, const char *version)
{
    int code = -1;
    for (unsigned tries = 0; code != 0 && tries < 10; tries++) {
        freeze_in_a_round(committed);
        code = MYCEL(&world, "model", "rollback", version);
        assert_int_equal(kill(world.server.pid, SIGCONT), 0);
    }
    assert_int_equal(code, 0);
}

/* The only version of that kind; the one after it was made from it. Returns its number. */
static long check_lineage(const char *kind, long content_of)
{
    json_t *list = MYCEL_JSON(&world, "model", "list", "r");
    size_t i;
    json_t *version;
    long found = -1;
    json_array_foreach(list, i, version)
    {
        assert_int_equal(integer(version, "version"), i);
        if (i > 0) {
            assert_int_equal(integer(version, "parent"), i - 1);
        }
        if (strcmp(text(version, "kind"), kind) == 0) {
            assert_int_equal(found, -1);
            found = (long)i;
        }
    }
    assert_true(found > 0);
    assert_true((size_t)found + 1 < json_array_size(list));
    if (content_of >= 0) {
        json_t *made = json_array_get(list, (size_t)found);
        assert_string_equal(text(made, "sha256"),
                            text(json_array_get(list, (size_t)content_of), "sha256"));
        assert_int_equal(integer(made, "source"), content_of);
    }
    json_decref(list);
    return found;
}

/* The event log repeats it, with the engine that started over in the middle. */
static void check_replay(const char *events)
{
    pid_t pid = fork();
    int status = -1;
    assert_true(pid >= 0);
    if (pid == 0) {
        execl(MYCEL_BIN, "mycel", "replay", events, NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_rollback_under_a_running_coordinator(void **state)
{
    (void)state;
    char events[HARNESS_PATH_BYTES];
    world_open(&world, DEVICES);
    snprintf(events, sizeof events, "%.200s/events.log", world.folder);
    run_create(&world, 8, DEVICES, DEVICES, "120s");
    server_start(&world, (const char *const[]){"--record", events, NULL});
    start_devices(DEVICES);
    roll_back_in_a_round(3, "r:1");
    /* Whatever else is changed while it starts over is not missed. */
    assert_int_equal(MYCEL(&world, "run", "create", "--name", "s", "--model", world.model, "--goal",
                           "1", "--rounds", "1", "--pace", "200ms"),
                     0);
    /* It either sees the new version, or its own is refused because the number is taken. */
    assert_true(process_expect(&world.server, "\"rebuilt\"", HARNESS_WAIT_MS));
    wait_finished("s");
    wait_finished("r");
    long number = check_lineage("rollback", 1);
    assert_true(number >= 4);
    check_rounds(DEVICES, 1);
    assert_int_equal(MYCEL(&world, "check"), 0);
    assert_int_equal(server_stop(&world), 0);
    check_replay(events);
}

/* Two of three devices have reported when the coordinator dies; the operator rolls back; what the two
 * sent belongs to a round that is given up, and they are asked again. */
static void test_rollback_while_it_is_down(void **state)
{
    (void)state;
    static const char *const debug[] = {"--log-level", "debug", NULL};
    world_open(&world, DEVICES);
    run_create(&world, 4, DEVICES, DEVICES, "120s");
    server_start(&world, debug);
    start_devices(2);
    assert_true(process_expect(&world.server, "\"update_accepted\"", HARNESS_WAIT_MS));
    assert_true(process_expect(&world.server, "\"update_accepted\"", HARNESS_WAIT_MS));
    kill_all();
    assert_int_equal(MYCEL(&world, "model", "rollback", "r:0"), 0);
    server_start(&world, NULL);
    start_devices(DEVICES);
    wait_finished("r");
    assert_int_equal(check_lineage("rollback", 0), 1);
    check_rounds(DEVICES, 1);
    json_t *run = MYCEL_JSON(&world, "run", "show", "r");
    json_t *first = json_array_get(json_object_get(run, "rounds"), 0);
    assert_string_equal(text(first, "state"), "abandoned");
    assert_int_equal(json_array_size(json_object_get(first, "accepted")), 2);
    json_decref(run);
    assert_int_equal(server_stop(&world), 0);
}

/* --- averages ------------------------------------------------------------------------------------ */

static void read_version(long number, float params[PARAMS])
{
    char name[24], path[HARNESS_PATH_BYTES];
    snprintf(name, sizeof name, "r:%ld", number);
    snprintf(path, sizeof path, "%.200s/v.f32", world.folder);
    assert_int_equal(
        MYCEL(&world, "model", "export", name, "--format", "raw", "--out", path, "--force"), 0);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(params, sizeof(float), PARAMS, file), PARAMS);
    fclose(file);
}

static void test_average_is_adopted(void **state)
{
    (void)state;
    world_open(&world, DEVICES);
    run_create(&world, 6, DEVICES, DEVICES, "120s");
    server_start(&world, NULL);
    start_devices(DEVICES);
    freeze_in_a_round(3); /* so that it is known what is averaged */
    kill_all();
    json_t *shown = MYCEL_JSON(&world, "run", "show", "r");
    long newest = integer(shown, "version");
    json_decref(shown);
    assert_int_equal(MYCEL(&world, "model", "average", "r", "--versions", "3"), 4);
    assert_int_equal(
        MYCEL(&world, "model", "average", "r", "--versions", "3", "--decay", "0.25", "--adopt"), 0);
    float a[PARAMS], b[PARAMS], c[PARAMS], mean[PARAMS];
    read_version(newest - 2, a);
    read_version(newest - 1, b);
    read_version(newest, c);
    read_version(newest + 1, mean);
    for (unsigned i = 0; i < PARAMS; i++) {
        float wanted = 0.25f * (0.25f * a[i] + 0.75f * b[i]) + 0.75f * c[i];
        assert_true(fabsf(mean[i] - wanted) <= 1e-6f * (1.0f + fabsf(wanted)));
    }
    assert_memory_not_equal(mean, c, sizeof mean);
    if (newest + 1 < 6) { /* else the average was the last one that was asked for */
        server_start(&world, NULL);
        start_devices(DEVICES);
        wait_finished("r");
        assert_int_equal(check_lineage("average", -1), newest + 1);
        check_rounds(DEVICES, 1);
        assert_int_equal(server_stop(&world), 0);
    }
}

/* --- retention ----------------------------------------------------------------------------------- */

static void test_old_versions_go(void **state)
{
    (void)state;
    static const char *const keep[] = {"--keep-versions", "2", NULL};
    world_open(&world, DEVICES);
    run_create(&world, 6, DEVICES, DEVICES, "120s");
    assert_int_equal(MYCEL(&world, "model", "tag", "r:0", "first"), 0);
    server_start(&world, keep);
    start_devices(DEVICES);
    wait_finished("r");
    json_t *list = MYCEL_JSON(&world, "model", "list", "r");
    size_t i;
    json_t *version;
    assert_int_equal(json_array_size(list), 7);
    json_array_foreach(list, i, version)
    {
        bool kept = json_is_true(json_object_get(version, "kept"));
        assert_int_equal(kept, i == 0 || i >= 5);
        assert_true(json_is_object(json_object_get(version, "metrics")) || i == 0);
    }
    json_decref(list);
    assert_int_equal(MYCEL(&world, "model", "rollback", "r:2"), 4); /* nothing to go back to */
    assert_int_equal(MYCEL(&world, "model", "rollback", "r:first"), 0);
    assert_int_equal(MYCEL(&world, "check"), 0);
    assert_int_equal(server_stop(&world), 0);
}

/* --- restore ------------------------------------------------------------------------------------ */

/* The coordinator's disk is lost; a backup from some rounds before takes its place. The devices, who
 * remember more than it does, go on with it. */
static void test_restored_backup(void **state)
{
    (void)state;
    char copy[HARNESS_PATH_BYTES], restored[HARNESS_PATH_BYTES];
    world_open(&world, DEVICES);
    run_create(&world, 6, DEVICES, DEVICES, "120s");
    server_start(&world, NULL);
    start_devices(DEVICES);
    json_decref(run_wait(&world, 2));
    snprintf(restored, sizeof restored, "%.200s/restored", world.folder);
    assert_int_equal(mkdir(restored, 0700), 0);
    snprintf(copy, sizeof copy, "%.220s/mycel.db", restored);
    assert_int_equal(MYCEL(&world, "backup", copy), 0); /* while it works */
    assert_int_equal(MYCEL(&world, "backup", copy), 4);
    json_decref(run_wait(&world, 4));
    kill_all();
    snprintf(world.state, sizeof world.state, "%s", restored);
    assert_int_equal(MYCEL(&world, "check"), 0);
    json_t *run = MYCEL_JSON(&world, "run", "show", "r");
    assert_in_range(integer(run, "version"), 2, 4);
    json_decref(run);
    server_start(&world, NULL);
    start_devices(DEVICES);
    wait_finished("r");
    check_rounds(DEVICES, 0);
    assert_int_equal(MYCEL(&world, "check"), 0);
    assert_int_equal(server_stop(&world), 0);
}

/* --- pause ------------------------------------------------------------------------------------------ */

static void test_pause_and_resume(void **state)
{
    (void)state;
    world_open(&world, DEVICES);
    run_create(&world, 5, DEVICES, DEVICES, "120s");
    server_start(&world, NULL);
    start_devices(DEVICES);
    json_decref(run_wait(&world, 1));
    assert_int_equal(MYCEL(&world, "run", "pause", "r"), 0);
    assert_int_equal(MYCEL(&world, "run", "pause", "r"), 4);
    pause_ms(2500); /* what is under way may end */
    json_t *run = MYCEL_JSON(&world, "run", "show", "r");
    long version = integer(run, "version");
    assert_string_equal(text(run, "state"), "paused");
    json_decref(run);
    pause_ms(1500);
    run = MYCEL_JSON(&world, "run", "show", "r");
    assert_int_equal(integer(run, "version"), version);
    assert_true(version < 5);
    json_decref(run);
    assert_int_equal(MYCEL(&world, "run", "resume", "r"), 0);
    wait_finished("r");
    check_rounds(DEVICES, 0);
    assert_int_equal(MYCEL(&world, "run", "resume", "r"), 4);
    assert_int_equal(server_stop(&world), 0);
}

/* --- why ----------------------------------------------------------------------------------------- */

static void test_why_a_device_is_not_heard(void **state)
{
    (void)state;
    static uint8_t body[4096];
    struct probe probe;
    world_open(&world, 2);
    run_create(&world, 6, 2, 2, "120s");
    server_start(&world, NULL);
    probe_open(&probe, &world, 0);
    mycel_Lease lease = probe_lease(&probe, 60);
    size_t bytes = probe_body(&lease, 60, 0.001f, body, sizeof body);
    const float nan_value = NAN;
    memcpy(body + bytes - sizeof nan_value, &nan_value, sizeof nan_value);
    struct probe_answer answer = probe_upload(&probe, lease.update_key, body, bytes);
    assert_true(probe_receipt(&answer).status < 0);
    probe_close(&probe);

    json_t *why = MYCEL_JSON(&world, "device", "why", "d0");
    json_t *refused = json_object_get(why, "refused");
    assert_int_equal(json_array_size(refused), 1);
    assert_string_equal(text(json_array_get(refused, 0), "reason"), "NONFINITE");
    assert_string_equal(text(json_array_get(refused, 0), "run"), "r");
    assert_int_equal(integer(why, "strikes"), 1);
    json_decref(why);

    /* No run for it: that is noted, and told. */
    assert_int_equal(MYCEL(&world, "run", "stop", "r"), 0);
    assert_int_equal(MYCEL(&world, "run", "create", "--name", "s", "--model", world.model,
                           "--samples-min", "1000000", "--goal", "1", "--rounds", "1"),
                     0);
    assert_true(process_expect(&world.server, "\"run_started\"", HARNESS_WAIT_MS));
    device_start(&world, 1, NULL);
    bool told = false;
    for (unsigned waited = 0; !told && waited < HARNESS_WAIT_MS; waited += 200) {
        why = MYCEL_JSON(&world, "device", "why", "d1");
        json_t *last = json_array_get(json_object_get(why, "selection"), 0);
        told = strcmp(text(last, "why"), "SAMPLES") == 0 && strcmp(text(last, "run"), "s") == 0;
        json_decref(why);
        pause_ms(200);
    }
    assert_true(told);
    assert_int_equal(MYCEL(&world, "device", "why", "nobody"), 3);
    assert_int_equal(server_stop(&world), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_rollback_under_a_running_coordinator, world_teardown),
        cmocka_unit_test_teardown(test_rollback_while_it_is_down, world_teardown),
        cmocka_unit_test_teardown(test_average_is_adopted, world_teardown),
        cmocka_unit_test_teardown(test_old_versions_go, world_teardown),
        cmocka_unit_test_teardown(test_restored_backup, world_teardown),
        cmocka_unit_test_teardown(test_pause_and_resume, world_teardown),
        cmocka_unit_test_teardown(test_why_a_device_is_not_heard, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
