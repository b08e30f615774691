/*
 * Who may take part: an unknown name and a wrong key get nothing, a revoked device is cut off while
 * connected, a key file that others can read is not used, and the others train on.
 */
#include "probe.h"

#include <mycel/error.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define SILENCE_MS 4000

static struct world world;

static int open_world(void **state)
{
    (void)state;
    world_open(&world, 3);
    run_create(&world, 2, 2, 2, "60s");
    server_start(&world, NULL);
    return 0;
}

static const struct mycel_request links = {.method = MYCEL_GET,
                                           .path = {PROTO_PATH_WELL_KNOWN, PROTO_PATH_CORE},
                                           .content_format = MYCEL_FORMAT_NONE};

static void test_strangers_hear_nothing(void **state)
{
    (void)state;
    static const uint8_t key[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    struct probe probe;
    probe_open_as(&probe, world.port, "stranger", key);
    assert_int_equal(probe_ask(&probe, &links, SILENCE_MS).code, 0);
    probe_close(&probe);
    probe_open_as(&probe, world.port, "d0", key); /* a known name with a wrong key */
    assert_int_equal(probe_ask(&probe, &links, SILENCE_MS).code, 0);
    probe_close(&probe);
    probe_open(&probe, &world, 0);
    assert_int_equal(probe_ask(&probe, &links, PROBE_WAIT_MS).code, 205);
    probe_close(&probe);
}

static void test_everything_is_listed(void **state)
{
    (void)state;
    static const char wanted[] =
        "</c>;ct=65100,</m>;ct=42,</u>;ct=65101,</e>;ct=65100,</k>;ct=65100";
    struct probe probe;
    probe_open(&probe, &world, 0);
    struct probe_answer answer = probe_ask(&probe, &links, PROBE_WAIT_MS);
    probe_close(&probe);
    assert_int_equal(answer.code, 205);
    assert_int_equal(answer.format, PROTO_FORMAT_LINKS);
    assert_int_equal(answer.bytes, sizeof wanted - 1);
    assert_memory_equal(answer.payload, wanted, sizeof wanted - 1);
}

static void test_revoked_while_connected(void **state)
{
    (void)state;
    struct probe probe;
    probe_open(&probe, &world, 0);
    mycel_Lease lease = probe_lease(&probe, 60);
    assert_int_equal(lease.round, 1);
    assert_int_equal(MYCEL(&world, "device", "revoke", "d0"), 0);
    assert_true(process_expect(&world.server, "\"device_access_changed\"", 5000));
    assert_int_equal(probe_ask(&probe, &links, SILENCE_MS).code, 0);
    probe_close(&probe);
    probe_open(&probe, &world, 0); /* and cannot come back */
    assert_int_equal(probe_ask(&probe, &links, SILENCE_MS).code, 0);
    probe_close(&probe);
}

static void test_hang_up_reloads(void **state)
{
    (void)state;
    struct probe probe;
    assert_int_equal(kill(world.server.pid, SIGHUP), 0);
    assert_true(process_expect(&world.server, "\"reloading\"", 5000));
    probe_open(&probe, &world, 2);
    assert_int_equal(probe_ask(&probe, &links, PROBE_WAIT_MS).code, 205);
    probe_close(&probe);
}

static void test_readable_key_file_is_refused(void **state)
{
    (void)state;
    char path[HARNESS_PATH_BYTES];
    key_path(&world, 1, path, sizeof path);
    assert_int_equal(chmod(path, 0644), 0);
    device_start(&world, 1, NULL);
    int code = process_wait(&world.device[1], HARNESS_WAIT_MS);
    assert_int_equal(code, 4);
    assert_int_equal(chmod(path, 0600), 0);
}

static void test_the_others_train_on(void **state)
{
    (void)state;
    device_start(&world, 1, NULL);
    device_start(&world, 2, NULL);
    json_t *run = run_wait(&world, 2);
    check_counted_once(run);
    json_decref(run);
    json_t *devices = MYCEL_JSON(&world, "device", "list");
    char *text = json_dumps(devices, 0);
    assert_non_null(strstr(text, "revoked"));
    free(text);
    json_decref(devices);
    assert_int_equal(server_stop(&world), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strangers_hear_nothing),
        cmocka_unit_test(test_everything_is_listed),
        cmocka_unit_test(test_revoked_while_connected),
        cmocka_unit_test(test_hang_up_reloads),
        cmocka_unit_test(test_readable_key_file_is_refused),
        cmocka_unit_test(test_the_others_train_on),
    };
    return cmocka_run_group_tests(tests, open_world, world_teardown);
}
