/* The set of blocks still to be transferred: any order, lists of missing ones, bounds. */
#include "client/runtime/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka needs those above
#include <cmocka.h>

#define END 100u

static struct client idle; /* nothing in flight */

static void test_any_order(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed < 200; seed++) {
        struct client_blocks b;
        bool done[END] = {false};
        blocks_init(&b, 0, END);
        unsigned chance = seed;
        for (unsigned marked = 0; marked < END;) {
            chance = chance * 1664525u + 1013904223u;
            uint32_t block = b.base + (chance >> 16) % 40u;
            blocks_mark(&b, block);
            blocks_mark(&b, block);
            if (block < END && block < b.base + 32u) {
                marked += !done[block];
                done[block] = true;
            }
            uint32_t next = blocks_next(&b, &idle);
            for (uint32_t i = 0; i < END && i < next; i++) {
                assert_true(done[i] || i >= b.base + 32u);
            }
            assert_true(next == UINT32_MAX || !done[next]);
        }
        assert_true(blocks_complete(&b));
        assert_int_equal(blocks_next(&b, &idle), UINT32_MAX);
    }
}

static void test_in_flight_is_skipped(void **state)
{
    (void)state;
    struct client c = {0};
    struct client_blocks b;
    blocks_init(&b, 3, END);
    c.slots[0] = (struct client_slot){.busy = true, .block = 3};
    c.slots[2] = (struct client_slot){.busy = true, .block = 4};
    assert_int_equal(blocks_next(&b, &c), 5);
    blocks_init(&b, 3, 5);
    assert_int_equal(blocks_next(&b, &c), UINT32_MAX);
    assert_false(blocks_complete(&b));
}

/* Which of the first 100 blocks are sent after a list of missing ones. */
static unsigned sent_after(const uint32_t *missing, uint32_t count, bool cut, bool sent[END])
{
    struct client_blocks b;
    unsigned total = 0;
    memset(sent, 0, END);
    assert_int_equal(blocks_from_missing(&b, missing, count, cut, END), 0);
    for (uint32_t next; (next = blocks_next(&b, &idle)) != UINT32_MAX; total++) {
        assert_true(next < END && !sent[next]);
        sent[next] = true;
        blocks_mark(&b, next);
    }
    assert_true(blocks_complete(&b));
    return total;
}

static void test_missing_lists(void **state)
{
    (void)state;
    bool sent[END];
    assert_int_equal(sent_after(NULL, 0, false, sent), 0);
    assert_int_equal(sent_after((uint32_t[]){END}, 1, false, sent), 0); /* the final block only */
    assert_int_equal(sent_after((uint32_t[]){7}, 1, false, sent), 1);
    assert_true(sent[7]);
    assert_int_equal(sent_after((uint32_t[]){0, 5, 31, END}, 4, false, sent), 3);
    assert_true(sent[0] && sent[5] && sent[31]);
    assert_int_equal(sent_after((uint32_t[]){98, 99, END}, 3, false, sent), 2);
    /* Listed beyond the window: everything up to it is sent, and it is among them. */
    sent_after((uint32_t[]){2, 70}, 2, false, sent);
    assert_true(sent[2] && sent[70] && !sent[3] && !sent[71]);
    /* A full list may go on behind its last entry. */
    sent_after((uint32_t[]){2, 4}, 2, true, sent);
    assert_true(sent[2] && !sent[3] && sent[4]);
    for (unsigned i = 5; i < END; i++) {
        assert_true(sent[i]);
    }
}

static void test_hostile_lists(void **state)
{
    (void)state;
    struct client_blocks b;
    assert_int_equal(blocks_from_missing(&b, (uint32_t[]){END + 1}, 1, false, END),
                     MYCEL_E_MALFORMED);
    assert_int_equal(blocks_from_missing(&b, (uint32_t[]){UINT32_MAX}, 1, true, END),
                     MYCEL_E_MALFORMED);
    assert_int_equal(blocks_from_missing(&b, (uint32_t[]){5, 5}, 2, false, END), MYCEL_E_MALFORMED);
    assert_int_equal(blocks_from_missing(&b, (uint32_t[]){5, 4}, 2, false, END), MYCEL_E_MALFORMED);
}

static void test_marks_outside_are_ignored(void **state)
{
    (void)state;
    struct client_blocks b;
    blocks_init(&b, 10, 20);
    blocks_mark(&b, 9);
    blocks_mark(&b, 20);
    blocks_mark(&b, UINT32_MAX);
    assert_int_equal(b.base, 10);
    assert_int_equal(b.done, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_in_flight_is_skipped),
        cmocka_unit_test(test_missing_lists),
        cmocka_unit_test(test_hostile_lists),
        cmocka_unit_test(test_marks_outside_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
