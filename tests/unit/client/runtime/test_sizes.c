/* Transfers in other blocks than the largest: configured, resumed in another size, with the coordinator
 * forgetting in between; and a coordinator that is busy with a complete body. */
#include "fake.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka needs those above
#include <cmocka.h>

#define HOUR (60u * 60u * 1000u)
#define FINAL_REFUSALS 3u

static void expect_counted_once(const struct fake_world *w)
{
    assert_int_equal(w->coordinator.commits, 1);
    assert_int_equal(w->trainer.completed, 1);
}

static unsigned sends_of(const struct fake_world *w, enum mycel_method method, bool final_only)
{
    unsigned count = 0;
    assert_true(w->net.send_count <= FAKE_SENDS_MAX);
    for (uint32_t i = 0; i < w->net.send_count; i++) {
        count += w->net.sends[i].method == method && (!final_only || !w->net.sends[i].more);
    }
    return count;
}

static void test_configured_size(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {64, 128, 256, 512, 1024};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct fake_world *w = fake_world(3000, CODEC_INT8);
        w->config.block_bytes = sizes[i];
        fake_reboot(w);
        assert_true(fake_run_round(w, HOUR));
        expect_counted_once(w);
        assert_int_equal(sends_of(w, MYCEL_GET, false), (12000 + sizes[i] - 1) / sizes[i]);
        assert_int_equal(sends_of(w, MYCEL_PUT, false),
                         (w->coordinator.first_bytes + sizes[i] - 1) / sizes[i]);
    }
}

/* 47 or more blocks of 64 bytes: the list of missing ones names the first 32. */
static void test_forgotten_small_blocks(void **state)
{
    (void)state;
    for (uint32_t at = 1; at < 60; at++) {
        struct fake_world *w = fake_world(3000, CODEC_INT8);
        w->config.block_bytes = 64;
        fake_reboot(w);
        w->coordinator.forget_at = at;
        assert_true(fake_run_round(w, HOUR));
        expect_counted_once(w);
    }
}

/* What was sent in one size is asked about, and gone on with, in another. */
static void test_reboot_into_another_size(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{64, 1024}, {1024, 64}, {256, 512}};
    unsigned resumed = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (uint32_t ms = 1; ms < 200; ms += 7) {
            struct fake_world *w = fake_world(3000, CODEC_F32);
            w->config.block_bytes = sizes[i][0];
            w->net.delay_min_ms = w->net.delay_max_ms = 5;
            fake_reboot(w);
            assert_true(fake_run_until(w, MYCEL_CLIENT_UPLOAD, HOUR));
            fake_run(w, ms);
            w->config.block_bytes = sizes[i][1];
            fake_reboot(w);
            assert_true(w->events[MYCEL_EVENT_RECEIPT] > 0 || fake_run_round(w, HOUR));
            expect_counted_once(w);
            resumed += w->events[MYCEL_EVENT_CHECKIN] == 1;
        }
    }
    assert_true(resumed > 20); /* most were not over yet, and needed no other lease */
}

static unsigned refusals;

static void busy_with_the_body(struct fake_world *w, const struct mycel_request *q,
                               struct mycel_response *r, uint8_t *payload)
{
    (void)w;
    (void)payload;
    if (q->method == MYCEL_PUT && !q->block.more && refusals < FINAL_REFUSALS) {
        refusals++;
        *r = (struct mycel_response){.slot = r->slot,
                                     .code = CODE_5_03,
                                     .content_format = MYCEL_FORMAT_NONE,
                                     .max_age_s = 1};
    }
}

static void test_busy_repeats_the_last_block_only(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(3000, CODEC_F32);
    refusals = 0;
    w->coordinator.tamper = busy_with_the_body;
    assert_true(fake_run_round(w, HOUR));
    expect_counted_once(w);
    uint32_t blocks = (w->coordinator.first_bytes + 1023u) / 1024u;
    assert_int_equal(refusals, FINAL_REFUSALS);
    assert_int_equal(sends_of(w, MYCEL_PUT, false), blocks + FINAL_REFUSALS);
    assert_int_equal(sends_of(w, MYCEL_PUT, true), 1u + FINAL_REFUSALS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_configured_size),
        cmocka_unit_test(test_forgotten_small_blocks),
        cmocka_unit_test(test_reboot_into_another_size),
        cmocka_unit_test(test_busy_repeats_the_last_block_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
