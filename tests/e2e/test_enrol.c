/*
 * Enrolment with a one-time token: the device makes its own key with it, whatever is killed in
 * between, and whoever comes with a token that is spent, expired or taken back hears nothing.
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
#define PATH_BYTES HARNESS_PATH_BYTES

static struct world world;
static struct process pump = {0}; /* the client process that enrols itself */

static int open_world(void **state)
{
    (void)state;
    world_open(&world, 1);
    snprintf(pump.log, sizeof pump.log, "%.200s/pump.log", world.folder);
    run_create(&world, 1, 1, 1, "60s");
    server_start(&world, NULL);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    process_kill(&pump);
    world_close(&world);
    return 0;
}

static void in_folder(const char *name, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%.190s/%.60s", world.folder, name);
}

/* The coordinator looks at the database at once; by itself it does so every half second. */
static void reload(void)
{
    assert_int_equal(kill(world.server.pid, SIGHUP), 0);
    assert_true(process_expect(&world.server, "\"reloading\"", 5000));
    pause_ms(300);
}

/* `mycel device token NAME`, into the file NAME.token. */
static void make_token(const char *name, const char *expires, struct key_file *token)
{
    char file[64], path[PATH_BYTES];
    snprintf(file, sizeof file, "%.50s.token", name);
    in_folder(file, path);
    (void)unlink(path);
    assert_int_equal(
        MYCEL(&world, "device", "token", name, "--expires", expires, "--token-out", path), 0);
    assert_int_equal(key_file_read(path, token), 0);
    assert_int_equal(token->key_bytes, PROTO_TOKEN_BYTES);
    reload();
}

static void open_with_token(struct probe *probe, const uint8_t token[PROTO_TOKEN_BYTES])
{
    char identity[ENROL_IDENTITY_BYTES];
    uint8_t psk[PROTO_PSK_BYTES];
    enrol_identity(token, identity);
    enrol_psk(token, psk);
    probe_open_as(probe, world.port, identity, psk);
}

static struct probe_answer post_enrol(struct probe *probe, const uint8_t token[PROTO_TOKEN_BYTES],
                                      const uint8_t share[PROTO_SHARE_BYTES], unsigned wait_ms)
{
    mycel_Enrol message = mycel_Enrol_init_zero;
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    memcpy(message.token, token, sizeof message.token);
    memcpy(message.share, share, sizeof message.share);
    int n = WIRE_ENCODE(mycel_Enrol, &message, payload, sizeof payload);
    assert_true(n > 0);
    const struct mycel_request request = {.method = MYCEL_POST,
                                          .path = {PROTO_PATH_ENROL},
                                          .content_format = PROTO_FORMAT_MESSAGE,
                                          .payload = payload,
                                          .payload_bytes = (size_t)n};
    return probe_ask(probe, &request, wait_ms);
}

/* Enrols by hand, as a device that is never seen to keep its key. */
static void enrol_by_hand(const uint8_t token[PROTO_TOKEN_BYTES], uint8_t fill,
                          const char *expected, uint8_t key[PROTO_PSK_BYTES])
{
    struct probe probe;
    uint8_t share[PROTO_SHARE_BYTES];
    mycel_Enrolled enrolled;
    memset(share, fill, sizeof share);
    open_with_token(&probe, token);
    struct probe_answer answer = post_enrol(&probe, token, share, PROBE_WAIT_MS);
    probe_close(&probe);
    assert_int_equal(answer.code, 204);
    assert_int_equal(WIRE_DECODE(mycel_Enrolled, &enrolled, answer.payload, answer.bytes), 0);
    assert_string_equal(enrolled.identity, expected);
    enrol_device_key(share, enrolled.share, key);
}

static int ask_links(const char *identity, const uint8_t key[PROTO_PSK_BYTES], unsigned wait_ms)
{
    static const struct mycel_request links = {.method = MYCEL_GET,
                                               .path = {PROTO_PATH_WELL_KNOWN, PROTO_PATH_CORE},
                                               .content_format = MYCEL_FORMAT_NONE};
    struct probe probe;
    probe_open_as(&probe, world.port, identity, key);
    int code = probe_ask(&probe, &links, wait_ms).code;
    probe_close(&probe);
    return code;
}

static void check_silence(const uint8_t token[PROTO_TOKEN_BYTES])
{
    static const uint8_t share[PROTO_SHARE_BYTES] = {5};
    struct probe probe;
    open_with_token(&probe, token);
    assert_int_equal(post_enrol(&probe, token, share, SILENCE_MS).code, 0);
    probe_close(&probe);
}

static void start_pump(void)
{
    char coordinator[32], token[PATH_BYTES], key[PATH_BYTES], folder[PATH_BYTES];
    snprintf(coordinator, sizeof coordinator, "127.0.0.1:%u", world.port);
    in_folder("pump.token", token);
    in_folder("pump.key", key);
    in_folder("pump", folder);
    process_spawn(&pump, MYCEL_BIN,
                  (const char *const[]){"mycel", "client", "--coordinator", coordinator,
                                        "--enroll-token-file", token, "--key-file", key,
                                        "--directory", folder, "--data", world.train, "--backoff",
                                        "100ms", "--on-battery", "--log-format", "json", NULL});
}

static bool has_device(const char *name)
{
    json_t *devices = MYCEL_JSON(&world, "device", "list");
    size_t i;
    json_t *row;
    unsigned found = 0;
    json_array_foreach(devices, i, row)
    {
        found += strcmp(json_string_value(json_object_get(row, "name")), name) == 0;
    }
    json_decref(devices);
    assert_true(found <= 1);
    return found == 1;
}

/* Client and coordinator die again and again while the client enrols itself; it trains in the end. */
static void test_killed_in_between(void **state)
{
    (void)state;
    struct key_file token, key;
    struct stat status;
    char path[PATH_BYTES];
    make_token("pump", "1h", &token);
    in_folder("pump.key", path);
    for (unsigned i = 0; i < 12; i++) {
        start_pump();
        pause_ms(3 * i + i % 2);
        if (i % 3 == 0) {
            server_kill(&world);
        }
        process_kill(&pump);
        if (i % 3 == 0) {
            server_start(&world, NULL);
        }
    }
    start_pump();
    assert_true(process_expect(&pump, "\"receipt\"", HARNESS_WAIT_MS));
    assert_true(has_device("pump"));
    assert_int_equal(key_file_read(path, &key), 0);
    assert_string_equal(key.identity, "pump");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    process_kill(&pump);
    start_pump(); /* the token file is still there, and nobody looks at it */
    assert_true(process_expect(&pump, "\"window\"", HARNESS_WAIT_MS));
    process_kill(&pump);
    check_silence(token.key);
    assert_int_equal(unlink(path), 0); /* a second device with the same token gets nothing */
    start_pump();
    pause_ms(SILENCE_MS);
    assert_int_equal(stat(path, &status), -1);
    process_kill(&pump);
    assert_int_equal(ask_links("pump", key.key, PROBE_WAIT_MS), 205);
}

/* Each step by hand: token and key outlive the coordinator, until the key was used. */
static void test_step_by_step(void **state)
{
    (void)state;
    struct key_file token;
    uint8_t lost[PROTO_PSK_BYTES], again[PROTO_PSK_BYTES], kept[PROTO_PSK_BYTES];
    struct probe probe;
    make_token("valve", "1h", &token);
    enrol_by_hand(token.key, 1, "valve", lost);
    server_kill(&world);
    server_start(&world, NULL);
    enrol_by_hand(token.key, 1, "valve", again); /* the same request once more */
    assert_memory_equal(lost, again, sizeof lost);
    enrol_by_hand(token.key, 2, "valve",
                  kept); /* one that has lost its key before it was written */
    assert_memory_not_equal(lost, kept, sizeof lost);
    assert_int_equal(ask_links("valve", lost, SILENCE_MS), 0);
    server_kill(&world);
    server_start(&world, NULL);
    probe_open_as(&probe, world.port, "valve", kept);
    mycel_CheckIn check_in = {.protocol_min = 1, .protocol_max = 1, .samples = 60, .codecs = 1};
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    int n = WIRE_ENCODE(mycel_CheckIn, &check_in, payload, sizeof payload);
    const struct mycel_request request = {.method = MYCEL_POST,
                                          .path = {PROTO_PATH_CHECKIN},
                                          .content_format = PROTO_FORMAT_MESSAGE,
                                          .payload = payload,
                                          .payload_bytes = (size_t)n};
    assert_int_equal(probe_ask(&probe, &request, PROBE_WAIT_MS).code, 204);
    assert_true(process_expect(&world.server, "\"token_spent\"", 5000));
    assert_int_equal(probe_ask(&probe, &request, PROBE_WAIT_MS).code, 204); /* and lives on */
    probe_close(&probe);
    check_silence(token.key);
    assert_int_equal(MYCEL(&world, "device", "token", "valve"), 4);
}

/* What a token's session may do, and what nobody else's may. */
static void test_only_what_it_is_for(void **state)
{
    (void)state;
    static const uint8_t share[PROTO_SHARE_BYTES] = {9};
    static const struct mycel_request model = {
        .method = MYCEL_POST, .path = {PROTO_PATH_CHECKIN}, .content_format = PROTO_FORMAT_MESSAGE};
    struct key_file token;
    struct probe probe;
    make_token("lamp", "1h", &token);
    open_with_token(&probe, token.key);
    assert_int_equal(probe_ask(&probe, &model, PROBE_WAIT_MS).code, 403);
    uint8_t forged[PROTO_TOKEN_BYTES]; /* somebody who has read the database has no token to show */
    memcpy(forged, token.key, sizeof forged);
    forged[15] ^= 1;
    assert_int_equal(post_enrol(&probe, forged, share, PROBE_WAIT_MS).code, 403);
    probe_close(&probe);
    probe_open(&probe, &world, 0);
    assert_int_equal(post_enrol(&probe, token.key, share, PROBE_WAIT_MS).code, 403);
    probe_close(&probe);
    assert_false(has_device("lamp"));
    assert_int_equal(MYCEL(&world, "device", "revoke", "lamp"), 0);
    reload();
    check_silence(token.key);
    make_token("late", "1s", &token);
    pause_ms(1000);
    check_silence(token.key);
    assert_false(has_device("late"));
    assert_int_equal(MYCEL(&world, "check"), 0); /* the audit log's chain, too */
    assert_int_equal(server_stop(&world), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_in_between),
        cmocka_unit_test(test_step_by_step),
        cmocka_unit_test(test_only_what_it_is_for),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
