/* Key frames and deltas in the simulator: every byte that a device does not download is one that the frames make
 * unnecessary, and what is learned does not depend on who could use them. */
#include "common/codec/codec.h"
#include "proto/limits.h"
#include "sim/network/wire_size.h"
#include "sim/run.h"

#include <mycel/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define DEVICES 8u
#define PARAMS 9800u
#define ROUNDS 9u

static void keep_last(void *user, const struct world *world, const struct run_figures *figures)
{
    (void)world;
    *(struct run_figures *)user = *figures;
}

/* Eight devices over a network that loses nothing; `changes` ends with NULL. */
static struct run_figures simulate(const char *const *changes)
{
    static const char *const settings[] = {"data=blobs:400,12,8",
                                           "model=12x12x1 > dense 64 relu > dense 8 softmax",
                                           "batch=10",
                                           "epochs=1",
                                           "rate=0.01",
                                           "codec=drive1",
                                           "devices=8",
                                           "pace_s=1",
                                           "evaluate_every=100"};
    struct scenario scenario;
    struct run_figures figures;
    char problem[SCENARIO_PROBLEM_BYTES];
    const struct run_observer observer = {.user = &figures, .ended = keep_last};
    scenario_init(&scenario);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        assert_int_equal(scenario_assign(&scenario, settings[i], problem), 0);
    }
    for (; *changes != NULL; changes++) {
        assert_int_equal(scenario_assign(&scenario, *changes, problem), 0);
    }
    int rc = sim_run(&scenario, &observer, problem);
    if (rc != 0) {
        fail_msg("%s: %s", mycel_error_text(rc), problem);
    }
    return figures;
}

#define SIMULATE(...) simulate((const char *const[]){__VA_ARGS__, NULL})

static uint64_t bytes_of(struct run_figures figures)
{
    return figures.bytes_up + figures.bytes_down;
}

/* On the wire, of a download of so many bytes. */
static uint64_t download_bytes(uint32_t bytes)
{
    char name[PROTO_SHA256_TEXT + 1u];
    uint64_t sum = 0;
    memset(name, 'A', sizeof name - 1u);
    name[sizeof name - 1u] = '\0';
    for (uint32_t number = 0; number * PROTO_BLOCK_BYTES_MAX < bytes; number++) {
        uint32_t left = bytes - number * PROTO_BLOCK_BYTES_MAX;
        struct mycel_block block = {MYCEL_BLOCK_2, number, PROTO_BLOCK_SZX_MAX, false};
        const struct mycel_request request = {.method = MYCEL_GET,
                                              .path = {PROTO_PATH_MODEL, name},
                                              .content_format = MYCEL_FORMAT_NONE,
                                              .block = block};
        block.more = left > PROTO_BLOCK_BYTES_MAX;
        const struct mycel_response response = {
            .code = 0x45,
            .content_format = PROTO_FORMAT_MODEL,
            .block = block,
            .size2 = number == 0 ? bytes : 0,
            .etag_bytes = MYCEL_ETAG_BYTES_MAX,
            .payload_bytes = left < PROTO_BLOCK_BYTES_MAX ? left : PROTO_BLOCK_BYTES_MAX};
        sum += wire_request_bytes(&request) + wire_response_bytes(&response);
    }
    return sum;
}

static void devices_download_the_frames(void **state)
{
    (void)state;
    struct run_figures whole = SIMULATE("downlink=f32", "rounds=9", "goal=8");
    struct run_figures frames = SIMULATE("downlink=delta", "rounds=9", "goal=8");
    assert_int_equal(whole.accepted, ROUNDS * DEVICES);
    assert_int_equal(frames.accepted, ROUNDS * DEVICES);
    /* The first version is whole in both, the second one a key frame, the others are deltas. */
    uint64_t saved = (ROUNDS - 1u) * download_bytes(PARAMS * 4u) -
                     download_bytes(codec_frame_bytes(CODEC_INT8, PARAMS)) -
                     (ROUNDS - 2u) * download_bytes(codec_frame_bytes(CODEC_DRIVE1, PARAMS));
    uint64_t found = (bytes_of(whole) - bytes_of(frames)) / DEVICES;
    /* What check-ins say of patches: 40 bytes in a lease and 19 in the question, each time. */
    assert_in_range(found, saved - ROUNDS * 70u, saved - (ROUNDS - 1u) * 40u);
}

/* Devices that sleep, miss versions, crash and reboot: the same model, since all train what is held. */
static void faults_cost_bytes_only(void **state)
{
    (void)state;
    struct run_figures some = SIMULATE("downlink=delta", "rounds=9", "goal=3");
    assert_int_equal(some.version, ROUNDS);
    struct run_figures again = SIMULATE("downlink=delta", "rounds=9", "goal=3");
    assert_memory_equal(some.model_sha256, again.model_sha256, sizeof some.model_sha256);
    assert_int_equal(bytes_of(some), bytes_of(again));
    struct run_figures hard = SIMULATE("downlink=delta", "rounds=9", "goal=8", "crashes=10000",
                                       "reboots=1000", "duplicates=0.2", "delays=0.2");
    assert_int_equal(hard.version, ROUNDS);
    struct run_figures easy = SIMULATE("downlink=delta", "rounds=9", "goal=8");
    assert_memory_equal(hard.model_sha256, easy.model_sha256, sizeof hard.model_sha256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_download_the_frames),
        cmocka_unit_test(faults_cost_bytes_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
