/*
 * A device that misses versions, between real processes: it downloads exactly the frames that it lacks, or the key
 * frame and those since, or the whole, whichever is shortest, and then has the model that the coordinator believes it
 * to have, to the bit; also when it is killed in between. Rounds that it misses are made by a device of
 * another kind, driven by hand, that knows nothing of patches.
 */
#include "probe.h"

#include "common/base64url.h"
#include "common/codec/codec.h"
#include "common/crypto/sha256.h"
#include "server/store/store.h"
#include "server/store/store_model.h"

#include <mycel/error.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MODEL "8 > dense 128 relu > dense 4 softmax"
#define PARAMS 1668u
#define WHOLE (PARAMS * 4u)
#define CHAIN_MAX 16384u
#define BODY_MAX 8192u
#define JOURNAL_MODEL_PLACE 68 /* client/runtime/journal.c: place of the kept model, 1 or 2 */
#define DRIVEN 0u              /* the device that is driven by hand */
#define SKIPPING 1u

static struct world world;
static const char *const once[] = {"--rounds", "1", "--pause", "10ms", NULL};

static void create_with(const char *name, const char *rounds, const char *model, const char *batch,
                        const char *codec)
{
    assert_int_equal(MYCEL(&world, "run", "create", "--name", name, "--model", model, "--rounds",
                           rounds, "--goal", "1", "--min", "1", "--over-selection", "1", "--pace",
                           "10ms", "--batch", batch, "--codec", codec, "--learning-rate", "0.05",
                           "--seed", "7"),
                     0);
}

static void create(const char *name, const char *rounds, const char *model)
{
    create_with(name, rounds, model, "10", "auto");
}

static struct store *open_store(void)
{
    const struct store_options options = {.folder = world.state, .read_only = true};
    struct store *store;
    assert_int_equal(store_open(&options, &store, NULL), 0);
    return store;
}

static uint32_t newest_version(void)
{
    struct store *store = open_store();
    struct store_version version;
    assert_int_equal(store_version_newest(store, 1, &version), 0);
    store_close(store);
    return version.number;
}

static void wait_for_version(uint32_t version)
{
    for (unsigned waited = 0; newest_version() != version; waited += 10) {
        assert_true(waited < HARNESS_WAIT_MS);
        pause_ms(10);
    }
}

/* --- a device that knows nothing of patches */

static void pass_round(struct probe *probe)
{
    static uint8_t body[BODY_MAX];
    uint8_t held[PROTO_SHA256_BYTES];
    mycel_Lease lease = probe_lease(probe, 60);
    assert_int_equal(lease.patch_bytes, 0);
    assert_int_equal(lease.patch_sha256.size, 0);
    assert_int_equal(lease.model_bytes, WHOLE);
    memcpy(held, lease.model_sha256, sizeof held);
    char name[PROTO_SHA256_TEXT + 1];
    base64url_encode(held, sizeof held, name);
    const struct mycel_request request = {.method = MYCEL_GET,
                                          .path = {PROTO_PATH_MODEL, name},
                                          .content_format = MYCEL_FORMAT_NONE,
                                          .block = {MYCEL_BLOCK_2, 0, PROTO_BLOCK_SZX_MAX, false}};
    struct probe_answer block = probe_ask(probe, &request, PROBE_WAIT_MS);
    assert_int_equal(block.code, 205);
    assert_int_equal(block.size2, WHOLE);
    size_t bytes = probe_body(&lease, 60, 0.001f, body, sizeof body);
    struct probe_answer answer = probe_upload(probe, lease.update_key, body, bytes);
    assert_int_equal(probe_receipt(&answer).status, 0);
}

static void pass_rounds(uint32_t until)
{
    struct probe probe;
    probe_open(&probe, &world, DRIVEN);
    for (uint32_t version = newest_version(); version < until; version++) {
        pass_round(&probe);
    }
    probe_close(&probe);
    wait_for_version(until);
}

/* --- what a download has to be */

/* Bytes from the frame behind `held` on, or from the key frame on if that is newer, or of the whole: counted in the
 * frames themselves. */
static uint32_t bytes_lacking(struct store *store, uint32_t held, uint32_t base)
{
    static uint8_t chain[CHAIN_MAX];
    size_t bytes = 0;
    int rc = store_chain_load(store, 1, base, chain, sizeof chain, &bytes);
    if (rc == MYCEL_E_NOT_FOUND) {
        return WHOLE; /* a run's first version */
    }
    assert_int_equal(rc, 0);
    uint32_t lacking = 0, all = 0;
    bool has_held = false;
    for (size_t at = 0; at < bytes;) {
        struct codec_frame frame;
        size_t length = codec_frame_bytes((enum codec_id)chain[at + 3], PARAMS);
        assert_int_equal(codec_open(&frame, chain + at, length), 0);
        assert_int_equal(frame.header.codec, at == 0 ? CODEC_INT8 : CODEC_DRIVE1);
        has_held = has_held || frame.header.base_version == held;
        lacking += frame.header.base_version > held ? (uint32_t)length : 0;
        all += (uint32_t)length;
        at += length;
    }
    lacking = has_held ? lacking : all;
    return lacking < WHOLE ? lacking : WHOLE;
}

/* The bytes of the latest download, as the device's log has them. */
static uint32_t bytes_fetched(void)
{
    char line[512];
    uint32_t bytes = 0;
    FILE *log = fopen(world.device[SKIPPING].log, "r");
    assert_non_null(log);
    while (fgets(line, sizeof line, log) != NULL) {
        const char *field = strstr(line, "\"bytes\":");
        if (strstr(line, "\"event\":\"fetched\"") != NULL) {
            bytes = field != NULL ? (uint32_t)strtoul(field + 8, NULL, 10) : 0;
        }
    }
    fclose(log);
    return bytes;
}

/* The model on the device is what the coordinator believes to be held of that version. */
static void check_held(struct store *store, uint32_t version)
{
    uint8_t journal[1024], digest[SHA256_BYTES];
    static float model[PARAMS + 1];
    struct store_downlink rows[STORE_CHAIN_FRAMES_MAX];
    assert_true(device_file(&world, SKIPPING, "journal", journal, sizeof journal) >
                JOURNAL_MODEL_PLACE);
    uint8_t place = journal[JOURNAL_MODEL_PLACE];
    assert_in_range(place, 1, 2);
    assert_int_equal(
        device_file(&world, SKIPPING, place == 1 ? "model" : "model.b", model, sizeof model),
        WHOLE);
    sha256(model, WHOLE, digest);
    int count = store_chain(store, 1, version, rows);
    assert_true(count > 0);
    assert_memory_equal(digest, rows[count - 1].held_sha256, sizeof digest);
}

static bool has_frame(struct store *store, uint32_t version)
{
    struct store_downlink rows[STORE_CHAIN_FRAMES_MAX];
    int count = store_chain(store, 1, version, rows);
    assert_true(count > 0 || count == MYCEL_E_NOT_FOUND);
    return count > 0;
}

/* The device takes part in the next round, killed with its lease in hand if `reboots`. Returns the bytes that
 * it downloaded. */
static uint32_t take_part(uint32_t held, bool reboots)
{
    uint32_t base = newest_version();
    device_start_with(&world, SKIPPING, NULL, once);
    if (reboots) {
        assert_true(
            process_expect(&world.device[SKIPPING], "\"event\":\"lease\"", HARNESS_WAIT_MS));
        device_kill(&world, SKIPPING);
        device_start_with(&world, SKIPPING, NULL, once);
    }
    assert_int_equal(process_wait(&world.device[SKIPPING], HARNESS_WAIT_MS), 0);
    struct store *store = open_store();
    uint32_t fetched = bytes_fetched();
    assert_int_equal(fetched, bytes_lacking(store, held, base));
    if (has_frame(store, base)) { /* what is sent as it is, is not kept */
        check_held(store, base);
    }
    store_close(store);
    wait_for_version(base + 1);
    assert_false(process_expect(&world.device[SKIPPING], "of no use", 0));
    return fetched;
}

static void test_device_that_skips(void **state)
{
    (void)state;
    const uint32_t delta = codec_frame_bytes(CODEC_DRIVE1, PARAMS);
    const uint32_t key = codec_frame_bytes(CODEC_INT8, PARAMS);
    world_open(&world, 2);
    create("r", "60", MODEL);
    server_start(&world, NULL);
    assert_int_equal(take_part(0, false), WHOLE); /* version 0 has no frames */
    assert_int_equal(take_part(0, false), key);   /* version 1 */
    pass_rounds(3);
    assert_int_equal(take_part(1, true), 2 * delta); /* version 3: missed one */
    pass_rounds(9);
    assert_int_equal(take_part(3, true), 6 * delta); /* version 9: missed five */
    pass_rounds(50);
    assert_int_equal(take_part(9, true), key + 17 * delta); /* version 50: 33 was a key frame */
    assert_int_equal(take_part(50, false), delta); /* version 51: took part in the round before */
    assert_int_equal(server_stop(&world), 0);
}

/* --- versions of the operator's */

static void read_version(struct store *store, uint32_t number, float params[PARAMS])
{
    struct store_version version;
    size_t bytes = 0;
    assert_int_equal(store_version_get(store, 1, number, &version), 0);
    assert_int_equal(store_blob_load(store, version.sha256, params, WHOLE, &bytes), 0);
    assert_int_equal(bytes, WHOLE);
}

/* Versions a and b have the same parameters, so what a device made of them is the same: one step with all of its
 * samples, but for the order in which these are added up. */
static void check_same_step(uint32_t a, uint32_t b)
{
    static float from[PARAMS], to[PARAMS], again_from[PARAMS], again_to[PARAMS];
    struct store *store = open_store();
    float largest = 0.0f;
    read_version(store, a, from);
    read_version(store, a + 1, to);
    read_version(store, b, again_from);
    read_version(store, b + 1, again_to);
    store_close(store);
    assert_memory_equal(from, again_from, sizeof from);
    for (unsigned i = 0; i < PARAMS; i++) {
        largest = fmaxf(largest, fabsf(to[i] - from[i]));
    }
    assert_true(largest > 0.0f);
    for (unsigned i = 0; i < PARAMS; i++) {
        assert_true(fabsf(again_to[i] - to[i]) <= 1e-4f * largest);
    }
}

/* It has no frame: it is sent whole, under its own hash, which the device checks. The version made from it has a key
 * frame, since nobody is believed to hold anything, and the next one a delta. */
static void check_operators_version(uint32_t number, enum store_version_kind kind)
{
    struct store_version version;
    struct store *store = open_store();
    assert_int_equal(store_version_newest(store, 1, &version), 0);
    assert_int_equal(version.number, number);
    assert_int_equal(version.kind, kind);
    assert_false(has_frame(store, number));
    store_close(store);
    assert_int_equal(take_part(number - 1, true), WHOLE);
    assert_int_equal(take_part(number, false), codec_frame_bytes(CODEC_INT8, PARAMS));
    assert_int_equal(take_part(number + 1, true), codec_frame_bytes(CODEC_DRIVE1, PARAMS));
}

/* While the coordinator works, which then starts over, and while it is down. */
static void test_device_after_operators_version(void **state)
{
    (void)state;
    world_open(&world, 2);
    create_with("r", "20", MODEL, "1000", "f32"); /* all samples in one step, exact updates */
    server_start(&world, NULL);
    for (uint32_t version = 0; version < 3; version++) {
        (void)take_part(version > 0 ? version - 1 : 0, false);
    }
    assert_int_equal(MYCEL(&world, "model", "average", "r", "--versions", "3", "--adopt"), 0);
    assert_true(process_expect(&world.server, "\"rebuilt\"", HARNESS_WAIT_MS));
    check_operators_version(4, STORE_VERSION_AVERAGE);
    assert_int_equal(MYCEL(&world, "model", "rollback", "r:0"), 0);
    assert_true(process_expect(&world.server, "\"rebuilt\"", HARNESS_WAIT_MS));
    check_operators_version(8, STORE_VERSION_ROLLBACK);
    check_same_step(0, 8);
    server_kill(&world);
    assert_int_equal(MYCEL(&world, "model", "average", "r", "--versions", "4", "--adopt"), 0);
    assert_int_equal(MYCEL(&world, "model", "rollback", "r:4"), 0);
    server_start(&world, NULL);
    check_operators_version(13, STORE_VERSION_ROLLBACK);
    check_same_step(4, 13);
    assert_int_equal(server_stop(&world), 0);
}

/* A device keeps one model. With two runs it holds the other run's now and then, and downloads from the key frame
 * on: never a wrong model. */
static void test_device_in_two_runs(void **state)
{
    (void)state;
    static const char *const names[] = {"r", "s"};
    world_open(&world, 1);
    create("r", "4", MODEL);
    create("s", "4", "8 > dense 100 relu > dense 4 softmax");
    server_start(&world, NULL);
    device_start_with(&world, 0, NULL, (const char *const[]){"--pause", "10ms", NULL});
    for (unsigned i = 0; i < 2; i++) {
        unsigned committed = 0;
        for (unsigned waited = 0; committed < 4 && waited < HARNESS_WAIT_MS; waited += 50) {
            json_t *run = MYCEL_JSON(&world, "run", "show", names[i]);
            committed = run_committed(run);
            json_decref(run);
            pause_ms(50);
        }
        assert_int_equal(committed, 4);
    }
    world.device[0].seen = 0;
    assert_false(process_expect(&world.device[0], "\"event\":\"problem\"", 0));
    assert_int_equal(server_stop(&world), 0);
}

/* argument: which of them */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_device_that_skips, world_teardown),
        cmocka_unit_test_teardown(test_device_after_operators_version, world_teardown),
        cmocka_unit_test_teardown(test_device_in_two_runs, world_teardown),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
