/* The calendar of a shared channel, against a plain array of microseconds. */
#include "sim/network/airtime.h"

#include "common/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void spans_queue_up_and_fill_gaps(void **state)
{
    (void)state;
    struct airtime a = {0};
    assert_int_equal(airtime_book(&a, 0, 0, 10), 0);
    assert_int_equal(airtime_book(&a, 0, 0, 10), 10); /* behind it */
    assert_int_equal(a.count, 1);                     /* and one with it */
    assert_int_equal(airtime_book(&a, 0, 100, 10), 100);
    assert_int_equal(airtime_book(&a, 0, 0, 50), 20);  /* fits before */
    assert_int_equal(airtime_book(&a, 0, 0, 40), 110); /* does not */
    assert_int_equal(airtime_book(&a, 0, 0, 30), 70);  /* fills the gap: all is one */
    assert_int_equal(a.count, 1);
    assert_int_equal(airtime_backlog_us(&a, 50), 100);
    assert_int_equal(airtime_book(&a, 150, 150, 5), 150); /* the past is forgotten */
    assert_int_equal(a.count, 1);
    assert_int_equal(airtime_find(&a, 152, 7), 155);
    assert_int_equal(airtime_book(&a, 150, 152, 0), 155);
    assert_int_equal(airtime_backlog_us(&a, 155), 0);
}

#define SPACE 4096

/* The first place from `ready` on with `length` free microseconds. */
static uint64_t first_fit(const uint8_t *taken, uint64_t ready, uint64_t length)
{
    uint64_t run = 0;
    for (uint64_t at = ready; at < SPACE; at++) {
        run = taken[at] ? 0 : run + 1;
        if (run == length) {
            return at + 1 - length;
        }
    }
    fail_msg("no place left");
    return 0;
}

static void a_full_list_still_counts_all_that_is_taken(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct airtime a = {0};
        uint64_t taken = 0;
        for (uint64_t i = 0; i < 500; i++) { /* 5,000 of 6,000 us on average */
            uint64_t ready = rng_below(seed, 2, i, 6000);
            uint64_t length = 1 + rng_below(seed, 3, i, 19);
            assert_true(airtime_book(&a, 0, ready, length) >= ready);
            taken += length;
        }
        uint64_t sum = 0;
        for (uint32_t k = 0; k < a.count; k++) {
            sum += a.span[k].to_us - a.span[k].from_us;
            assert_true(k == 0 || a.span[k - 1].to_us < a.span[k].from_us);
        }
        assert_int_equal(sum, taken);
        assert_true(a.count <= AIRTIME_SPANS_MAX);
    }
}

static void a_saturated_channel_gives_what_it_has(void **state)
{
    (void)state;
    /* Offered twice what fits, in order of time but ready at random: it stays busy throughout. */
    struct airtime a = {0};
    uint64_t taken = 0;
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t now = i * 10;
        taken += 20;
        airtime_book(&a, now, now + rng_below(1, 2, i, 3000), 20);
    }
    uint64_t end = 19999 * 10 + airtime_backlog_us(&a, 19999 * 10);
    assert_in_range(end, taken, taken + 3000);
}

static void with_room_it_is_the_first_fit(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct airtime a = {0};
        uint8_t taken[SPACE] = {0};
        for (uint64_t i = 0; i < AIRTIME_SPANS_MAX - 1; i++) {
            uint64_t ready = rng_below(seed, 2, i, 300);
            uint64_t length = 1 + rng_below(seed, 3, i, 30);
            uint64_t want = first_fit(taken, ready, length);
            assert_int_equal(airtime_find(&a, ready, length), want);
            assert_int_equal(airtime_book(&a, 0, ready, length), want);
            memset(taken + want, 1, length);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_queue_up_and_fill_gaps),
        cmocka_unit_test(a_full_list_still_counts_all_that_is_taken),
        cmocka_unit_test(a_saturated_channel_gives_what_it_has),
        cmocka_unit_test(with_room_it_is_the_first_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
