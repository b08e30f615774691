/* SCAFFOLD's control variate on the device, round after round, against one that the test keeps: what the
 * trainer is told (c - c_i), what becomes of c_i (c_i - c - D / (K h) of the D that was sent), and that
 * neither power cuts nor refused updates make a difference. */
#include "fake.h"

#include "common/base64url.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka needs those above
#include <cmocka.h>

#define HOUR 3600000u
#define PARAMS 2500u
#define RATE 0.1f /* of the fake lease */

static float own[PARAMS];    /* c_i */
static float server[PARAMS]; /* c */

static bool is_near(float a, float b)
{
    return fabsf(a - b) <= 1e-6f * (1.0f + fabsf(b));
}

/* The coordinator's c for the next round. */
static void offer_control(struct fake_world *w, float scale)
{
    struct fake_coordinator *k = &w->coordinator;
    uint32_t bytes = PROTO_CONTROL_HEAD_BYTES + PARAMS * 4u;
    memset(k->control, 0x77, PROTO_CONTROL_HEAD_BYTES);
    for (uint32_t i = 0; i < PARAMS; i++) {
        server[i] = scale * ((float)(i % 13u) - 6.0f);
        memcpy(k->control + PROTO_CONTROL_HEAD_BYTES + i * 4u, &server[i], 4);
    }
    memset(k->lease.control_sha256, 0, 32);
    if (scale != 0.0f) {
        sha256(k->control, bytes, k->lease.control_sha256);
    }
}

static struct fake_world *new_world(enum codec_id codec)
{
    struct fake_world *w = fake_world(PARAMS, codec);
    memset(own, 0, sizeof own);
    w->coordinator.lease.control = true;
    offer_control(w, 0.0f);
    return w;
}

/* What the update that was sent makes of the reference. */
static void step_reference(const struct fake_world *w)
{
    static float sent[PARAMS];
    struct wire_update update;
    struct codec_frame frame;
    assert_int_equal(
        wire_update_split(&update, w->coordinator.first_body, w->coordinator.first_bytes), 0);
    assert_int_equal(codec_open(&frame, update.frame, update.frame_bytes), 0);
    codec_decode(&frame, 0, PARAMS, sent);
    for (uint32_t i = 0; i < PARAMS; i++) {
        own[i] = own[i] - server[i] - sent[i] / ((float)update.report.steps * RATE);
    }
}

static void expect_correction(const struct fake_world *w)
{
    assert_true(w->trainer.control);
    assert_int_equal(w->trainer.corrected, PARAMS);
    for (uint32_t i = 0; i < PARAMS; i++) {
        assert_true(is_near(w->trainer.correction[i], server[i] - own[i]));
    }
}

static void run_round(struct fake_world *w)
{
    w->trainer.poison += 0.25f; /* no two rounds are alike */
    assert_true(fake_run_round(w, HOUR));
    expect_correction(w);
    step_reference(w);
}

static void test_rounds_in_every_codec(void **state)
{
    (void)state;
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        struct fake_world *w = new_world((enum codec_id)codec);
        run_round(w); /* c is 0, c_i is 0 */
        assert_int_equal(w->net.send_count, 1 + 10 + w->coordinator.puts);
        for (int round = 0; round < 4; round++) {
            fake_next_round(w);
            offer_control(w, 0.01f * (float)(round + 1));
            if (round == 2) {
                fake_reboot(w);
            }
            run_round(w);
        }
        assert_int_equal(w->events[MYCEL_EVENT_PROBLEM], 0);
    }
}

static void test_refused_update_leaves_no_trace(void **state)
{
    (void)state;
    struct fake_world *w = new_world(CODEC_F32);
    run_round(w);
    fake_next_round(w);
    offer_control(w, 0.5f);
    w->coordinator.status = MYCEL_E_NORM;
    float before[PARAMS];
    memcpy(before, own, sizeof before);
    run_round(w);
    memcpy(own, before, sizeof before);
    fake_next_round(w);
    run_round(w);
}

static void test_other_run_begins_at_zero(void **state)
{
    (void)state;
    struct fake_world *w = new_world(CODEC_INT8);
    run_round(w);
    fake_next_round(w);
    w->coordinator.lease.run++;
    memset(own, 0, sizeof own);
    run_round(w);
}

static void test_runs_without_it_are_as_before(void **state)
{
    (void)state;
    struct fake_world *w = new_world(CODEC_F32);
    run_round(w);
    fake_next_round(w);
    w->coordinator.lease.control = false;
    assert_true(fake_run_round(w, HOUR));
    assert_false(w->trainer.control);
    assert_int_equal(w->trainer.corrected, 0);
    fake_next_round(w);
    w->coordinator.lease.control = true;
    run_round(w); /* c_i is still there */
}

/* The power goes at every operation of a second round; a third one tells what c_i has become. */
static bool run_with_cut(const struct fake_cut *cut)
{
    struct fake_world *w = new_world(CODEC_INT8);
    w->net.delay_min_ms = w->net.delay_max_ms = 1500; /* progress is persisted on the way */
    run_round(w);
    fake_next_round(w);
    offer_control(w, 0.02f);
    w->trainer.poison += 0.25f;
    bool was_cut = fake_run_cut_round(w, cut, HOUR);
    step_reference(w);
    fake_next_round(w);
    offer_control(w, 0.03f);
    run_round(w);
    return was_cut;
}

static void test_power_cut_at_every_operation(void **state)
{
    (void)state;
    fake_cut_everywhere(run_with_cut, 45, 90);
}

static void refuse_model(struct fake_world *w, const struct mycel_request *q,
                         struct mycel_response *r, uint8_t *payload)
{
    char name[PROTO_SHA256_TEXT + 1u];
    (void)r;
    (void)payload;
    base64url_encode(w->coordinator.lease.model_sha256, 32, name);
    assert_true(q->path[0][0] != 'm' || strcmp(q->path[1], name) != 0);
}

/* Rebooted while c is on its way: the model is not fetched again. */
static void test_reboot_between_the_downloads(void **state)
{
    (void)state;
    struct fake_world *w = new_world(CODEC_F32);
    run_round(w);
    fake_next_round(w);
    offer_control(w, 0.5f);
    w->net.delay_min_ms = w->net.delay_max_ms = 4000;
    assert_true(fake_run_until(w, MYCEL_CLIENT_FETCH, HOUR));
    const struct client *c = (const struct client *)(const void *)&w->client;
    while (c->progress.fetched <= PARAMS * 4u) {
        fake_run(w, 100);
    }
    fake_reboot(w);
    w->coordinator.tamper = refuse_model;
    assert_true(fake_run_until(w, MYCEL_CLIENT_TRAIN, HOUR));
    run_round(w);
}

static void damage(struct fake_world *w, const struct mycel_request *q, struct mycel_response *r,
                   uint8_t *payload)
{
    char name[PROTO_SHA256_TEXT + 1u];
    base64url_encode(w->coordinator.lease.control_sha256, 32, name);
    if (q->path[0][0] == 'm' && strcmp(q->path[1], name) == 0 && r->payload_bytes > 0) {
        payload[0] ^= 1u;
    }
}

static void test_damaged_control_blob(void **state)
{
    (void)state;
    struct fake_world *w = new_world(CODEC_F32);
    offer_control(w, 0.5f);
    w->coordinator.tamper = damage;
    fake_run(w, HOUR);
    assert_int_equal(w->last_problem, MYCEL_E_DIGEST);
    assert_int_equal(w->trainer.completed, 0);
    w->coordinator.tamper = NULL;
    run_round(w);
}

static void test_not_offered_where_it_cannot_be_done(void **state)
{
    (void)state;
    struct fake_world *w = new_world(CODEC_F32);
    struct mycel_store poor = fake_store;
    poor.areas = MYCEL_STORE_RESIDUAL;
    w->port.store = &poor;
    fake_reboot(w);
    fake_run(w, 1000);
    assert_int_equal(w->coordinator.last_checkin.features & PROTO_FEATURE_CONTROL, 0);
    assert_int_equal(w->last_problem, MYCEL_E_UNSUPPORTED);
    struct mycel_trainer plain = fake_trainer_table;
    plain.correct = NULL;
    w->port.store = &fake_store;
    w->port.trainer = &plain;
    fake_reboot(w);
    fake_run(w, 1000);
    assert_int_equal(w->coordinator.last_checkin.features & PROTO_FEATURE_CONTROL, 0);
    w->port.trainer = &fake_trainer_table;
    fake_reboot(w);
    run_round(w);
    assert_int_equal(w->coordinator.last_checkin.features & PROTO_FEATURE_CONTROL,
                     PROTO_FEATURE_CONTROL);
}

static void test_leases_that_it_cannot_follow(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct fake_world *w = new_world(CODEC_F32);
        w->coordinator.lease.plan.learning_rate = i == 0 ? 0.0f : RATE;
        w->coordinator.lease.plan.momentum = i == 0 ? 0.0f : 0.9f;
        fake_run(w, 1000);
        assert_int_equal(w->last_problem, MYCEL_E_MALFORMED);
        assert_int_equal(w->events[MYCEL_EVENT_LEASE], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounds_in_every_codec),
        cmocka_unit_test(test_refused_update_leaves_no_trace),
        cmocka_unit_test(test_other_run_begins_at_zero),
        cmocka_unit_test(test_runs_without_it_are_as_before),
        cmocka_unit_test(test_power_cut_at_every_operation),
        cmocka_unit_test(test_reboot_between_the_downloads),
        cmocka_unit_test(test_damaged_control_blob),
        cmocka_unit_test(test_not_offered_where_it_cannot_be_done),
        cmocka_unit_test(test_leases_that_it_cannot_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
