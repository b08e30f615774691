/* Whole rounds: what goes right, and what must be said and kept on the way. */
#include "fake.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka needs those above
#include <cmocka.h>

#define MINUTE 60000u

static void expect_update(const struct fake_world *w, uint32_t params)
{
    const struct fake_coordinator *k = &w->coordinator;
    struct wire_update update;
    assert_int_equal(wire_update_split(&update, k->first_body, k->first_bytes), 0);
    assert_int_equal(update.report.run, 3);
    assert_int_equal(update.report.round, 7);
    assert_int_equal(update.report.base_version, 11);
    assert_int_equal(update.report.samples, 600);
    assert_int_equal(update.report.steps, 100);
    assert_true(update.report.loss_first == 2.5f && update.report.loss_last == 0.5f);
    struct codec_frame frame;
    assert_int_equal(codec_open(&frame, update.frame, update.frame_bytes), 0);
    assert_int_equal(frame.header.params, params);
    assert_int_equal(frame.header.weight, 600);
    assert_int_equal(frame.header.base_version, 11);
    float delta[1024];
    uint32_t n = params < 1024 ? params : 1024;
    codec_decode(&frame, 0, n, delta);
    for (uint32_t i = 0; i < n; i++) {
        float expected = ((float)(i % 7u) - 3.0f) / 64.0f;
        float error = delta[i] - expected;
        assert_true(error < 0.001f && error > -0.001f);
    }
}

static void test_happy_path(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(3000, CODEC_F32);
    assert_true(fake_run_round(w, MINUTE));
    expect_update(w, 3000);
    assert_int_equal(w->coordinator.checkins, 1);
    assert_int_equal(w->trainer.completed, 1);
    assert_int_equal(w->trainer.releases, 1);
    assert_int_equal(w->net.opens, 1);
    assert_int_equal(w->events[MYCEL_EVENT_PROBLEM], 0);
    assert_int_equal(w->events[MYCEL_EVENT_ENCODED], 1);
    assert_int_equal(w->net.send_count, 1 + 12 + 12); /* no request too many */
    assert_int_equal(w->disk.safe[MYCEL_AREA_JOURNAL].data[3], CLIENT_PHASE_NONE);
    assert_int_equal(w->disk.now[MYCEL_AREA_BODY].bytes, 0);
    assert_int_equal(w->disk.now[MYCEL_AREA_MODEL].bytes, 0);
}

static void test_checkin_says_who_it_is(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(10, CODEC_F32);
    assert_true(fake_run_round(w, MINUTE));
    const mycel_CheckIn *m = &w->coordinator.last_checkin;
    assert_string_equal(m->device_class, "test");
    assert_int_equal(m->tags_count, 1);
    assert_string_equal(m->tags[0], "site=attic");
    assert_int_equal(m->samples, 600);
    assert_int_equal(m->battery_percent, 80);
    assert_int_equal(m->boot_count, 1);
    assert_int_equal(m->codecs, 0x1FF);
    assert_true(m->idle);
    assert_false(m->narrow_link);
    assert_int_equal(m->protocol_min, 1);
    fake_reboot(w);
    fake_run(w, MINUTE);
    assert_int_equal(w->coordinator.last_checkin.boot_count, 2);
    w->config.narrow_link = true;
    fake_run(w, MINUTE);
    assert_true(w->coordinator.last_checkin.narrow_link);
}

static void test_every_size_around_a_block(void **state)
{
    (void)state;
    static const uint32_t params[] = {1,   2,   255,  256,  257,  512,  513,  767,
                                      768, 769, 1023, 1024, 1025, 8191, 8192, 9000};
    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++) {
        struct fake_world *w = fake_world(params[i], CODEC_F32);
        assert_true(fake_run_round(w, 10 * MINUTE));
        expect_update(w, params[i]);
    }
}

static void test_every_offered_codec(void **state)
{
    (void)state;
    for (int codec = CODEC_F32; codec < CODEC_COUNT; codec++) {
        struct fake_world *w = fake_world(5000, (enum codec_id)codec);
        assert_true(fake_run_round(w, MINUTE));
        struct wire_update update;
        assert_int_equal(
            wire_update_split(&update, w->coordinator.first_body, w->coordinator.first_bytes), 0);
        struct codec_frame frame;
        struct codec_stats stats;
        assert_int_equal(codec_open(&frame, update.frame, update.frame_bytes), 0);
        assert_int_equal(frame.header.codec, codec);
        assert_int_equal(codec_scan(&frame, &stats), 0);
    }
}

static void test_clip(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(7000, CODEC_F32);
    w->coordinator.lease.clip_norm = 0.25f; /* the delta's norm is sqrt(7000 · 4 / 64²) = 2.6 */
    assert_true(fake_run_round(w, MINUTE));
    struct wire_update update;
    struct codec_frame frame;
    struct codec_stats stats;
    assert_int_equal(
        wire_update_split(&update, w->coordinator.first_body, w->coordinator.first_bytes), 0);
    assert_int_equal(codec_open(&frame, update.frame, update.frame_bytes), 0);
    assert_int_equal(codec_scan(&frame, &stats), 0);
    assert_true(stats.squared_norm > 0.0624f && stats.squared_norm < 0.0626f);
}

static void test_smaller_blocks(void **state)
{
    (void)state;
    for (uint8_t szx = 0; szx <= 6; szx++) {
        struct fake_world *w = fake_world(2000, CODEC_INT8);
        w->coordinator.model_szx = szx;
        assert_true(fake_run_round(w, 10 * MINUTE));
        assert_int_equal(w->events[MYCEL_EVENT_PROBLEM], 0);
        uint32_t blocks = (8000 + (16u << szx) - 1) / (16u << szx);
        assert_in_range(w->net.send_count, blocks, blocks + 8);
    }
}

static void test_window_is_respected(void **state)
{
    (void)state;
    bool early = false;
    bool late = false;
    struct fake_world *w = fake_world(10, CODEC_F32);
    w->coordinator.has_work = false;
    w->coordinator.window = (mycel_Window){.earliest_ms = 5000, .latest_ms = 9000};
    fake_run(w, 200 * 9000);
    assert_true(w->coordinator.checkins >= 200);
    for (uint32_t i = 1; i < w->net.send_count; i++) {
        uint64_t gap = w->net.sends[i].at_ms - w->net.sends[i - 1].at_ms - 10;
        assert_in_range(gap, 5000, 9000);
        early |= gap < 5500;
        late |= gap > 8500;
    }
    assert_true(early && late); /* it is spread, not a constant */
}

static void test_absurd_windows(void **state)
{
    (void)state;
    static const struct {
        uint32_t earliest, latest;
        uint64_t low, high;
    } cases[] = {{0, 0, 1000, 1000},
                 {9000, 3000, 9000, 9000},
                 {0, UINT32_MAX, 1000, CLIENT_WINDOW_MAX_MS},
                 {UINT32_MAX, UINT32_MAX, CLIENT_WINDOW_MAX_MS, CLIENT_WINDOW_MAX_MS},
                 {UINT32_MAX, 0, CLIENT_WINDOW_MAX_MS, CLIENT_WINDOW_MAX_MS}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fake_world *w = fake_world(10, CODEC_F32);
        w->coordinator.has_work = false;
        w->coordinator.window =
            (mycel_Window){.earliest_ms = cases[i].earliest, .latest_ms = cases[i].latest};
        fake_run(w, cases[i].high + 2000u);
        assert_true(w->net.send_count >= 2);
        uint64_t gap = w->net.sends[1].at_ms - w->net.sends[0].at_ms - 10;
        assert_in_range(gap, cases[i].low, cases[i].high);
    }
}

static void test_window_outlives_the_session(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(10, CODEC_F32);
    w->coordinator.has_work = false;
    w->coordinator.window = (mycel_Window){.earliest_ms = 50000, .latest_ms = 50000};
    assert_true(fake_run_until(w, MYCEL_CLIENT_CHECKIN, 1000));
    assert_true(fake_run_until(w, MYCEL_CLIENT_SLEEP, 1000));
    uint32_t sent = w->net.send_count;
    w->net.receive_error = MYCEL_E_CLOSED;
    fake_run(w, 49000);
    assert_int_equal(w->net.send_count, sent);
    assert_int_equal(w->events[MYCEL_EVENT_PROBLEM], 0);
    w->net.receive_error = 0;
    fake_run(w, 1100);
    assert_int_equal(w->net.send_count, sent + 1);
    assert_int_equal(w->net.opens, 2);
}

static void test_idle_policy(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(3000, CODEC_F32);
    w->idle = false;
    fake_run(w, 10 * MINUTE);
    assert_int_equal(w->net.send_count, 0);
    assert_in_range(w->events[MYCEL_EVENT_PAUSED], 13, 20); /* every 30–45 s */
    w->idle = true;
    assert_true(fake_run_until(w, MYCEL_CLIENT_TRAIN, MINUTE));
    w->idle = false;
    fake_run(w, 10 * MINUTE);
    assert_int_equal(w->trainer.completed, 0);
    assert_int_equal(mycel_client_state(&w->client), MYCEL_CLIENT_TRAIN);
    w->idle = true;
    assert_true(fake_run_round(w, MINUTE));
    expect_update(w, 3000);
}

static void test_no_samples_no_checkin(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(10, CODEC_F32);
    w->trainer.samples = 0;
    fake_run(w, 10 * MINUTE);
    assert_int_equal(w->net.send_count, 0);
}

static void test_lease_expires(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(3000, CODEC_F32);
    w->coordinator.lease.deadline_ms = 120000;
    assert_true(fake_run_until(w, MYCEL_CLIENT_TRAIN, MINUTE));
    w->idle = false;
    fake_run(w, 4 * MINUTE);
    assert_int_equal(w->last_problem, MYCEL_E_TIMEOUT);
    assert_false(w->trainer.prepared);
    assert_int_equal(w->disk.safe[MYCEL_AREA_JOURNAL].data[3], CLIENT_PHASE_NONE);
}

static void test_start_spread(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(10, CODEC_F32);
    uint64_t earliest = UINT64_MAX;
    uint64_t latest = 0;
    w->config.start_spread_ms = 60000;
    for (int i = 0; i < 50; i++) {
        uint64_t start = w->now_ms;
        w->net.send_count = 0;
        w->coordinator.has_work = false;
        fake_reboot(w);
        fake_run(w, 61000);
        assert_true(w->net.send_count >= 1);
        uint64_t at = w->net.sends[0].at_ms - start;
        earliest = at < earliest ? at : earliest;
        latest = at > latest ? at : latest;
    }
    assert_true(earliest < 10000 && latest > 50000 && latest <= 60000);
}

static void test_init_refuses(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(10, CODEC_F32);
    struct mycel_client client;
    struct mycel_client_config config = w->config;
    config.scratch_bytes = MYCEL_CLIENT_SCRATCH_BYTES - 1;
    assert_int_equal(mycel_client_init(&client, &w->port, &config, 0), MYCEL_E_INVALID);
    config = w->config;
    config.device_class = "a name that is far too long for the wire";
    assert_int_equal(mycel_client_init(&client, &w->port, &config, 0), MYCEL_E_INVALID);
    config = w->config;
    config.tags[1] = "key=a value that is far too long for it";
    assert_int_equal(mycel_client_init(&client, &w->port, &config, 0), MYCEL_E_INVALID);
    struct mycel_trainer hollow = fake_trainer_table;
    hollow.weights = NULL;
    struct mycel_port port = w->port;
    port.trainer = &hollow;
    assert_int_equal(mycel_client_init(&client, &port, &w->config, 0), MYCEL_E_INVALID);
    w->disk.error = MYCEL_E_DISK_FULL;
    assert_int_equal(mycel_client_init(&client, &w->port, &w->config, 0), MYCEL_E_DISK_FULL);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(mycel_client_state_name(MYCEL_CLIENT_ENCODED), "ENCODED");
    assert_string_equal(mycel_client_state_name((enum mycel_client_state)99), "?");
    assert_in_range(sizeof(struct client), 1, MYCEL_CLIENT_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_happy_path),
        cmocka_unit_test(test_checkin_says_who_it_is),
        cmocka_unit_test(test_every_size_around_a_block),
        cmocka_unit_test(test_every_offered_codec),
        cmocka_unit_test(test_clip),
        cmocka_unit_test(test_smaller_blocks),
        cmocka_unit_test(test_window_is_respected),
        cmocka_unit_test(test_absurd_windows),
        cmocka_unit_test(test_window_outlives_the_session),
        cmocka_unit_test(test_idle_policy),
        cmocka_unit_test(test_no_samples_no_checkin),
        cmocka_unit_test(test_lease_expires),
        cmocka_unit_test(test_start_spread),
        cmocka_unit_test(test_init_refuses),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
