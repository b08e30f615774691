/*
 * Devices with certificates, as processes, beside devices with keys: they train together; whoever comes
 * with a wrong certificate gets nothing and is named in the coordinator's log; a device leaves an
 * impostor alone; who is revoked is cut off within a second.
 */
#include "harness.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define WITH_KEYS 2u /* d0 and d1; d2 and d3 come with certificates */
#define ARGS_MAX 40
#define SOON_MS 20000u

static struct world world;

static const char *file_of(const char *name, const char *ending, char path[HARNESS_PATH_BYTES])
{
    snprintf(path, HARNESS_PATH_BYTES, "%.200s/%s.%s", world.folder, name, ending);
    return path;
}

static void make(const char *kinds)
{
    char command[1024];
    snprintf(command, sizeof command, "'%s/tests/certificates/make.sh' %s %s", MYCEL_SOURCE_DIR,
             world.folder, kinds);
    assert_int_equal(system(command), 0);
}

/* The coordinator with the certificate of that name. */
static void serve(const char *name)
{
    char own[HARNESS_PATH_BYTES], key[HARNESS_PATH_BYTES], ca[HARNESS_PATH_BYTES];
    server_start(&world, (const char *const[]){"--certificate", file_of(name, "pem", own),
                                               "--private-key", file_of(name, "key", key),
                                               "--device-ca", file_of("ca", "pem", ca), NULL});
}

/* Device `index` with the certificate of that name; it expects the coordinator to be called so. */
static void start(unsigned index, const char *name, const char *coordinator_name)
{
    char address[32], own[HARNESS_PATH_BYTES], key[HARNESS_PATH_BYTES], ca[HARNESS_PATH_BYTES];
    char folder[HARNESS_PATH_BYTES], log[HARNESS_PATH_BYTES], slice[8];
    struct process *device = &world.device[index];
    snprintf(address, sizeof address, "127.0.0.1:%u", world.port);
    snprintf(slice, sizeof slice, "%u", index);
    memcpy(device->log, file_of(name, "log", log), sizeof device->log);
    const char *args[ARGS_MAX] = {"mycel",
                                  "client",
                                  "--coordinator",
                                  address,
                                  "--directory",
                                  file_of(name, "state", folder),
                                  "--certificate",
                                  file_of(name, "pem", own),
                                  "--private-key",
                                  file_of(name, "key", key),
                                  "--coordinator-ca",
                                  file_of("ca", "pem", ca),
                                  "--coordinator-name",
                                  coordinator_name,
                                  "--data",
                                  world.train,
                                  "--slice",
                                  slice,
                                  "--slices",
                                  "4",
                                  "--on-battery",
                                  "--patience",
                                  "3s",
                                  NULL};
    process_spawn(device, MYCEL_BIN, args);
}

static void enroll(const char *name)
{
    assert_int_equal(MYCEL(&world, "device", "enroll", name, "--certificate"), 0);
}

static int open_world(void **state)
{
    (void)state;
    char psk[HARNESS_PATH_BYTES];
    world_prepare(&world, 4);
    world.devices = WITH_KEYS;
    world_enroll(&world);
    world.devices = 4;
    make("ca other-ca coordinator device:d2 device:d3 foreign:d4 expired:d5 device:d6 device:keyed "
         "coordinator-foreign:impostor");
    enroll("d2");
    enroll("d3");
    enroll("d4");
    enroll("d5");
    assert_int_equal(
        MYCEL(&world, "device", "enroll", "keyed", "--key-out", file_of("keyed", "psk", psk)), 0);
    run_create(&world, 2, 4, 4, "120s");
    serve("coordinator");
    return 0;
}

static void test_both_kinds_train_together(void **state)
{
    (void)state;
    device_start(&world, 0, NULL);
    device_start(&world, 1, NULL);
    start(2, "d2", "fleet.example");
    start(3, "d3", "127.0.0.1");
    json_t *run = run_wait(&world, 2);
    check_counted_once(run);
    json_t *accepted =
        json_object_get(json_array_get(json_object_get(run, "rounds"), 1), "accepted");
    assert_int_equal(json_array_size(accepted), 4);
    json_decref(run);
    device_kill(&world, 0);
    device_kill(&world, 1);
    device_kill(&world, 3);
}

/* d2 is still there. */
static void test_revoked_while_connected(void **state)
{
    (void)state;
    assert_int_equal(MYCEL(&world, "device", "revoke", "d2"), 0);
    assert_true(process_expect(&world.server, "\"device_access_changed\"", 5000));
    assert_true(process_expect(&world.server, "\"sessions_ended\":1", 1000));
    assert_true(process_expect(&world.server, "certificate of d2 refused: no active", SOON_MS));
    device_kill(&world, 2);
}

static void expect_refused(unsigned index, const char *name, const char *why)
{
    char line[128];
    snprintf(line, sizeof line, "certificate of %s refused: %s", name, why);
    start(index, name, "fleet.example");
    if (!process_expect(&world.server, line, SOON_MS)) {
        fail_msg("nobody said: %s", line);
    }
    if (strcmp(why, "expired") == 0) { /* which the device knows itself */
        assert_true(process_expect(&world.device[index], ".pem: expired", SOON_MS));
    }
    device_kill(&world, index);
}

static void test_wrong_certificates(void **state)
{
    (void)state;
    expect_refused(0, "d4", "not signed by the CA");
    expect_refused(3, "d5", "expired");
    expect_refused(1, "d6", "no active device"); /* never enrolled */
    expect_refused(2, "keyed", "no active device");
}

/* The client refuses to begin with some: it says so, and ends. */
static void test_what_is_refused_at_the_start(void **state)
{
    (void)state;
    char path[HARNESS_PATH_BYTES], out[512];
    assert_int_equal(chmod(file_of("d3", "key", path), 0644), 0);
    start(3, "d3", "fleet.example");
    assert_int_equal(process_wait(&world.device[3], HARNESS_WAIT_MS), 4);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(
        mycel(&world, out, sizeof out, (const char *const[]){"serve", "--certificate", "x", NULL}),
        2);
    assert_non_null(strstr(out, "only together"));
}

/* The CRL and certificate files are read anew on SIGHUP. */
static void test_hang_up_renews(void **state)
{
    (void)state;
    char path[HARNESS_PATH_BYTES];
    assert_int_equal(kill(world.server.pid, SIGHUP), 0);
    assert_true(process_expect(&world.server, "\"certificates_renewed\"", 5000));
    assert_int_equal(chmod(file_of("coordinator", "key", path), 0640), 0);
    assert_int_equal(kill(world.server.pid, SIGHUP), 0);
    assert_true(process_expect(&world.server, "\"certificates_kept\"", 5000));
    assert_int_equal(chmod(path, 0600), 0);
}

/* With several workers each of them would refuse, one after the other: the operator is told at once. */
static void test_hang_up_with_another_key(void **state)
{
    (void)state;
    char key[HARNESS_PATH_BYTES], kept[HARNESS_PATH_BYTES], other[HARNESS_PATH_BYTES];
    assert_int_equal(rename(file_of("coordinator", "key", key), file_of("kept", "key", kept)), 0);
    assert_int_equal(rename(file_of("d3", "key", other), key), 0);
    assert_int_equal(kill(world.server.pid, SIGHUP), 0);
    assert_true(process_expect(&world.server, "private key: does not belong to the key", 5000));
    assert_true(process_expect(&world.server, "\"certificates_kept\"", 1000));
    assert_int_equal(rename(key, other), 0);
    assert_int_equal(rename(kept, key), 0);
}

static void test_an_impostor_gets_nothing(void **state)
{
    (void)state;
    assert_int_equal(server_stop(&world), 0);
    serve("impostor");
    start(3, "d3", "fleet.example");
    assert_true(process_expect(&world.device[3],
                               "the coordinator's certificate is refused: not signed by the CA",
                               SOON_MS));
    device_kill(&world, 3);
    assert_int_equal(server_stop(&world), 0);
    serve("coordinator");
    start(3, "d3", "elsewhere.example");
    assert_true(process_expect(&world.device[3],
                               "the coordinator's certificate is refused: another's", SOON_MS));
    device_kill(&world, 3);
    start(3, "d3", "fleet.example");
    assert_true(process_expect(&world.device[3], "no work", SOON_MS));
    assert_int_equal(server_stop(&world), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_kinds_train_together),
        cmocka_unit_test(test_revoked_while_connected),
        cmocka_unit_test(test_wrong_certificates),
        cmocka_unit_test(test_what_is_refused_at_the_start),
        cmocka_unit_test(test_hang_up_renews),
        cmocka_unit_test(test_hang_up_with_another_key),
        cmocka_unit_test(test_an_impostor_gets_nothing),
    };
    return cmocka_run_group_tests(tests, open_world, world_teardown);
}
