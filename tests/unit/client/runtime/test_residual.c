/* Codecs with error feedback over several rounds, against a residual that the test keeps itself, bit for
 * bit: what is left out of a counted update goes into the next one; what was not counted leaves no trace;
 * and no power cut makes a difference. */
#include "fake.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka needs those above
#include <cmocka.h>

#define HOUR 3600000u
#define PARAMS 2500u

/* What a device without any store would keep. */
static float residual[PARAMS];
static uint8_t frame[PARAMS * 4u + 4096u];

static float delta_of(const struct fake_world *w, uint32_t i)
{
    float base = (float)(i % 101u) * 0.01f - 0.5f;
    float trained = base + ((float)(i % 7u) - 3.0f) / 64.0f;
    if (i == 5) {
        trained += w->trainer.poison;
    }
    return trained - base;
}

/* Makes the frame that the device has to send now, and takes what it leaves out. Returns its bytes. */
static size_t reference(const struct fake_world *w)
{
    static float delta[PARAMS];
    static float scratch[CODEC_BLOCK_PARAMS_MAX];
    const mycel_Lease *lease = &w->coordinator.lease;
    struct codec_header header = {.codec = (enum codec_id)lease->codec,
                                  .params = PARAMS,
                                  .base_version = lease->base_version,
                                  .seed = (uint32_t)lease->plan.seed,
                                  .weight = w->trainer.samples};
    for (uint32_t i = 0; i < PARAMS; i++) {
        delta[i] = delta_of(w, i);
    }
    int bytes = codec_encode(&header, delta, residual, scratch, frame, sizeof frame);
    assert_true(bytes > 0);
    return (size_t)bytes;
}

static void expect_reference(const struct fake_world *w)
{
    struct wire_update update;
    size_t bytes = reference(w);
    assert_int_equal(
        wire_update_split(&update, w->coordinator.first_body, w->coordinator.first_bytes), 0);
    assert_int_equal(update.frame_bytes, bytes);
    assert_memory_equal(update.frame, frame, bytes);
}

static void run_round(struct fake_world *w)
{
    w->trainer.poison += 0.25f; /* no two rounds are alike */
    assert_true(fake_run_round(w, HOUR));
    expect_reference(w);
}

static struct fake_world *new_world(enum codec_id codec)
{
    memset(residual, 0, sizeof residual);
    return fake_world(PARAMS, codec);
}

static void test_each_codec_goes_on_from_its_residual(void **state)
{
    (void)state;
    for (int codec = CODEC_SIGN; codec <= CODEC_TOPK; codec++) {
        struct fake_world *w = new_world((enum codec_id)codec);
        for (int round = 0; round < 5; round++) {
            run_round(w);
            if (round == 2) {
                fake_reboot(w);
            }
            fake_next_round(w);
        }
        assert_int_equal(w->events[MYCEL_EVENT_PROBLEM], 0);
    }
}

/* A codec that leaves nothing out neither uses nor spoils the residual of one that does. */
static void test_codecs_may_change_between_rounds(void **state)
{
    (void)state;
    static const enum codec_id codecs[] = {CODEC_SIGN, CODEC_INT8, CODEC_TOPK, CODEC_F32,
                                           CODEC_SIGN};
    struct fake_world *w = new_world(CODEC_SIGN);
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        w->coordinator.lease.codec = (mycel_Codec)codecs[i];
        run_round(w);
        fake_next_round(w);
    }
}

/* As if the device had never taken part in that round. */
static void test_refused_update_leaves_no_trace(void **state)
{
    (void)state;
    struct fake_world *w = new_world(CODEC_SIGN);
    run_round(w);
    for (int i = 0; i < 3; i++) {
        float before[PARAMS];
        memcpy(before, residual, sizeof before);
        fake_next_round(w);
        w->coordinator.status = i == 1 ? MYCEL_E_TIMEOUT : MYCEL_E_NORM;
        w->coordinator.late = i == 1;
        run_round(w);
        memcpy(residual, before, sizeof before);
    }
    fake_next_round(w);
    run_round(w);
}

static void forbid(struct fake_world *w, const struct mycel_request *q, struct mycel_response *r,
                   uint8_t *payload)
{
    (void)w;
    (void)payload;
    if (q->path[0][0] == 'u') {
        r->code = CODE_4_03;
        r->payload_bytes = 0;
    }
}

static void test_dropped_job_leaves_no_trace(void **state)
{
    (void)state;
    struct fake_world *w = new_world(CODEC_TERNARY);
    run_round(w);
    fake_next_round(w);
    w->coordinator.tamper = forbid; /* the lease is unknown now */
    assert_true(fake_run_until(w, MYCEL_CLIENT_UPLOAD, HOUR));
    assert_true(fake_run_until(w, MYCEL_CLIENT_SLEEP, HOUR));
    w->coordinator.tamper = NULL;
    fake_next_round(w);
    run_round(w);
}

static void test_residual_of_another_run_or_model(void **state)
{
    (void)state;
    struct fake_world *w = new_world(CODEC_TOPK);
    run_round(w);
    fake_next_round(w);
    w->coordinator.lease.run++;
    memset(residual, 0, sizeof residual);
    run_round(w);
    fake_next_round(w);
    run_round(w); /* the other run's is kept from here on */
}

/* The power goes at every operation of a second round; then a third one tells whether its residual is that
 * of the second, taken once. */
static bool run_with_cut(const struct fake_cut *cut)
{
    struct fake_world *w = new_world(CODEC_SIGN);
    run_round(w);
    fake_next_round(w);
    w->trainer.poison += 0.25f;
    bool was_cut = fake_run_cut_round(w, cut, HOUR);
    expect_reference(w);
    fake_next_round(w);
    run_round(w);
    return was_cut;
}

static void test_power_cut_at_every_operation(void **state)
{
    (void)state;
    fake_cut_everywhere(run_with_cut, 25, 60);
}

/* Its end is gone, or flash has worn out: such a part counts as zeros, and the round goes on. */
static void test_damaged_residual(void **state)
{
    (void)state;
    struct fake_world *w = new_world(CODEC_SIGN);
    run_round(w);
    fake_next_round(w);
    struct fake_file *file = &w->disk.now[MYCEL_AREA_RESIDUAL_A];
    assert_int_equal(file->bytes, PARAMS * 4u);
    file->bytes = 2048u * 4u + 10u;
    memset(residual + 2048, 0, (PARAMS - 2048u) * sizeof *residual);
    memset(file->data + 40, 0xFF, 4); /* a NaN in the first block */
    memset(residual, 0, 1024 * sizeof *residual);
    run_round(w);
}

static void test_store_without_the_areas(void **state)
{
    (void)state;
    struct fake_world *w = new_world(CODEC_SIGN);
    struct mycel_store poor = fake_store;
    poor.areas = 0;
    w->port.store = &poor;
    fake_reboot(w);
    fake_run(w, 1000);
    assert_int_equal(w->coordinator.last_checkin.codecs, 0x3F);
    assert_int_equal(w->last_problem, MYCEL_E_CODEC);
    assert_int_equal(mycel_client_state(&w->client), MYCEL_CLIENT_SLEEP);
}

/* What is sent stays within the clip although the residual is added to it, round after round. */
static void test_clip_holds_for_what_is_sent(void **state)
{
    (void)state;
    struct fake_world *w = new_world(CODEC_TOPK);
    w->coordinator.lease.clip_norm = 0.25f;
    for (int round = 0; round < 6; round++) {
        assert_true(fake_run_round(w, HOUR));
        struct wire_update update;
        struct codec_frame sent;
        struct codec_stats stats;
        assert_int_equal(
            wire_update_split(&update, w->coordinator.first_body, w->coordinator.first_bytes), 0);
        assert_int_equal(codec_open(&sent, update.frame, update.frame_bytes), 0);
        assert_int_equal(codec_scan(&sent, &stats), 0);
        assert_true(stats.squared_norm > 0.0f && stats.squared_norm < 0.0626f);
        fake_next_round(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_codec_goes_on_from_its_residual),
        cmocka_unit_test(test_codecs_may_change_between_rounds),
        cmocka_unit_test(test_refused_update_leaves_no_trace),
        cmocka_unit_test(test_dropped_job_leaves_no_trace),
        cmocka_unit_test(test_residual_of_another_run_or_model),
        cmocka_unit_test(test_power_cut_at_every_operation),
        cmocka_unit_test(test_damaged_residual),
        cmocka_unit_test(test_store_without_the_areas),
        cmocka_unit_test(test_clip_holds_for_what_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
