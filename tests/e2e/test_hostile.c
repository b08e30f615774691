/*
 * Devices that say wrong things, over real DTLS: each gets its code and its reason, nothing of it is
 * counted, and the round still ends with the honest ones.
 */
#include "probe.h"

#include "common/base64url.h"

#include <mycel/error.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BODY_MAX 8192

static struct world world;
static uint8_t body[BODY_MAX];

static int open_world(void **state)
{
    (void)state;
    world_open(&world, 3);
    run_create(&world, 1, 2, 2, "60s");
    server_start(&world, NULL);
    return 0;
}

static struct probe_answer get(struct probe *probe, const char *first, const char *second)
{
    const struct mycel_request request = {
        .method = MYCEL_GET, .path = {first, second}, .content_format = MYCEL_FORMAT_NONE};
    return probe_ask(probe, &request, PROBE_WAIT_MS);
}

static struct probe_answer post(struct probe *probe, const char *path, uint16_t format,
                                const void *payload, size_t bytes)
{
    const struct mycel_request request = {.method = MYCEL_POST,
                                          .path = {path},
                                          .content_format = format,
                                          .payload = payload,
                                          .payload_bytes = bytes};
    return probe_ask(probe, &request, PROBE_WAIT_MS);
}

static void check_resources(struct probe *probe)
{
    struct probe_answer answer = get(probe, PROTO_PATH_WELL_KNOWN, PROTO_PATH_CORE);
    assert_int_equal(answer.code, 205);
    assert_int_equal(answer.format, PROTO_FORMAT_LINKS);
    assert_non_null(memmem(answer.payload, answer.bytes, "</c>", 4));

    assert_int_equal(get(probe, "nothing", "here").code, 404);
    assert_int_equal(get(probe, PROTO_PATH_CHECKIN, NULL).code, 405);
    assert_int_equal(get(probe, PROTO_PATH_MODEL, "short").code, 400);
    assert_int_equal(
        get(probe, PROTO_PATH_MODEL, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").code, 404);
}

static void check_check_ins(struct probe *probe)
{
    uint8_t payload[64];
    struct probe_answer answer =
        post(probe, PROTO_PATH_CHECKIN, PROTO_FORMAT_MESSAGE, "\xff\xff\xff", 3);
    assert_int_equal(answer.code, 400);
    assert_int_equal(probe_reason(&answer), MYCEL_E_MALFORMED);
    answer = post(probe, PROTO_PATH_CHECKIN, PROTO_FORMAT_MODEL, "x", 1);
    assert_int_equal(answer.code, 415);

    mycel_CheckIn future = mycel_CheckIn_init_zero;
    future.protocol_min = PROTO_VERSION_MAX + 1;
    future.protocol_max = PROTO_VERSION_MAX + 5;
    int n = WIRE_ENCODE(mycel_CheckIn, &future, payload, sizeof payload);
    answer = post(probe, PROTO_PATH_CHECKIN, PROTO_FORMAT_MESSAGE, payload, (size_t)n);
    assert_int_equal(answer.code, 501);
    mycel_Problem problem;
    assert_int_equal(WIRE_DECODE(mycel_Problem, &problem, answer.payload, answer.bytes), 0);
    assert_int_equal(problem.reason, MYCEL_E_VERSION);
    assert_int_equal(problem.protocol_max, PROTO_VERSION_MAX);
    assert_true(strlen(problem.text) > 10);
}

static void check_bodies(struct probe *probe, const mycel_Lease *lease)
{
    uint8_t key[PROTO_KEY_BYTES];
    struct probe_answer answer;
    size_t bytes = probe_body(lease, 60, 0.001f, body, sizeof body);

    /* A key that nobody was given, and one byte beside the right one. */
    memset(key, 7, sizeof key);
    answer = probe_put(probe, key, body, bytes, 0);
    assert_int_equal(answer.code, 403);
    assert_int_equal(probe_reason(&answer), MYCEL_E_LEASE);
    memcpy(key, lease->update_key, sizeof key);
    key[15] ^= 1;
    assert_int_equal(probe_put(probe, key, body, bytes, 0).code, 403);

    /* Larger than any update may be: refused before a byte is stored. */
    char text[PROTO_KEY_TEXT + 1];
    base64url_encode(lease->update_key, PROTO_KEY_BYTES, text);
    const struct mycel_request huge = {.method = MYCEL_PUT,
                                       .path = {PROTO_PATH_UPDATE, text},
                                       .content_format = PROTO_FORMAT_UPDATE,
                                       .block = {MYCEL_BLOCK_1, 0, PROTO_BLOCK_SZX_MAX, true},
                                       .size1 = PROTO_UPDATE_BYTES_MAX + 1,
                                       .payload = body,
                                       .payload_bytes = PROTO_BLOCK_BYTES_MAX};
    memset(body + bytes, 0, sizeof body - bytes);
    assert_int_equal(probe_ask(probe, &huge, PROBE_WAIT_MS).code, 413);
}

static void test_wrong_things_get_their_codes(void **state)
{
    (void)state;
    struct probe probe;
    probe_open(&probe, &world, 0);
    check_resources(&probe);
    check_check_ins(&probe);
    mycel_Lease lease = probe_lease(&probe, 60);
    assert_string_equal(lease.model, world.model);
    check_bodies(&probe, &lease);

    /* NaN inside: a receipt with the reason, and the lease is used up. */
    size_t bytes = probe_body(&lease, 60, 0.001f, body, sizeof body);
    const float nan_value = NAN;
    memcpy(body + bytes - sizeof(float), &nan_value, sizeof nan_value);
    struct probe_answer answer = probe_upload(&probe, lease.update_key, body, bytes);
    assert_int_equal(probe_receipt(&answer).status, MYCEL_E_NONFINITE);

    /* The same again: the same receipt. Something else under the same key: conflict or that receipt. */
    struct probe_answer again = probe_upload(&probe, lease.update_key, body, bytes);
    assert_int_equal(probe_receipt(&again).status, MYCEL_E_NONFINITE);
    assert_int_equal(again.bytes, answer.bytes);
    assert_memory_equal(again.payload, answer.payload, answer.bytes);
    probe_close(&probe);
}

static void test_foreign_lease_is_refused(void **state)
{
    (void)state;
    struct probe owner, thief;
    probe_open(&owner, &world, 1);
    mycel_Lease lease = probe_lease(&owner, 60);
    size_t bytes = probe_body(&lease, 60, 0.001f, body, sizeof body);
    probe_open(&thief, &world, 2);
    struct probe_answer answer = probe_put(&thief, lease.update_key, body, bytes, 0);
    assert_int_equal(answer.code, 403);
    assert_int_equal(probe_reason(&answer), MYCEL_E_LEASE);
    probe_close(&thief);

    /* The owner's own upload counts once, however often it is sent. */
    uint8_t first[PROTO_MESSAGE_BYTES_MAX];
    size_t first_bytes = 0;
    for (int i = 0; i < 5; i++) {
        answer = probe_upload(&owner, lease.update_key, body, bytes);
        assert_int_equal(probe_receipt(&answer).status, 0);
        if (i == 0) {
            first_bytes = answer.bytes;
            memcpy(first, answer.payload, answer.bytes);
        }
        assert_int_equal(answer.bytes, first_bytes);
        assert_memory_equal(answer.payload, first, first_bytes);
    }
    probe_close(&owner);
}

static void test_round_ends_with_the_honest(void **state)
{
    (void)state;
    device_start(&world, 2, NULL);
    json_t *run = run_wait(&world, 1);
    check_counted_once(run);
    json_t *round = json_array_get(json_object_get(run, "rounds"), 0);
    assert_int_equal(json_array_size(json_object_get(round, "accepted")), 2);
    json_t *rejected = json_object_get(round, "rejected");
    assert_int_equal(json_array_size(rejected), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(rejected, 0), "reason")),
                        "NONFINITE");
    json_decref(run);
    assert_int_equal(server_stop(&world), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_things_get_their_codes),
        cmocka_unit_test(test_foreign_lease_is_refused),
        cmocka_unit_test(test_round_ends_with_the_honest),
    };
    return cmocka_run_group_tests(tests, open_world, world_teardown);
}
