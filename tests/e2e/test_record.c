/*
 * An incident from its event log: a coordinator that is killed twice in the middle of a run and started
 * again, and afterwards nothing but the log. Replayed, each engine of it answers the same to the bit; a
 * damaged log is refused; and no device's key is in it.
 */
#include "harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define DEVICES 3
#define ROUNDS 3
#define LOG_MAX (4u << 20)

static struct world world;
static char log_path[HARNESS_PATH_BYTES + 16];

static void start_recording(void)
{
    const char *const extra[] = {"--record", log_path, "--log-level", "debug", NULL};
    server_start(&world, extra);
}

static uint64_t number(const json_t *report, const char *key)
{
    const json_t *value = json_object_get(report, key);
    assert_true(json_is_integer(value));
    return (uint64_t)json_integer_value(value);
}

/* What `mycel replay --json` prints; the caller frees it. */
static json_t *replay(int expected_code)
{
    char command[2 * HARNESS_PATH_BYTES];
    snprintf(command, sizeof command, "%s replay --json %s", MYCEL_BIN, log_path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    json_t *report = json_loadf(pipe, JSON_DISABLE_EOF_CHECK, NULL);
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected_code);
    return report;
}

static size_t read_file(const char *path, char *data, size_t capacity)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t bytes = fread(data, 1, capacity, file);
    assert_true(bytes > 0 && bytes < capacity);
    assert_int_equal(fclose(file), 0);
    return bytes;
}

static bool holds(const char *data, size_t bytes, const char *text)
{
    return memmem(data, bytes, text, strlen(text)) != NULL;
}

/* Neither a key as it is written in its file, nor as bytes. */
static void check_no_keys(const char *log, size_t bytes)
{
    for (unsigned i = 0; i < DEVICES; i++) {
        char path[HARNESS_PATH_BYTES], text[256];
        uint8_t key[64];
        key_path(&world, i, path, sizeof path);
        size_t digits = read_file(path, text, sizeof text - 1);
        text[digits] = '\0';
        text[strcspn(text, "\r\n")] = '\0';
        assert_true(strlen(text) >= 32);
        assert_false(holds(log, bytes, text));
        size_t n = strlen(text) / 2;
        for (size_t at = 0; at < n; at++) {
            unsigned value;
            assert_int_equal(sscanf(text + 2 * at, "%2x", &value), 1);
            key[at] = (uint8_t)value;
        }
        assert_null(memmem(log, bytes, key, n));
    }
}

static void test_an_incident_repeats(void **state)
{
    (void)state;
    static const char *const moments[] = {"\"update_accepted\"", "\"round_committed\""};
    world_open(&world, DEVICES);
    snprintf(log_path, sizeof log_path, "%s/events", world.folder);
    run_create(&world, ROUNDS, DEVICES, DEVICES, "120s");
    start_recording();
    for (unsigned i = 0; i < DEVICES; i++) {
        device_start(&world, i, NULL);
    }
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        assert_true(process_expect(&world.server, moments[i], HARNESS_WAIT_MS));
        server_kill(&world);
        start_recording();
    }
    json_decref(run_wait(&world, ROUNDS));
    assert_int_equal(server_stop(&world), 0);

    json_t *first = replay(0);
    json_t *second = replay(0);
    assert_true(json_is_true(json_object_get(first, "same")));
    assert_int_equal(number(first, "engines"), 3);
    assert_true(number(first, "events") > (uint64_t)ROUNDS * DEVICES * 3);
    assert_true(number(first, "actions") > (uint64_t)ROUNDS * DEVICES * 3);
    assert_true(json_equal(first, second));
    json_decref(first);
    json_decref(second);
}

/* The log of the test before. */
static void test_a_log_can_be_trusted(void **state)
{
    (void)state;
    char *log = malloc(LOG_MAX);
    assert_non_null(log);
    size_t bytes = read_file(log_path, log, LOG_MAX);
    check_no_keys(log, bytes);
    log[bytes / 2] = (char)(log[bytes / 2] ^ 4);
    FILE *file = fopen(log_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(log, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
    assert_null(replay(1));
    free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_incident_repeats),
        cmocka_unit_test_teardown(test_a_log_can_be_trusted, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
