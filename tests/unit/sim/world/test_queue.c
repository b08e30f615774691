/* The order of events: by time, then as they were announced, also those of the present moment. */
#include "sim/world/queue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

#define EVENTS 5000u

struct copy {
    uint64_t at_us;
    uint32_t who;
};

static int by_time_then_order(const void *a, const void *b)
{
    const struct copy *x = a;
    const struct copy *y = b;
    if (x->at_us != y->at_us) {
        return x->at_us < y->at_us ? -1 : 1;
    }
    return x->who < y->who ? -1 : x->who > y->who;
}

/* Events that announce others, some at once: what comes out is sorted as a whole. */
static void events_come_in_order(void **state)
{
    (void)state;
    static struct copy pushed[EVENTS];
    static struct copy popped[EVENTS];
    struct queue queue = {0};
    uint32_t count = 0;
    uint32_t draw = 1;
    uint64_t now_us = 0;
    for (uint32_t taken = 0; taken < EVENTS; taken++) {
        for (uint32_t i = 0; i < 3 && count < EVENTS; i++) {
            draw = draw * 1664525u + 1013904223u;
            uint64_t at_us = now_us + (draw >> 24) % 5u; /* often now, and many ties */
            pushed[count] = (struct copy){at_us, count};
            assert_int_equal(queue_push(&queue, at_us, 7, count), 0);
            count++;
        }
        struct queue_event event;
        assert_true(queue_pop(&queue, &event));
        assert_int_equal(event.kind, 7);
        assert_true(event.at_us >= now_us);
        now_us = event.at_us;
        popped[taken] = (struct copy){event.at_us, event.who};
    }
    struct queue_event event;
    assert_false(queue_pop(&queue, &event));
    qsort(pushed, EVENTS, sizeof pushed[0], by_time_then_order);
    for (uint32_t i = 0; i < EVENTS; i++) {
        assert_int_equal(popped[i].at_us, pushed[i].at_us);
        assert_int_equal(popped[i].who, pushed[i].who);
    }
    queue_free(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(events_come_in_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
