/*
 * Key frames and deltas between real processes: devices train what the coordinator believes they hold, also one
 * that skips rounds and one that is killed; and a coordinator that is killed makes the same versions as one that
 * is not.
 */
#include "harness.h"

#include "common/codec/codec.h"
#include "common/crypto/sha256.h"
#include "server/store/store.h"
#include "server/store/store_model.h"
#include "server/store/store_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DEVICES 3
#define MODEL "8 > dense 32 relu > dense 4 softmax"
#define PARAMS 420
#define JOURNAL_MODEL_PLACE 68 /* client/runtime/journal.c: place of the kept model, 1 or 2 */
#define ROUNDS 5
#define CHAIN_MAX 8192

static struct world world;

static void create(const char *goal)
{
    assert_int_equal(MYCEL(&world, "run", "create", "--name", "r", "--model", MODEL, "--rounds",
                           "5", "--goal", goal, "--min", goal, "--over-selection", "1", "--pace",
                           "100ms", "--batch", "10", "--learning-rate", "0.05", "--seed", "7",
                           "--codec", "drive1", "--downlink", "delta"),
                     0);
}

static void start_devices(void)
{
    for (unsigned i = 0; i < DEVICES; i++) {
        device_start(&world, i, NULL);
    }
}

static struct store *open_store(void)
{
    const struct store_options options = {.folder = world.state, .read_only = true};
    struct store *store;
    assert_int_equal(store_open(&options, &store, NULL), 0);
    return store;
}

/* The model that lies on a device is one that the coordinator believes to be held. */
static void check_device(struct store *store, unsigned device)
{
    uint8_t journal[1024], digest[SHA256_BYTES];
    float model[PARAMS + 1];
    assert_true(device_file(&world, device, "journal", journal, sizeof journal) >
                JOURNAL_MODEL_PLACE);
    uint8_t place = journal[JOURNAL_MODEL_PLACE];
    assert_in_range(place, 1, 2);
    assert_int_equal(
        device_file(&world, device, place == 1 ? "model" : "model.b", model, sizeof model),
        PARAMS * 4);
    sha256(model, PARAMS * 4, digest);
    assert_memory_equal(digest, journal + JOURNAL_MODEL_PLACE + 1, 16);
    struct store_downlink rows[STORE_CHAIN_FRAMES_MAX];
    bool found = false;
    for (uint32_t v = 1; v <= ROUNDS && !found; v++) {
        int count = store_chain(store, 1, v, rows);
        assert_true(count > 0);
        found = memcmp(rows[count - 1].held_sha256, digest, sizeof digest) == 0;
    }
    assert_true(found);
}

/* Every version's chain leads to what is said to be held of it. Returns how many begin with this version. */
static unsigned check_chains(struct store *store)
{
    unsigned keys = 0;
    for (uint32_t v = 1; v <= ROUNDS; v++) {
        struct store_downlink rows[STORE_CHAIN_FRAMES_MAX];
        uint8_t chain[CHAIN_MAX], digest[SHA256_BYTES];
        float held[PARAMS] = {0}, values[PARAMS];
        size_t bytes, at = 0, frames = 0;
        int rows_count = store_chain(store, 1, v, rows);
        assert_in_range(rows_count, 1, STORE_CHAIN_FRAMES_MAX);
        assert_int_equal(store_chain_load(store, 1, v, chain, sizeof chain, &bytes), 0);
        for (; at < bytes; frames++) {
            struct codec_frame frame;
            size_t length = codec_frame_bytes((enum codec_id)chain[at + 3], PARAMS);
            assert_int_equal(codec_open(&frame, chain + at, length), 0);
            codec_decode(&frame, 0, PARAMS, values);
            for (unsigned i = 0; i < PARAMS; i++) {
                held[i] += values[i];
            }
            at += length;
        }
        sha256(held, sizeof held, digest);
        assert_memory_equal(digest, rows[rows_count - 1].held_sha256, sizeof digest);
        assert_int_equal(frames, rows_count);
        keys += frames == 1;
    }
    return keys;
}

static void test_devices_hold_what_is_believed(void **state)
{
    (void)state;
    world_open(&world, DEVICES);
    create("2");
    server_start(&world, NULL);
    start_devices();
    json_decref(run_wait(&world, 1));
    device_kill(&world, 2); /* skips rounds */
    json_decref(run_wait(&world, 3));
    device_kill(&world, 1);
    device_start(&world, 2, NULL);
    json_decref(run_wait(&world, 4));
    device_start(&world, 1, NULL);
    json_t *run = run_wait(&world, ROUNDS);
    check_counted_once(run);
    json_decref(run);
    for (unsigned i = 0; i < DEVICES; i++) {
        assert_false(process_expect(&world.device[i], "of no use", 0));
        device_kill(&world, i);
    }
    assert_int_equal(server_stop(&world), 0);
    struct store *store = open_store();
    unsigned keys = check_chains(store);
    assert_in_range(keys, 1, ROUNDS / 2);
    for (unsigned i = 0; i < DEVICES; i++) {
        check_device(store, i);
    }
    store_close(store);
}

/* The newest version's hash after all rounds, with the coordinator killed after some of them. */
static void run_all(const unsigned *kill_after, uint8_t sha256[PROTO_SHA256_BYTES])
{
    world_open(&world, DEVICES);
    create("3");
    server_start(&world, NULL);
    start_devices();
    for (; kill_after && *kill_after > 0; kill_after++) {
        json_decref(run_wait(&world, *kill_after));
        server_kill(&world);
        server_start(&world, NULL);
    }
    json_decref(run_wait(&world, ROUNDS));
    assert_int_equal(server_stop(&world), 0);
    struct store *store = open_store();
    struct store_version newest;
    assert_int_equal(store_version_newest(store, 1, &newest), 0);
    assert_int_equal(newest.number, ROUNDS);
    memcpy(sha256, newest.sha256, PROTO_SHA256_BYTES);
    store_close(store);
}

static void test_killed_coordinator_makes_the_same_versions(void **state)
{
    (void)state;
    static const unsigned kills[] = {2, 0};
    uint8_t undisturbed[PROTO_SHA256_BYTES], disturbed[PROTO_SHA256_BYTES];
    run_all(NULL, undisturbed);
    world_close(&world);
    run_all(kills, disturbed);
    assert_memory_equal(disturbed, undisturbed, sizeof disturbed);
}

static void test_settings_that_do_not_go_with_it(void **state)
{
    (void)state;
    world_open(&world, 1);
    assert_int_equal(MYCEL(&world, "run", "create", "--model", MODEL, "--strategy", "scaffold",
                           "--downlink", "delta"),
                     2);
}

/* argument: which of them */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_devices_hold_what_is_believed, world_teardown),
        cmocka_unit_test_teardown(test_killed_coordinator_makes_the_same_versions, world_teardown),
        cmocka_unit_test_teardown(test_settings_that_do_not_go_with_it, world_teardown),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
