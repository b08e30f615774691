/* What answers teach: timeout, window, block size, patience. Each test is one link, as a client sees it:
 * requests are answered after so long, after so many repetitions. */
#include "fake.h"

#include "common/rng.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka needs those above
#include <cmocka.h>

static struct client c;
static struct mycel_client_config config;

static int setup(void **state)
{
    (void)state;
    memset(&c, 0, sizeof c);
    config = (struct mycel_client_config){0};
    c.config = &config;
    c.now_ms = UINT32_MAX - 5000u; /* the 32 bits of a slot wrap during each test */
    pace_init(&c);
    return 0;
}

/* One request that is answered after `ms` and `repeats` repetitions, the last of them `since_ms` ago. */
static void exchange_since(uint32_t ms, unsigned repeats, uint32_t since_ms)
{
    struct client_slot slot = {.sent_ms = (uint32_t)c.now_ms,
                               .timeout_ms = (uint16_t)pace_timeout_ms(&c, true),
                               .busy = true,
                               .is_timed = true};
    c.now_ms += ms;
    pace_answered(&c, &slot, repeats, since_ms);
}

/* The same, from a transport that does not tell when it repeated. */
static void exchange(uint32_t ms, unsigned repeats)
{
    exchange_since(ms, repeats, 0);
}

/* The same over a link that loses each try with the given chance (of 1,000): the transport's pauses. */
static void lossy_exchange(uint32_t round_trip_ms, uint32_t loss, uint64_t number)
{
    uint32_t wait = pace_timeout_ms(&c, true);
    uint32_t elapsed = round_trip_ms;
    unsigned repeats = 0;
    while (repeats < 12 && rng_below(7, number, repeats, 1000) < loss) {
        elapsed += wait;
        wait += wait / 2u;
        repeats++;
    }
    exchange(elapsed, repeats);
}

static void test_timeout_follows_the_round_trip(void **state)
{
    (void)state;
    assert_int_equal(pace_timeout_ms(&c, true), 2000);
    for (unsigned i = 0; i < 50; i++) {
        exchange(i % 2 ? 420 : 380, 0);
    }
    assert_in_range(pace_timeout_ms(&c, true), 420, 560);
    for (unsigned i = 0; i < 50; i++) {
        exchange(5, 0);
    }
    assert_int_equal(pace_timeout_ms(&c, true), 200);
    assert_int_equal(pace_timeout_ms(&c, false), 500); /* behind a disk */
}

/* Karn's trouble: once the round trip exceeds the timeout, no answer is a clean sample any more. */
static void test_timeout_outgrows_a_longer_path(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        exchange(20, 0);
    }
    for (unsigned i = 0; i < 40; i++) {
        uint32_t timeout = pace_timeout_ms(&c, true);
        exchange(3000, timeout < 3000 ? 2 : 0);
    }
    assert_in_range(pace_timeout_ms(&c, true), 3000, 9000);
}

static void test_loss_does_not_inflate_the_timeout(void **state)
{
    (void)state;
    uint32_t sum = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        lossy_exchange(100, 750, i); /* half of the datagrams, each way */
        sum += i >= 500 ? pace_timeout_ms(&c, true) : 0;
    }
    assert_in_range(sum / 500, 100, 400);
}

/* Every try pays for a floor that is far above the round trip, so it falls where most tries are lost. */
static void test_floor_falls_with_what_arrives(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        exchange(20, 0);
    }
    assert_int_equal(pace_timeout_ms(&c, true), 200);
    for (unsigned i = 0; i < 50; i++) {
        exchange_since(400, 3, 20);
    }
    assert_in_range(pace_timeout_ms(&c, true), 30, 90);
    assert_in_range(pace_timeout_ms(&c, false), 100, 200);
    for (unsigned i = 0; i < 100; i++) {
        exchange(20, 0);
    }
    assert_in_range(pace_timeout_ms(&c, true), 180, 200); /* it is well again */
}

/* The first answers of a session, all of requests that were repeated: the round trip shows in them, too. */
static void test_timeout_is_learned_from_repeated_requests(void **state)
{
    (void)state;
    exchange_since(6020, 2, 20);
    assert_in_range(pace_timeout_ms(&c, true), 60, 180);
    for (unsigned i = 0; i < 8; i++) {
        exchange_since(500, 4, 20);
    }
    assert_in_range(pace_timeout_ms(&c, true), 60, 100);
}

/* The path grows longer than the floor: answers come between repetitions, and nothing is lost. */
static void test_needless_repetitions_are_not_taken_for_losses(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 30; i++) {
        exchange_since(400, 3, 20);
    }
    exchange(20, 0);
    assert_in_range(pace_timeout_ms(&c, true), 30, 90);
    uint8_t loss = c.pace.loss;
    unsigned needless = 0;
    for (uint32_t timeout; (timeout = pace_timeout_ms(&c, true)) < 150; needless++) {
        exchange_since(150, 1, 150 - timeout);
        assert_true(needless < 20);
    }
    assert_true(c.pace.loss < loss);
    exchange(150, 0);
    assert_in_range(pace_timeout_ms(&c, true), 150, 450);
}

static void test_window_opens_and_closes(void **state)
{
    (void)state;
    assert_int_equal(pace_window(&c), 2);
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        exchange(10, 0);
    }
    assert_int_equal(pace_window(&c), MYCEL_REQUEST_SLOTS);
    exchange(1000, 1);
    assert_int_equal(pace_window(&c), MYCEL_REQUEST_SLOTS / 2);
    for (unsigned i = 0; i < 3; i++) {
        exchange(1000, 1);
    }
    assert_int_equal(pace_window(&c), 2);
    unsigned answers = 0;
    for (; pace_window(&c) < 4; answers++) {
        exchange(10, 0);
    }
    assert_in_range(answers, 4, 7); /* additive: 2 + 3, about */
}

/* Losses among requests that left before the cut are the same event. */
static void test_one_cut_for_each_round_trip(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        exchange(10, 0);
    }
    struct client_slot volley = {
        .sent_ms = (uint32_t)c.now_ms, .timeout_ms = 200, .busy = true, .is_timed = true};
    for (unsigned i = 0; i < 4; i++) {
        c.now_ms += 300;
        pace_answered(&c, &volley, 1, 0);
    }
    assert_int_equal(pace_window(&c), MYCEL_REQUEST_SLOTS / 2);
}

/* Frames of 100 bytes, each lost with the same chance: smaller blocks arrive more often. */
static uint32_t loss_of_block(uint32_t frame_loss)
{
    uint32_t frames = ((16u << c.pace.szx) + 80u + 99u) / 100u;
    double arrives = 1.0;
    for (uint32_t i = 0; i < frames; i++) {
        arrives *= 1.0 - frame_loss / 1000.0;
    }
    return (uint32_t)((1.0 - arrives) * 1000.0);
}

static void test_smaller_blocks_where_they_help(void **state)
{
    (void)state;
    assert_int_equal(c.pace.szx, 6);
    for (uint64_t i = 0; i < 400; i++) {
        lossy_exchange(100, loss_of_block(150), i);
    }
    assert_in_range(c.pace.szx, 2, 4); /* these two cost about the same */
    for (uint64_t i = 0; i < 400; i++) {
        lossy_exchange(100, 0, i);
    }
    assert_int_equal(c.pace.szx, 6); /* the mesh is well again */
}

static void test_smaller_blocks_are_given_up_where_they_do_not(void **state)
{
    (void)state;
    unsigned small = 0;
    for (uint64_t i = 0; i < 400; i++) {
        lossy_exchange(100, 750, i);
        small += c.pace.szx < 6;
    }
    assert_int_equal(c.pace.szx, 6);
    assert_in_range(small, 20, 40); /* it was tried, once */
    pace_new_job(&c);
    for (uint64_t i = 0; i < 60; i++) {
        lossy_exchange(100, loss_of_block(300), i);
    }
    assert_true(c.pace.szx < 6); /* and again in the next job */
}

static void test_never_smaller_than_64_bytes_nor_larger_than_configured(void **state)
{
    (void)state;
    static const struct {
        uint32_t bytes;
        uint8_t szx;
    } cases[] = {{0, 6}, {1024, 6}, {5000, 6}, {512, 5}, {300, 4}, {256, 4}, {64, 2}, {16, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        config.block_bytes = cases[i].bytes;
        pace_init(&c);
        assert_int_equal(c.pace.szx, cases[i].szx);
        for (uint64_t k = 0; k < 2000; k++) {
            lossy_exchange(50, k < 1000 ? loss_of_block(300) : 0, k);
            assert_in_range(c.pace.szx, 2, cases[i].szx);
        }
        assert_int_equal(c.pace.szx, cases[i].szx);
    }
}

static void test_patience(void **state)
{
    (void)state;
    assert_int_equal(pace_handshake_patience_ms(&c), 16000);
    c.failures = 1;
    assert_int_equal(pace_handshake_patience_ms(&c), 32000);
    c.failures = 200;
    assert_true(pace_handshake_patience_ms(&c) >= 30000);
    c.failures = 0;
    for (unsigned i = 0; i < 20; i++) {
        exchange(20, 0);
    }
    assert_int_equal(pace_patience_ms(&c, pace_timeout_ms(&c, false)), 3000);
    assert_int_equal(pace_handshake_patience_ms(&c), 6000);
    exchange(4000, 3); /* such a link needs more */
    assert_int_equal(pace_patience_ms(&c, pace_timeout_ms(&c, false)), 12000);
    for (unsigned i = 0; i < 40; i++) {
        exchange(20, 0);
    }
    assert_int_equal(pace_patience_ms(&c, pace_timeout_ms(&c, false)), 3000);
    for (uint64_t i = 0; i < 100; i++) {
        lossy_exchange(100, 750, i);
    }
    assert_true(pace_patience_ms(&c, 300) >= 20000);
}

static void test_resize_keeps_the_place(void **state)
{
    (void)state;
    struct client_blocks b;
    blocks_init(&b, 3, 10); /* 3,072 of 9,300 bytes are there */
    blocks_resize(&b, 6, 4, 37);
    assert_int_equal(b.base, 12);
    assert_int_equal(b.end, 37);
    blocks_mark(&b, 12);
    blocks_mark(&b, 14);
    blocks_resize(&b, 4, 6, 10);
    assert_int_equal(b.base, 3); /* not the whole of block 3 was there */
    blocks_init(&b, 10, 10);
    blocks_resize(&b, 6, 2, 146);
    assert_true(blocks_complete(&b));
    assert_int_equal(b.end, 146);
    blocks_init(&b, 9, 10); /* only the last, shorter one is missing */
    blocks_resize(&b, 6, 2, 146);
    assert_int_equal(b.base, 144);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_timeout_follows_the_round_trip),
        TEST(test_timeout_outgrows_a_longer_path),
        TEST(test_loss_does_not_inflate_the_timeout),
        TEST(test_floor_falls_with_what_arrives),
        TEST(test_timeout_is_learned_from_repeated_requests),
        TEST(test_needless_repetitions_are_not_taken_for_losses),
        TEST(test_window_opens_and_closes),
        TEST(test_one_cut_for_each_round_trip),
        TEST(test_smaller_blocks_where_they_help),
        TEST(test_smaller_blocks_are_given_up_where_they_do_not),
        TEST(test_never_smaller_than_64_bytes_nor_larger_than_configured),
        TEST(test_patience),
        TEST(test_resize_keeps_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
