/*
 * Key frames and deltas over many versions: what devices hold follows the exact version, chains lead to it from
 * any of their steps, and every damaged chain is refused.
 */
#include "server/desk/downlink.h"

#include "common/crypto/sha256.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <mycel/error.h>

#define PARAMS 3000u
#define VERSIONS 40u
#define CHAIN_MAX 16384u

static float exact[PARAMS];
static float held[VERSIONS + 1u][PARAMS];
static uint8_t chain[CHAIN_MAX];
static size_t chain_bytes;
static struct downlink_chain known;

/* A model that moves: some way on each version, in a direction that changes slowly. */
static void move(uint32_t version, float step)
{
    for (uint32_t i = 0; i < PARAMS; i++) {
        exact[i] += step * sinf((float)i * 0.37f + (float)version * 0.2f);
    }
}

static bool make(uint32_t version, const float *before)
{
    uint8_t frame[CHAIN_MAX];
    bool key;
    const struct downlink_make how = {.seed = 5,
                                      .version = version,
                                      .params = PARAMS,
                                      .exact = exact,
                                      .before = before,
                                      .frames = before ? known.frames : 0};
    int bytes = downlink_make(&how, frame, held[version], &key);
    assert_true(bytes > 0 && (uint32_t)bytes <= downlink_frame_bytes(PARAMS));
    chain_bytes = key ? 0 : chain_bytes;
    uint32_t frames = key ? 0 : known.frames;
    memcpy(chain + chain_bytes, frame, (size_t)bytes);
    chain_bytes += (size_t)bytes;
    assert_int_equal(downlink_chain_read(&known, chain, chain_bytes), 0);
    assert_int_equal(known.frames, frames + 1u);
    sha256(held[version], sizeof held[version], known.steps[frames].held_sha256);
    known.version = version;
    return key;
}

static void start(void)
{
    known = (struct downlink_chain){0};
    for (uint32_t i = 0; i < PARAMS; i++) {
        exact[i] = 0.3f * sinf((float)i);
    }
    assert_true(make(1, NULL));
}

static double distance(const float *a)
{
    double sum = 0;
    for (uint32_t i = 0; i < PARAMS; i++) {
        sum += pow((double)(a[i] - exact[i]), 2);
    }
    return sqrt(sum);
}

/* What a device makes of a patch. */
static void patch(const struct downlink_offer *offer, const float *from, float *out)
{
    float values[PARAMS];
    for (uint32_t i = 0; i < PARAMS; i++) {
        out[i] = offer->key ? 0.0f : from[i];
    }
    uint32_t at = known.steps[offer->from].offset;
    assert_int_equal(known.bytes - at, offer->bytes);
    for (uint32_t step = offer->from; step < known.frames; step++) {
        struct codec_frame frame;
        uint32_t end = step + 1u < known.frames ? known.steps[step + 1u].offset : known.bytes;
        assert_int_equal(codec_open(&frame, chain + at, end - at), 0);
        codec_decode(&frame, 0, PARAMS, values);
        for (uint32_t i = 0; i < PARAMS; i++) {
            out[i] += values[i];
        }
        at = end;
    }
}

static void test_held_follows_the_exact_version(void **state)
{
    (void)state;
    double moved = 0;
    start();
    assert_true(distance(held[1]) < 0.1);
    for (uint32_t v = 2; v <= VERSIONS; v++) {
        float last[PARAMS];
        memcpy(last, exact, sizeof last);
        move(v, 0.01f);
        moved = distance(last);
        bool key = make(v, held[v - 1u]);
        assert_int_equal(key, v % DOWNLINK_FRAMES_MAX == 1);
        /* Errors are fed back: they stay at a few steps, however many versions there are. */
        assert_true(distance(held[v]) < 5.0 * moved);
    }
}

static void test_every_step_leads_to_the_newest(void **state)
{
    (void)state;
    start();
    for (uint32_t v = 2; v <= VERSIONS; v++) {
        move(v, 0.01f);
        (void)make(v, held[v - 1u]);
        uint32_t first = v + 1u - known.frames;
        for (uint32_t from = first > 2 ? first - 2 : 1; from <= v; from++) {
            uint8_t name[PROTO_SHA256_BYTES];
            float out[PARAMS];
            sha256(held[from], sizeof held[from], name);
            struct downlink_offer offer = downlink_offer(&known, PARAMS, name);
            if (offer.whole) { /* that many deltas are no shorter */
                uint32_t begin = from < first ? 0 : known.steps[from + 1u - first].offset;
                assert_true(known.bytes - begin >= PARAMS * 4u);
                continue;
            }
            assert_int_equal(offer.key, from < first);
            assert_int_equal(offer.bytes == 0, from == v);
            if (offer.bytes > 0) {
                patch(&offer, held[from], out);
                assert_memory_equal(out, held[v], sizeof out);
            }
        }
    }
}

static void test_same_arguments_same_frame(void **state)
{
    (void)state;
    uint8_t before[PROTO_SHA256_BYTES];
    start();
    move(2, 0.01f);
    struct downlink_chain one = known;
    size_t bytes = chain_bytes;
    (void)make(2, held[1]);
    memcpy(before, known.sha256, sizeof before);
    known = one;
    chain_bytes = bytes;
    (void)make(2, held[1]);
    assert_memory_equal(known.sha256, before, sizeof before);
}

static void test_leap_is_a_key_frame(void **state)
{
    (void)state;
    start();
    move(2, 2.0f); /* another model altogether */
    assert_true(make(2, held[1]));
    assert_true(distance(held[2]) < 1.0);
}

static void test_values_that_no_frame_holds(void **state)
{
    (void)state;
    uint8_t frame[CHAIN_MAX];
    bool key;
    start();
    const struct downlink_make how = {.version = 2, .params = PARAMS, .exact = exact};
    exact[7] = NAN;
    assert_int_equal(downlink_make(&how, frame, held[2], &key), MYCEL_E_NONFINITE);
    exact[7] = 1e30f;
    assert_int_equal(downlink_make(&how, frame, held[2], &key), MYCEL_E_TOO_LARGE);
}

/* Frame by frame or all at once: the same chain. */
static void test_chains_grow(void **state)
{
    (void)state;
    struct downlink_chain grown = {.version = 0};
    start();
    for (uint32_t v = 2; v <= 5; v++) {
        move(v, 0.01f);
        (void)make(v, held[v - 1u]);
    }
    for (uint32_t i = 0; i < known.frames; i++) {
        uint32_t at = known.steps[i].offset;
        uint32_t end = i + 1u < known.frames ? known.steps[i + 1u].offset : known.bytes;
        assert_int_equal(downlink_chain_add(&grown, chain + at, end - at - 1u), MYCEL_E_CORRUPT);
        assert_int_equal(downlink_chain_add(&grown, chain + at, end - at), 0);
    }
    assert_int_equal(grown.frames, known.frames);
    assert_int_equal(grown.bytes, known.bytes);
    assert_memory_equal(grown.sha256, known.sha256, sizeof grown.sha256);
    static float sum[PARAMS];
    assert_int_equal(downlink_held(chain, chain_bytes, PARAMS, sum), 0);
    assert_memory_equal(sum, held[5], sizeof sum);
    assert_int_equal(downlink_held(chain, chain_bytes - 1u, PARAMS, sum), MYCEL_E_CORRUPT);
    assert_int_equal(downlink_held(chain, 0, PARAMS, sum), MYCEL_E_CORRUPT);
    assert_int_equal(downlink_held(chain, chain_bytes, PARAMS - 1u, sum), MYCEL_E_CORRUPT);
    for (uint32_t i = 0; i < known.frames; i++) {
        assert_int_equal(grown.steps[i].offset, known.steps[i].offset);
        assert_memory_equal(grown.steps[i].patch_sha256, known.steps[i].patch_sha256,
                            PROTO_SHA256_BYTES);
    }
}

static void test_damaged_chains(void **state)
{
    (void)state;
    struct downlink_chain read;
    uint8_t *copy = malloc(CHAIN_MAX);
    start();
    for (uint32_t v = 2; v <= 5; v++) {
        move(v, 0.01f);
        (void)make(v, held[v - 1u]);
    }
    for (size_t bytes = 0; bytes < chain_bytes; bytes++) {
        int rc = downlink_chain_read(&read, chain, bytes);
        bool at_frame = false;
        for (uint32_t i = 1; i < known.frames; i++) {
            at_frame |= known.steps[i].offset == bytes;
        }
        assert_int_equal(rc, at_frame ? 0 : MYCEL_E_CORRUPT);
    }
    for (size_t bit = 0; bit < CODEC_HEADER_BYTES * 8u; bit++) { /* of the second frame */
        memcpy(copy, chain, chain_bytes);
        copy[known.steps[1].offset + bit / 8u] ^= (uint8_t)(1u << bit % 8u);
        int rc = downlink_chain_read(&read, copy, chain_bytes);
        assert_true(rc == MYCEL_E_CORRUPT || (rc == 0 && read.frames == known.frames));
    }
    free(copy);
}

static void test_offers_and_names(void **state)
{
    (void)state;
    static const uint8_t none[PROTO_HELD_BYTES] = {0};
    start();
    struct downlink_offer offer = downlink_offer(&known, PARAMS, none);
    assert_true(offer.key && !offer.whole && offer.bytes == chain_bytes);
    known.bytes = PARAMS * 4u; /* no shorter than the model itself */
    assert_true(downlink_offer(&known, PARAMS, none).whole);
    assert_int_equal(downlink_from_name("delta"), DOWNLINK_DELTA);
    assert_int_equal(downlink_from_name("f16"), MYCEL_E_NOT_FOUND);
    assert_string_equal(downlink_name(DOWNLINK_F32), "f32");
    assert_null(downlink_name(2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_follows_the_exact_version),
        cmocka_unit_test(test_every_step_leads_to_the_newest),
        cmocka_unit_test(test_same_arguments_same_frame),
        cmocka_unit_test(test_leap_is_a_key_frame),
        cmocka_unit_test(test_values_that_no_frame_holds),
        cmocka_unit_test(test_chains_grow),
        cmocka_unit_test(test_damaged_chains),
        cmocka_unit_test(test_offers_and_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
