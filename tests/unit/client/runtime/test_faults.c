/* A bad network: every message lost once, many lost, doubled, late, out of order, sessions that break,
 * a coordinator that is busy, forgets, or is not there. The update always arrives, once, and nothing is
 * sent faster than the bounds allow. */
#include "fake.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka needs those above
#include <cmocka.h>

#define MINUTE 60000u
#define HOUR 3600000u

static void expect_counted_once(const struct fake_world *w)
{
    assert_int_equal(w->coordinator.commits, 1);
    assert_int_equal(w->trainer.completed, 1);
    assert_int_equal(w->disk.safe[MYCEL_AREA_JOURNAL].data[3], CLIENT_PHASE_NONE);
}

static void test_each_message_lost_once(void **state)
{
    (void)state;
    uint32_t messages = 1;
    for (uint32_t i = 1; i <= messages; i++) {
        struct fake_world *w = fake_world(3000, CODEC_F32);
        w->net.lose_message = i;
        assert_true(fake_run_round(w, HOUR));
        expect_counted_once(w);
        messages = i == 1 ? w->net.messages : messages;
    }
    assert_in_range(messages, 50, 70);
}

static void test_random_loss(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 100; seed++) {
        struct fake_world *w = fake_world(3000, CODEC_INT8);
        w->net.seed = seed;
        w->net.loss_percent = 20;
        w->net.delay_max_ms = 2000;
        assert_true(fake_run_round(w, 12u * HOUR));
        expect_counted_once(w);
    }
}

static void test_duplicates_and_disorder(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 100; seed++) {
        struct fake_world *w = fake_world(4000, CODEC_F32);
        w->net.seed = seed;
        w->net.duplicate = true;
        w->net.delay_min_ms = 1;
        w->net.delay_max_ms = 3000;
        assert_true(fake_run_round(w, HOUR));
        expect_counted_once(w);
        assert_int_equal(w->events[MYCEL_EVENT_PROBLEM], 0);
    }
}

static void test_refused_sends(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(3000, CODEC_F32);
    for (int i = 0; i < 30; i++) {
        w->net.send_refusals = 5;
        fake_run(w, 20);
    }
    assert_true(fake_run_round(w, MINUTE));
    expect_counted_once(w);
    assert_int_equal(w->events[MYCEL_EVENT_PROBLEM], 0);
}

/* A transport that takes nothing until a handshake that never ends is given up like a silent peer. */
static void test_endless_handshake(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(3000, CODEC_F32);
    w->net.send_refusals = INT32_MAX;
    fake_run(w, HOUR);
    assert_int_equal(w->last_problem, MYCEL_E_TIMEOUT);
    assert_in_range(w->net.opens, 5, 20);
    w->net.send_refusals = 0;
    assert_true(fake_run_round(w, HOUR));
    expect_counted_once(w);
}

static void test_session_breaks_in_each_state(void **state)
{
    (void)state;
    static const enum mycel_client_state where[] = {MYCEL_CLIENT_CHECKIN, MYCEL_CLIENT_FETCH,
                                                    MYCEL_CLIENT_TRAIN, MYCEL_CLIENT_UPLOAD};
    for (size_t i = 0; i < sizeof where / sizeof where[0]; i++) {
        for (int kind = 0; kind < 2; kind++) {
            struct fake_world *w = fake_world(3000, CODEC_F32);
            assert_true(fake_run_until(w, where[i], MINUTE));
            *(kind ? &w->net.send_error : &w->net.receive_error) = MYCEL_E_CLOSED;
            fake_run(w, 5000);
            w->net.send_error = w->net.receive_error = 0;
            assert_true(fake_run_round(w, HOUR));
            expect_counted_once(w);
            assert_true(w->net.opens >= 2);
        }
    }
}

/* Silence is all that a wrong key causes. */
static void test_dead_peer_backs_off(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(3000, CODEC_F32);
    w->net.dead = true;
    fake_run(w, 24u * HOUR);
    assert_int_equal(w->last_problem, MYCEL_E_TIMEOUT);
    uint64_t longest = 0;
    for (uint32_t i = 1; i < w->net.send_count; i++) {
        uint64_t gap = w->net.sends[i].at_ms - w->net.sends[i - 1].at_ms;
        uint64_t pause = 1000u << (i < 11 ? i - 1 : 10);
        pause = pause > 600000 ? 600000 : pause;
        uint64_t silence = i < 2 ? 16000 : 30000;
        assert_in_range(gap, silence + pause / 2, silence + pause);
        longest = gap > longest ? gap : longest;
    }
    assert_in_range(w->net.send_count, 24u * HOUR / 630000, 24u * HOUR / 330000 + 10);
    assert_true(longest > 500000);
    assert_int_equal(w->net.opens, w->net.send_count); /* each attempt shakes hands anew */
}

/* After a long sleep a forgotten session is noticed sooner than a peer that is dead altogether. */
static void test_forgotten_session(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(100, CODEC_F32);
    w->coordinator.window = (mycel_Window){.earliest_ms = 600000, .latest_ms = 600000};
    w->coordinator.has_work = false;
    fake_run(w, 1000);
    w->net.forgotten = true;
    w->coordinator.has_work = true;
    uint32_t sent = w->net.send_count;
    assert_true(fake_run_until(w, MYCEL_CLIENT_FETCH, HOUR));
    assert_in_range(w->net.sends[sent + 1].at_ms - w->net.sends[sent].at_ms, 3000, 4500);
    assert_true(fake_run_round(w, HOUR));
    assert_int_equal(w->net.opens, 2);
}

static void test_cannot_open(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(3000, CODEC_F32);
    w->net.open_error = MYCEL_E_UNREACHABLE;
    w->polls = 0;
    fake_run(w, 24u * HOUR);
    assert_int_equal(w->last_problem, MYCEL_E_UNREACHABLE);
    assert_in_range(w->events[MYCEL_EVENT_PROBLEM], 140, 310);
    assert_true(w->polls < 4 * w->events[MYCEL_EVENT_PROBLEM]);
    w->net.open_error = 0;
    assert_true(fake_run_round(w, HOUR));
    expect_counted_once(w);
}

static void test_backoff_starts_over_after_success(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(3000, CODEC_F32);
    w->net.dead = true;
    fake_run(w, HOUR);
    w->net.dead = false;
    assert_true(fake_run_until(w, MYCEL_CLIENT_FETCH, HOUR));
    w->net.dead = true;
    for (unsigned before = w->events[MYCEL_EVENT_PROBLEM];
         w->events[MYCEL_EVENT_PROBLEM] == before;) {
        fake_run(w, 100);
    }
    assert_int_equal(w->last_event.kind, MYCEL_EVENT_PROBLEM);
    assert_in_range(w->last_event.wait_ms, 500, 1000);
}

/* ---- a coordinator that forgets */

static void test_forgets_the_partial_body(void **state)
{
    (void)state;
    for (uint32_t at = 2; at <= 14; at++) {
        struct fake_world *w = fake_world(3200, CODEC_F32); /* 13 blocks */
        w->coordinator.forget_at = at;
        assert_true(fake_run_round(w, HOUR));
        expect_counted_once(w);
        if (at < 14) {
            assert_int_equal(w->events[MYCEL_EVENT_PROBLEM], 0);
            assert_in_range(w->coordinator.puts, 13 + (at - 1), 13 + at + 1);
        }
    }
}

static void test_forgets_a_long_body(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(40000, CODEC_F32); /* 157 blocks: more than one list */
    w->coordinator.forget_at = 150;
    assert_true(fake_run_round(w, HOUR));
    expect_counted_once(w);
    assert_int_equal(w->coordinator.puts, 157 + 157); /* all of both attempts */
}

static void never_complete(struct fake_world *w, const struct mycel_request *q,
                           struct mycel_response *r, uint8_t *payload)
{
    if (q->method == MYCEL_PUT && !q->block.more) {
        mycel_UploadStatus status = {
            .size = q->size1, .block_bytes = 1024, .missing = {0}, .missing_count = 1};
        w->coordinator.done = false;
        w->coordinator.commits = 0;
        r->code = CODE_4_08;
        r->content_format = PROTO_FORMAT_MESSAGE;
        r->payload_bytes = (size_t)WIRE_ENCODE(mycel_UploadStatus, &status, payload, 1100);
    }
}

static void test_endless_4_08_is_paced(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(1000, CODEC_F32);
    w->coordinator.tamper = never_complete;
    assert_false(fake_run_round(w, 24u * HOUR));
    assert_true(w->net.send_count < 330 * 2 + 50);
    w->coordinator.tamper = NULL;
    assert_true(fake_run_round(w, HOUR));
    expect_counted_once(w);
}

/* ---- a coordinator that is busy */

static void busy(struct fake_world *w, const struct mycel_request *q, struct mycel_response *r,
                 uint8_t *payload)
{
    (void)payload;
    (void)q;
    if (w->now_ms < 100000) {
        w->coordinator.done = false;
        w->coordinator.commits = 0;
        *r = (struct mycel_response){.slot = r->slot,
                                     .code = CODE_5_03,
                                     .content_format = MYCEL_FORMAT_NONE,
                                     .max_age_s = 7};
    }
}

static void test_busy_means_later(void **state)
{
    (void)state;
    for (int at = MYCEL_CLIENT_CHECKIN; at <= MYCEL_CLIENT_UPLOAD; at++) {
        struct fake_world *w = fake_world(3000, CODEC_F32);
        assert_true(fake_run_until(w, (enum mycel_client_state)at, MINUTE));
        w->coordinator.tamper = busy;
        uint32_t before = w->net.send_count;
        fake_run(w, 100000 - w->now_ms);
        /* 99 s at one volley of at most four in 7 to 10.5 s */
        assert_in_range(w->net.send_count - before, 0, 4u * 15u);
        assert_int_equal(w->coordinator.commits, 0);
        assert_true(fake_run_round(w, HOUR));
        assert_int_equal(w->coordinator.commits, 1);
        assert_int_equal(w->trainer.completed, 1);
        assert_int_equal(w->net.opens, 1); /* busy is no reason for a handshake */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_message_lost_once),
        cmocka_unit_test(test_random_loss),
        cmocka_unit_test(test_duplicates_and_disorder),
        cmocka_unit_test(test_refused_sends),
        cmocka_unit_test(test_endless_handshake),
        cmocka_unit_test(test_session_breaks_in_each_state),
        cmocka_unit_test(test_dead_peer_backs_off),
        cmocka_unit_test(test_forgotten_session),
        cmocka_unit_test(test_cannot_open),
        cmocka_unit_test(test_backoff_starts_over_after_success),
        cmocka_unit_test(test_forgets_the_partial_body),
        cmocka_unit_test(test_forgets_a_long_body),
        cmocka_unit_test(test_endless_4_08_is_paced),
        cmocka_unit_test(test_busy_means_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
