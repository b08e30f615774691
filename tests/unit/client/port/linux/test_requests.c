/* Requests in flight: what is copied, whose an answer is, and when a repetition is due. */
#include "client/port/linux/request_slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
// cmocka needs those above
#include <cmocka.h>

static struct request_slots all;

static struct request_slot *take(unsigned index, uint32_t timeout_ms)
{
    struct mycel_request q = {.path = {"u", "key"}, .timeout_ms = timeout_ms};
    struct request_slot *slot = request_slots_take(&all, index, &q);
    assert_non_null(slot);
    return slot;
}

static void test_a_request_is_copied(void **state)
{
    char path[REQUEST_SEGMENT_BYTES_MAX + 1u] = "key";
    uint8_t body[PROTO_BLOCK_BYTES_MAX + 1u] = {7};
    struct mycel_request q = {
        .path = {"u", path}, .payload = body, .payload_bytes = PROTO_BLOCK_BYTES_MAX};
    (void)state;
    struct request_slot *slot = request_slots_take(&all, 1, &q);
    assert_non_null(slot);
    path[0] = 'x';
    body[0] = 8;
    assert_string_equal(slot->request.path[1], "key");
    assert_int_equal(((const uint8_t *)slot->request.payload)[0], 7);

    q.payload_bytes = PROTO_BLOCK_BYTES_MAX + 1u;
    assert_null(request_slots_take(&all, 1, &q));
    q.payload_bytes = 0;
    memset(path, 'y', sizeof path - 1u);
    assert_null(request_slots_take(&all, 1, &q));
}

static void test_a_token_is_of_one_request(void **state)
{
    uint8_t first[REQUEST_TOKEN_BYTES];
    uint8_t second[REQUEST_TOKEN_BYTES];
    (void)state;
    struct request_slot *slot = take(2, 0);
    request_slots_token(&all, slot, first);
    assert_ptr_equal(request_slots_of_token(&all, first, sizeof first), slot);
    assert_null(request_slots_of_token(&all, first, sizeof first - 1u));

    (void)take(2, 0);
    request_slots_token(&all, slot, second);
    assert_null(request_slots_of_token(&all, first, sizeof first));
    assert_ptr_equal(request_slots_of_token(&all, second, sizeof second), slot);

    request_slots_answer(&all, slot, 0);
    assert_null(request_slots_of_token(&all, second, sizeof second));
    second[0] = MYCEL_REQUEST_SLOTS;
    assert_null(request_slots_of_token(&all, second, sizeof second));
}

static void test_pauses_grow_up_to_a_limit(void **state)
{
    static const uint32_t pauses_ms[] = {400, 600, 800, 800};
    uint64_t now_ms = 1000;
    (void)state;
    request_slots_clear(&all);
    struct request_slot *slot = take(0, 400);
    assert_true(request_slots_due_ms(&all) == UINT64_MAX); /* not sent */
    for (size_t i = 0; i < sizeof pauses_ms / sizeof pauses_ms[0]; i++) {
        request_slot_schedule(slot, now_ms, 0);
        assert_true(request_slots_due_ms(&all) == now_ms + pauses_ms[i]);
        now_ms = slot->due_ms;
    }
    request_slot_schedule(slot, now_ms, 255);
    assert_in_range(slot->due_ms - now_ms, 801, 1000);

    take(0, 1);
    request_slot_schedule(slot, now_ms, 0);
    assert_int_equal(slot->due_ms - now_ms, 50); /* whatever is asked */
}

static void test_an_answer_says_how_it_came(void **state)
{
    struct mycel_response response;
    (void)state;
    request_slots_clear(&all);
    assert_false(request_slots_take_answer(&all, &response));
    struct request_slot *slot = take(3, 100);
    request_slot_schedule(slot, 5000, 0);
    request_slot_count_repeat(slot);
    request_slot_schedule(slot, 5100, 0);
    request_slots_answer(&all, slot, 5130);
    assert_true(request_slots_due_ms(&all) == UINT64_MAX);
    assert_true(request_slots_take_answer(&all, &response));
    assert_int_equal(response.slot, 3);
    assert_int_equal(response.repeats, 1);
    assert_int_equal(response.since_ms, 30);
    assert_false(request_slots_take_answer(&all, &response));

    slot = take(3, 100);
    request_slot_schedule(slot, 5000, 0);
    request_slots_answer(&all, slot, 5000 + 70000);
    assert_int_equal(slot->response.since_ms, UINT16_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_is_copied),
        cmocka_unit_test(test_a_token_is_of_one_request),
        cmocka_unit_test(test_pauses_grow_up_to_a_limit),
        cmocka_unit_test(test_an_answer_says_how_it_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
