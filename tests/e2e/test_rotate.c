/*
 * Another key for devices at work: over the air and in a file, whatever is killed in between. No round is
 * lost or counted twice, one key works at any moment, and what has ended is worth nothing.
 */
#include "probe.h"

#include "client/port/linux/key_file.h"
#include "proto/enrol.h"

#include <mycel/error.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SILENCE_MS 1500
#define TRIES 4 /* with two keys valid a device may need a second try */
#define KILLS 6
#define NEWS_MS 700 /* in which a running coordinator notices a command */

static struct world world;

static int open_world(void **state)
{
    (void)state;
    world_open(&world, 3);
    run_create(&world, 10000, 1, 1, "60s");
    server_start(&world, NULL);
    return 0;
}

static void own_key(unsigned index, uint8_t key[PROTO_PSK_BYTES])
{
    char path[HARNESS_PATH_BYTES];
    struct key_file file;
    key_path(&world, index, path, sizeof path);
    assert_int_equal(key_file_read(path, &file), 0);
    assert_int_equal(file.key_bytes, PROTO_PSK_BYTES);
    memcpy(key, file.key, PROTO_PSK_BYTES);
}

/* Whether a handshake with this key is done. It asks for nothing that a device would, so that the key does
 * not count as used. */
static bool opens(const char *identity, const uint8_t key[PROTO_PSK_BYTES])
{
    static const struct mycel_request links = {.method = MYCEL_GET,
                                               .path = {PROTO_PATH_WELL_KNOWN, PROTO_PATH_CORE},
                                               .content_format = MYCEL_FORMAT_NONE};
    int code = 0;
    for (unsigned i = 0; i < TRIES && code == 0; i++) {
        struct probe probe;
        probe_open_as(&probe, world.port, identity, key);
        code = probe_ask(&probe, &links, SILENCE_MS).code;
        probe_close(&probe);
    }
    return code == 205;
}

static struct probe_answer post_half(struct probe *probe, const uint8_t *half, size_t bytes)
{
    uint8_t payload[64] = {0x0A, (uint8_t)bytes}; /* field 1: so many bytes */
    memcpy(payload + 2, half, bytes);
    const struct mycel_request request = {.method = MYCEL_POST,
                                          .path = {PROTO_PATH_REKEY},
                                          .content_format = PROTO_FORMAT_MESSAGE,
                                          .payload = payload,
                                          .payload_bytes = bytes + 2u};
    return probe_ask(probe, &request, PROBE_WAIT_MS);
}

/* The key that comes of this half, which the coordinator takes. */
static void give_half(struct probe *probe, uint8_t fill, uint8_t key[PROTO_PSK_BYTES])
{
    uint8_t half[PROTO_SHARE_BYTES];
    mycel_Rekeyed rekeyed;
    memset(half, fill, sizeof half);
    struct probe_answer answer = post_half(probe, half, sizeof half);
    assert_int_equal(answer.code, 204);
    assert_int_equal(WIRE_DECODE(mycel_Rekeyed, &rekeyed, answer.payload, answer.bytes), 0);
    enrol_next_key(half, rekeyed.share, key);
}

/* Checks in; whether another key is due. */
static bool is_asked(struct probe *probe)
{
    const mycel_CheckIn check_in = {.protocol_min = 1, .protocol_max = 1};
    mycel_CheckInReply reply;
    assert_true(probe_check_in(probe, &check_in, &reply));
    return reply.rekey;
}

static char *rotation_of(unsigned index, char out[16])
{
    json_t *devices = MYCEL_JSON(&world, "device", "list");
    json_t *rotation = json_object_get(json_array_get(devices, index), "rotation");
    const char *state = json_string_value(json_object_get(rotation, "state"));
    snprintf(out, 16, "%s", state != NULL ? state : "none");
    json_decref(devices);
    return out;
}

/* --- over the air ------------------------------------------------------------------------------ */

/* Each step by hand, with what a device that dies there, or somebody else, would do next. */
static void test_step_by_step(void **state)
{
    (void)state;
    static const uint8_t short_half[8] = {1};
    uint8_t first[PROTO_PSK_BYTES], lost[PROTO_PSK_BYTES], again[PROTO_PSK_BYTES],
        next[PROTO_PSK_BYTES];
    struct probe probe;
    char text[16];
    own_key(2, first);
    probe_open(&probe, &world, 2);
    assert_false(is_asked(&probe));
    assert_int_equal(post_half(&probe, first, 16).code, 400);
    uint8_t half[PROTO_SHARE_BYTES] = {9};
    assert_int_equal(post_half(&probe, half, sizeof half).code, 404); /* nobody has asked for it */
    assert_int_equal(MYCEL(&world, "device", "rotate", "d2"), 0);
    assert_int_equal(MYCEL(&world, "device", "rotate", "d2"), 4);
    assert_string_equal(rotation_of(2, text), "due");
    pause_ms(NEWS_MS);
    assert_true(is_asked(&probe));
    assert_int_equal(post_half(&probe, short_half, sizeof short_half).code, 400);
    give_half(&probe, 1, lost); /* dies before it has written it down */
    assert_string_equal(rotation_of(2, text), "offered");
    probe_close(&probe);
    assert_true(opens("d2", lost));
    assert_true(opens("d2", first));
    server_kill(&world);
    server_start(&world, NULL);
    assert_true(opens("d2", first));
    probe_open(&probe, &world, 2); /* the first key was the one that worked last */
    assert_true(is_asked(&probe));
    give_half(&probe, 1, again); /* the same half once more */
    assert_memory_equal(lost, again, sizeof lost);
    give_half(&probe, 2, next);
    assert_memory_not_equal(lost, next, sizeof lost);
    probe_close(&probe);
    assert_int_equal(MYCEL(&world, "device", "rotate", "d2", "--abort"), 4); /* it may have it */
    assert_false(opens("d2", lost)); /* was never used, and another took its place */
    assert_true(opens("d2", next));
    probe_open_as(&probe, world.port, "d2", next);
    assert_false(is_asked(&probe)); /* the first use */
    assert_true(process_expect(&world.server, "\"key_rotated\"", 5000));
    assert_int_equal(post_half(&probe, half, sizeof half).code, 404);
    assert_false(is_asked(&probe)); /* and the session lives on */
    probe_close(&probe);
    assert_string_equal(rotation_of(2, text), "none");
    assert_false(opens("d2", first));
    assert_true(opens("d2", next));
}

/* Devices at work get key after key, while they and the coordinator are killed again and again. */
static void test_killed_while_rounds_run(void **state)
{
    (void)state;
    static const char *const quick[] = {"--backoff", "100ms", "--backoff-max", "400ms", NULL};
    uint8_t before[2][PROTO_PSK_BYTES], after[PROTO_PSK_BYTES];
    unsigned changed[2] = {0};
    device_start_with(&world, 0, NULL, quick);
    device_start_with(&world, 1, NULL, quick);
    for (unsigned i = 0; i < KILLS; i++) {
        unsigned victim = i % 2;
        own_key(0, before[0]);
        own_key(1, before[1]);
        (void)MYCEL(&world, "device", "rotate", "--all", "--spread", "1ms");
        (void)process_expect(&world.device[victim], "\"rekeyed\"", 1500 + 100 * i % 300);
        pause_ms(i * 3u % 11u); /* before, in and behind the handshake that follows */
        device_kill(&world, victim);
        if (i % 3 == 2) {
            server_kill(&world);
            server_start(&world, NULL);
        }
        for (unsigned k = 0; k < 2; k++) {
            own_key(k, after);
            changed[k] += memcmp(before[k], after, sizeof after) != 0;
        }
        device_start_with(&world, victim, NULL, quick);
    }
    print_message("keys changed: %u and %u\n", changed[0], changed[1]);
    assert_true(changed[0] + changed[1] >= 2);
    json_t *run = run_wait(&world, 3);
    unsigned rounds = run_committed(run);
    json_decref(run);
    run = run_wait(&world, rounds + 2u); /* it goes on */
    check_counted_once(run);
    json_decref(run);
    for (unsigned k = 0; k < 2; k++) {
        char name[4];
        snprintf(name, sizeof name, "d%u", k);
        device_kill(&world, k);
        own_key(k, after);
        assert_true(opens(name, after));
    }
    assert_int_equal(MYCEL(&world, "check"), 0);
}

/* --- in a file --------------------------------------------------------------------------------- */

static void make_file(const char *overlap, uint8_t key[PROTO_PSK_BYTES])
{
    char path[HARNESS_PATH_BYTES];
    struct key_file file;
    struct stat status;
    snprintf(path, sizeof path, "%.200s/d1.next", world.folder);
    (void)unlink(path);
    assert_int_equal(
        MYCEL(&world, "device", "rotate", "d1", "--key-out", path, "--overlap", overlap), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(key_file_read(path, &file), 0);
    memcpy(key, file.key, PROTO_PSK_BYTES);
    pause_ms(NEWS_MS);
}

/* Both keys until the next one is used, is withdrawn, or the overlap is over. */
static void test_file(void **state)
{
    (void)state;
    uint8_t present[PROTO_PSK_BYTES], next[PROTO_PSK_BYTES];
    struct probe probe;
    char text[16];
    if (rotation_of(1, text)[0] != 'n') { /* the test before may have been cut off there */
        assert_int_equal(MYCEL(&world, "device", "rotate", "d1", "--abort", "--force"), 0);
    }
    own_key(1, present);
    make_file("1h", next);
    assert_string_equal(rotation_of(1, text), "overlap");
    assert_true(opens("d1", next));
    assert_true(opens("d1", present));
    assert_int_equal(MYCEL(&world, "device", "rotate", "d1", "--abort"), 0);
    pause_ms(NEWS_MS);
    assert_false(opens("d1", next));
    assert_true(opens("d1", present));
    make_file("2s", next);
    probe_open_as(&probe, world.port, "d1", present);
    (void)is_asked(&probe);
    pause_ms(2500 - NEWS_MS);
    assert_int_equal(post_half(&probe, present, 8).code, 0); /* its session is gone */
    probe_close(&probe);
    assert_true(process_expect(&world.server, "\"overlaps_ended\"", 5000));
    assert_false(opens("d1", present));
    assert_true(opens("d1", next));
}

static void test_command(void **state)
{
    (void)state;
    assert_int_equal(MYCEL(&world, "device", "revoke", "d2"), 0);
    assert_int_equal(MYCEL(&world, "device", "rotate", "d2"), 4);
    assert_int_equal(MYCEL(&world, "device", "rotate", "nobody"), 3);
    assert_int_equal(MYCEL(&world, "device", "rotate", "--class", "nothing"), 3);
    assert_int_equal(MYCEL(&world, "device", "rotate"), 2);
    assert_int_equal(MYCEL(&world, "device", "rotate", "d1", "--all"), 2);
    assert_int_equal(MYCEL(&world, "device", "rotate", "d1", "--force"), 2);
    assert_int_equal(MYCEL(&world, "device", "rotate", "--all", "--key-out", "x"), 2);
    assert_int_equal(server_stop(&world), 0);
}

/* An argument chooses tests by a pattern, so that they can run side by side. */
int main(int argc, char **argv)
{
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_step_by_step),
        cmocka_unit_test(test_killed_while_rounds_run),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_command),
    };
    return cmocka_run_group_tests(tests, open_world, world_teardown);
}
