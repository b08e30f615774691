/*
 * SCAFFOLD between real processes: after some rounds the coordinator's control variate is the mean of those
 * that lie on the devices, through encodings that are anything but exact, a device that was killed and a
 * coordinator that was started anew; and a device that cannot keep one is told so.
 */
#include "harness.h"
#include "probe.h"

#include "server/store/blob.h"
#include "server/store/store.h"
#include "server/store/store_model.h"
#include "server/store/store_run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DEVICES 3
#define PARAMS 108 /* of the world's model: 8 > dense 8 relu > dense 4 softmax */
#define HEAD (PROTO_CONTROL_HEAD_BYTES / 4u)
#define JOURNAL_CONTROL_VALID 66 /* client/runtime/journal.c: place of the valid c_i, 1 or 2 */

static struct world world;

static void create(const char *rounds)
{
    assert_int_equal(MYCEL(&world, "run", "create", "--name", "r", "--model", world.model,
                           "--rounds", rounds, "--goal", "3", "--min", "3", "--over-selection", "1",
                           "--pace", "200ms", "--batch", "10", "--learning-rate", "0.2", "--seed",
                           "7", "--strategy", "scaffold", "--codecs", "int8,drive1"),
                     0);
}

static void add_own(unsigned device, double sum[PARAMS])
{
    uint8_t journal[1024];
    float own[PARAMS];
    assert_true(device_file(&world, device, "journal", journal, sizeof journal) >
                JOURNAL_CONTROL_VALID);
    uint8_t valid = journal[JOURNAL_CONTROL_VALID];
    assert_in_range(valid, 1, 2);
    assert_int_equal(
        device_file(&world, device, valid == 1 ? "control.a" : "control.b", own, sizeof own),
        sizeof own);
    for (int i = 0; i < PARAMS; i++) {
        sum[i] += (double)own[i];
    }
}

static void read_server(float state[HEAD + PARAMS])
{
    const struct store_options options = {.folder = world.state, .read_only = true};
    struct store *store;
    struct store_version newest;
    size_t bytes;
    assert_int_equal(store_open(&options, &store, NULL), 0);
    assert_int_equal(store_version_newest(store, 1, &newest), 0);
    assert_true(newest.has_optimizer);
    assert_int_equal(store_blob_load(store, newest.optimizer_sha256, state,
                                     (HEAD + PARAMS) * sizeof *state, &bytes),
                     0);
    assert_int_equal(bytes, (HEAD + PARAMS) * sizeof *state);
    store_close(store);
}

static void start_devices(void)
{
    device_start(&world, 0, NULL);
    device_start_with(&world, 1, NULL, (const char *const[]){"--narrow-link", NULL});
    device_start(&world, 2, NULL);
}

/* The last update was counted; the device knows it when its journal has no job any more. */
static void wait_for_receipt(unsigned device)
{
    uint8_t journal[1024] = {0, 0, 0, 255};
    for (unsigned waited = 0; journal[3] != 0 && waited < HARNESS_WAIT_MS; waited += 50) {
        pause_ms(50);
        assert_true(device_file(&world, device, "journal", journal, sizeof journal) > 3);
    }
    assert_int_equal(journal[3], 0);
}

static void test_server_has_the_mean_of_the_devices(void **state)
{
    (void)state;
    world_open(&world, DEVICES);
    create("6");
    server_start(&world, NULL);
    start_devices();
    json_decref(run_wait(&world, 2));
    server_kill(&world);
    for (unsigned i = 0; i < DEVICES; i++) {
        device_kill(&world, i);
    }
    server_start(&world, NULL);
    start_devices();
    json_decref(run_wait(&world, 6));
    for (unsigned i = 0; i < DEVICES; i++) {
        wait_for_receipt(i);
        device_kill(&world, i);
    }

    float server[HEAD + PARAMS];
    double sum[PARAMS] = {0}, largest = 0;
    read_server(server);
    for (unsigned i = 0; i < DEVICES; i++) {
        add_own(i, sum);
    }
    for (int i = 0; i < PARAMS; i++) {
        largest = fmax(largest, fabs(sum[i] / DEVICES));
        assert_true(fabs((double)server[HEAD + i] - sum[i] / DEVICES) < 1e-5);
    }
    assert_true(largest > 1e-3); /* they are not all zeros */
    assert_int_equal(server_stop(&world), 0);
}

static mycel_CheckInReply check_in(struct probe *probe, uint32_t features)
{
    mycel_CheckIn m = {.protocol_min = PROTO_VERSION_MIN,
                       .protocol_max = PROTO_VERSION_MAX,
                       .samples = 60,
                       .codecs = 1u << mycel_Codec_CODEC_INT8,
                       .battery_percent = 255,
                       .idle = true,
                       .features = features};
    mycel_CheckInReply reply;
    assert_true(probe_check_in(probe, &m, &reply));
    return reply;
}

/* A window promises nothing, so it is sent before its reason is on disk. */
static void expect_why(const char *device, const char *expected)
{
    json_t *why = MYCEL_JSON(&world, "device", "why", device);
    for (unsigned waited = 0; waited < HARNESS_WAIT_MS; waited += 50) {
        if (json_array_size(json_object_get(why, "selection")) > 0) {
            break;
        }
        json_decref(why);
        pause_ms(50);
        why = MYCEL_JSON(&world, "device", "why", device);
    }
    json_t *last = json_array_get(json_object_get(why, "selection"), 0);
    assert_non_null(last);
    assert_string_equal(json_string_value(json_object_get(last, "why")), expected);
    json_decref(why);
}

static void test_device_that_keeps_no_variate(void **state)
{
    (void)state;
    struct probe probe;
    world_open(&world, 2);
    create("1");
    server_start(&world, NULL);
    probe_open(&probe, &world, 0);
    mycel_CheckInReply reply = check_in(&probe, 0);
    assert_int_equal(reply.which_answer, mycel_CheckInReply_window_tag);
    assert_int_equal(reply.answer.window.reason, MYCEL_E_UNSUPPORTED);
    expect_why("d0", "CONTROL");

    probe_close(&probe);
    probe_open(&probe, &world, 1);
    reply = check_in(&probe, PROTO_FEATURE_CONTROL);
    assert_int_equal(reply.which_answer, mycel_CheckInReply_lease_tag);
    assert_true(reply.answer.lease.control);
    for (int i = 0; i < 32; i++) {
        assert_int_equal(reply.answer.lease.control_sha256[i], 0); /* c is 0 before round 1 */
    }
    probe_close(&probe);
    assert_int_equal(server_stop(&world), 0);
}

static void test_settings_that_do_not_go_with_it(void **state)
{
    (void)state;
    world_open(&world, 1);
    assert_int_equal(MYCEL(&world, "run", "create", "--model", world.model, "--strategy",
                           "scaffold", "--momentum", "0.9"),
                     2);
    assert_int_equal(MYCEL(&world, "run", "create", "--model", world.model, "--strategy",
                           "clip adaptive > scaffold", "--staleness-max", "4"),
                     2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_server_has_the_mean_of_the_devices, world_teardown),
        cmocka_unit_test_teardown(test_device_that_keeps_no_variate, world_teardown),
        cmocka_unit_test_teardown(test_settings_that_do_not_go_with_it, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
