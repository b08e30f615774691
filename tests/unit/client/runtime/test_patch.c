/* Models that come as patches, against a coordinator that the test plays: what is fetched and what is trained,
 * version after version; and that neither power cuts, nor patches that are gone, wrong or do not fit, lead to
 * another model than the one with the right hash. */
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka needs those above
#include <cmocka.h>

#define HOUR 3600000u
#define PARAMS 2500u
#define FRAME_MAX 12000u

static float held[PARAMS]; /* as the coordinator keeps it */
static uint32_t version;

static uint32_t add_frame(enum codec_id codec, const float *values, uint8_t *out)
{
    const struct codec_header header = {
        .codec = codec, .params = PARAMS, .base_version = version, .seed = version, .weight = 1};
    float scratch[CODEC_BLOCK_PARAMS_MAX];
    static float decoded[PARAMS];
    struct codec_frame frame;
    int bytes = codec_encode(&header, values, NULL, scratch, out, FRAME_MAX);
    assert_true(bytes > 0);
    assert_int_equal(codec_open(&frame, out, (size_t)bytes), 0);
    codec_decode(&frame, 0, PARAMS, decoded);
    for (uint32_t i = 0; i < PARAMS; i++) {
        held[i] += decoded[i];
    }
    return (uint32_t)bytes;
}

/* The next versions, `deltas` of them behind a key frame or behind what the device has. */
static void offer(struct fake_world *w, bool key, unsigned deltas)
{
    struct fake_coordinator *k = &w->coordinator;
    static float values[PARAMS];
    uint32_t bytes = 0;
    version++;
    if (key) {
        memset(held, 0, sizeof held);
        for (uint32_t i = 0; i < PARAMS; i++) {
            values[i] = 0.01f * (float)((i * 7u + version) % 100u) - 0.5f;
        }
        bytes = add_frame(CODEC_INT8, values, k->patch);
    }
    for (unsigned n = 0; n < deltas; n++) {
        version++;
        for (uint32_t i = 0; i < PARAMS; i++) {
            values[i] = 0.001f * (float)((i * 13u + version) % 31u) - 0.015f;
        }
        bytes += add_frame(CODEC_DRIVE1, values, k->patch + bytes);
    }
    memcpy(k->model, held, sizeof held);
    sha256(k->model, sizeof held, k->lease.model_sha256);
    sha256(k->patch, bytes, k->lease.patch_sha256.bytes);
    k->lease.base_version = version;
    k->lease.delta = true;
    k->lease.patch_sha256.size = 32;
    k->lease.patch_bytes = bytes;
    k->lease.patch_key = key;
    k->blob_bytes = 0;
}

static struct fake_world *new_world(void)
{
    struct fake_world *w = fake_world(PARAMS, CODEC_INT8);
    version = 0;
    offer(w, true, 0);
    return w;
}

/* The trainer was given exactly what the coordinator keeps. */
static void expect_trained(const struct fake_world *w)
{
    for (uint32_t i = 0; i < PARAMS; i++) {
        assert_true(w->trainer.weights[i] == held[i] + ((float)(i % 7u) - 3.0f) / 64.0f);
    }
}

static void run_round(struct fake_world *w, uint32_t fetched)
{
    assert_true(fake_run_round(w, HOUR));
    expect_trained(w);
    assert_int_equal(w->coordinator.blob_bytes, fetched);
}

static uint32_t patch_bytes(const struct fake_world *w)
{
    return w->coordinator.lease.patch_bytes;
}

static void test_versions_one_after_the_other(void **state)
{
    (void)state;
    struct fake_world *w = new_world();
    run_round(w, patch_bytes(w));
    assert_true(w->coordinator.last_checkin.features & PROTO_FEATURE_PATCH);
    for (unsigned round = 1; round < 20; round++) {
        uint8_t before[32];
        memcpy(before, w->coordinator.lease.model_sha256, sizeof before);
        fake_next_round(w);
        offer(w, round % 7u == 6u, round % 5u);
        if (round % 5u == 0 && round % 7u != 6u) {
            w->coordinator.lease.patch_bytes = 0; /* the same version again */
            w->coordinator.lease.patch_key = false;
        }
        if (round % 3u == 0) {
            fake_reboot(w);
        }
        run_round(w, patch_bytes(w));
        assert_memory_equal(w->coordinator.last_checkin.held.bytes, before, PROTO_HELD_BYTES);
    }
    assert_int_equal(w->events[MYCEL_EVENT_PROBLEM], 0);
}

/* One frame more and it would be no shorter than the model. */
static void test_longest_patch(void **state)
{
    (void)state;
    struct fake_world *w = new_world();
    offer(w, true, 17);
    assert_in_range(patch_bytes(w), PARAMS * 4u - 500u, PARAMS * 4u - 1u);
    run_round(w, patch_bytes(w));
}

static void test_useless_patches_cost_bytes_only(void **state)
{
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        struct fake_world *w = new_world();
        struct fake_coordinator *k = &w->coordinator;
        run_round(w, patch_bytes(w));
        fake_next_round(w);
        offer(w, false, 2);
        uint32_t wasted = patch_bytes(w);
        if (kind == 0) {
            k->patch_gone = true;
            wasted = 0;
        } else if (kind == 1) { /* not what its name says */
            k->patch[100] ^= 1u;
        } else if (kind == 2) { /* what its name says, but leads elsewhere */
            k->patch[100] ^= 1u;
            sha256(k->patch, wasted, k->lease.patch_sha256.bytes);
        } else if (kind == 3) { /* no frames */
            k->patch[0] ^= 1u;
            sha256(k->patch, wasted, k->lease.patch_sha256.bytes);
        } else { /* cut off */
            k->lease.patch_bytes = wasted -= 3u;
            sha256(k->patch, wasted, k->lease.patch_sha256.bytes);
        }
        run_round(w, wasted + PARAMS * 4u);
        k->patch_gone = false;
        fake_next_round(w);
        offer(w, false, 1); /* the whole model is as good an ancestor */
        run_round(w, patch_bytes(w));
    }
}

/* The kept model is damaged: the result has another hash. */
static void test_flash_that_forgets(void **state)
{
    (void)state;
    struct fake_world *w = new_world();
    run_round(w, patch_bytes(w));
    w->disk.now[MYCEL_AREA_MODEL].data[77] ^= 4u;
    fake_next_round(w);
    offer(w, false, 1);
    run_round(w, patch_bytes(w) + PARAMS * 4u);
    w->disk.now[MYCEL_AREA_MODEL_B].data[78] ^= 4u;
    fake_next_round(w);
    w->coordinator.blob_bytes = 0;
    w->coordinator.lease.patch_bytes = 0;
    run_round(w, PARAMS * 4u); /* not even the version that it has */
}

static void test_store_without_the_areas(void **state)
{
    (void)state;
    struct fake_world *w = new_world();
    struct mycel_store poor = fake_store;
    poor.areas = MYCEL_STORE_RESIDUAL;
    w->port.store = &poor;
    fake_reboot(w);
    w->coordinator.lease.patch_bytes = 0; /* as it would be told */
    run_round(w, PARAMS * 4u);
    assert_int_equal(w->coordinator.last_checkin.features & PROTO_FEATURE_PATCH, 0);
    assert_int_equal(w->disk.now[MYCEL_AREA_MODEL].bytes, 0);
}

/* A run without patches takes the area; the next patch has nothing to stand on. */
static void test_other_run_in_between(void **state)
{
    (void)state;
    struct fake_world *w = new_world();
    run_round(w, patch_bytes(w));
    fake_next_round(w);
    w->coordinator.lease.delta = false;
    w->coordinator.lease.patch_bytes = 0;
    w->coordinator.blob_bytes = 0;
    run_round(w, PARAMS * 4u);
    fake_next_round(w);
    offer(w, true, 1);
    run_round(w, patch_bytes(w));
    assert_int_equal(w->coordinator.last_checkin.held.size, 0);
}

/* The power goes at every operation of the second round; the third one tells what the device has. */
static bool run_with_cut(const struct fake_cut *cut, bool gone)
{
    struct fake_world *w = new_world();
    w->net.delay_min_ms = w->net.delay_max_ms = 1500; /* progress is persisted on the way */
    assert_true(fake_run_round(w, HOUR));
    fake_next_round(w);
    offer(w, false, 3);
    w->coordinator.patch_gone = gone;
    bool was_cut = fake_run_cut_round(w, cut, HOUR);
    expect_trained(w);
    fake_next_round(w);
    w->coordinator.patch_gone = false;
    offer(w, false, 1);
    run_round(w, patch_bytes(w));
    return was_cut;
}

static bool run_with_patch(const struct fake_cut *cut)
{
    return run_with_cut(cut, false);
}

static bool run_with_patch_gone(const struct fake_cut *cut)
{
    return run_with_cut(cut, true);
}

static void test_power_cut_at_every_operation(void **state)
{
    (void)state;
    fake_cut_everywhere(run_with_patch, 11, UINT32_MAX);
    fake_cut_everywhere(run_with_patch_gone, 11, UINT32_MAX);
}

static void test_leases_that_make_no_sense(void **state)
{
    (void)state;
    struct fake_world *w = new_world();
    w->coordinator.lease.patch_bytes = PARAMS * 4u;
    fake_run(w, 1000);
    assert_int_equal(w->last_problem, MYCEL_E_MALFORMED);
    w = new_world();
    w->coordinator.lease.patch_sha256.size = 31;
    fake_run(w, 1000);
    assert_int_equal(w->last_problem, MYCEL_E_MALFORMED);
    w = new_world();
    w->coordinator.lease.control = true;
    fake_run(w, 1000);
    assert_int_equal(w->last_problem, MYCEL_E_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions_one_after_the_other),
        cmocka_unit_test(test_longest_patch),
        cmocka_unit_test(test_useless_patches_cost_bytes_only),
        cmocka_unit_test(test_flash_that_forgets),
        cmocka_unit_test(test_store_without_the_areas),
        cmocka_unit_test(test_other_run_in_between),
        cmocka_unit_test(test_power_cut_at_every_operation),
        cmocka_unit_test(test_leases_that_make_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
