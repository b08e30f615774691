/* Answers that no honest coordinator gives: every bit flipped, every length cut, wrong sizes, wrong
 * blocks, leases that cannot be carried out, refusals of every kind. The client neither breaks nor
 * hurries, and works again as soon as it is spoken to properly. */
#include "fake.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka needs those above
#include <cmocka.h>

#define MINUTE 60000u
#define HOUR 3600000u

static struct {
    char resource;
    enum mycel_method method;
    uint32_t bit;
    size_t cut;
    void (*change)(struct mycel_response *r, uint8_t *payload);
} attack;

/* Once: the next answer of the resource. */
static void tamper(struct fake_world *w, const struct mycel_request *q, struct mycel_response *r,
                   uint8_t *payload)
{
    if (q->path[0][0] != attack.resource || (attack.method != 0 && q->method != attack.method)) {
        return;
    }
    if (attack.change != NULL) {
        attack.change(r, payload);
    } else if (attack.bit / 8u < r->payload_bytes) {
        payload[attack.bit / 8u] ^= (uint8_t)(1u << attack.bit % 8u);
    }
    r->payload_bytes = r->payload_bytes < attack.cut ? r->payload_bytes : attack.cut;
    w->coordinator.tamper = NULL;
}

static struct fake_world *attacked(char resource, uint32_t params)
{
    memset(&attack, 0, sizeof attack);
    attack.resource = resource;
    attack.cut = SIZE_MAX;
    attack.bit = UINT32_MAX;
    struct fake_world *w = fake_world(params, CODEC_F32);
    w->coordinator.tamper = tamper;
    return w;
}

/* Whatever that answer was: nothing is sent in a hurry, and without it all goes well. */
static void expect_recovery(struct fake_world *w)
{
    fake_run(w, 5u * MINUTE);
    assert_true(w->net.send_count < 120);
    w->coordinator.tamper = NULL;
    if (w->events[MYCEL_EVENT_RECEIPT] > 0) {
        return; /* the flip did not matter, or not to anybody here */
    }
    assert_true(fake_run_round(w, 15u * 24u * HOUR)); /* a flipped window may be a week */
}

static uint32_t reply_bytes(void)
{
    struct fake_world *w = fake_world(100, CODEC_F32);
    mycel_CheckInReply reply = {.protocol = 1, .which_answer = mycel_CheckInReply_lease_tag};
    reply.answer.lease = w->coordinator.lease;
    uint8_t bytes[PROTO_MESSAGE_BYTES_MAX];
    int n = WIRE_ENCODE(mycel_CheckInReply, &reply, bytes, sizeof bytes);
    assert_true(n > 100);
    return (uint32_t)n;
}

static void test_checkin_reply_every_bit(void **state)
{
    (void)state;
    uint32_t bits = reply_bytes() * 8u;
    for (uint32_t bit = 0; bit < bits; bit++) {
        struct fake_world *w = attacked('c', 100);
        attack.bit = bit;
        expect_recovery(w);
    }
}

static void test_checkin_reply_every_length(void **state)
{
    (void)state;
    uint32_t bytes = reply_bytes();
    for (uint32_t cut = 0; cut < bytes; cut++) {
        struct fake_world *w = attacked('c', 100);
        attack.cut = cut;
        assert_false(fake_run_until(w, MYCEL_CLIENT_FETCH, 400));
        assert_int_equal(w->events[MYCEL_EVENT_PROBLEM], 1);
        expect_recovery(w);
    }
}

static void test_checkin_reply_garbage(void **state)
{
    (void)state;
    uint64_t chance = 1;
    for (int i = 0; i < 2000; i++) {
        struct fake_world *w = fake_world(10, CODEC_F32);
        assert_true(fake_run_until(w, MYCEL_CLIENT_CHECKIN, 1000));
        struct client *c = (struct client *)(void *)&w->client;
        uint8_t payload[1024];
        struct mycel_response r = {.code = CODE_2_04, .payload = payload};
        for (size_t k = 0; k < sizeof payload; k++) {
            chance = chance * 6364136223846793005u + 1442695040888963407u;
            payload[k] = (uint8_t)(chance >> 56);
        }
        r.payload_bytes = (size_t)(chance >> 40) % sizeof payload;
        checkin_answer(c, &r, 0);
        assert_true(c->state == MYCEL_CLIENT_SLEEP || c->state == MYCEL_CLIENT_FETCH);
    }
}

/* ---- leases that cannot be carried out */

typedef void (*lease_fn)(mycel_Lease *lease);
#define LEASE(name, statement)                                                                     \
    static void name(mycel_Lease *lease)                                                           \
    {                                                                                              \
        statement;                                                                                 \
    }
LEASE(no_plan, lease->has_plan = false)
LEASE(no_epochs, lease->plan.epochs = 0)
LEASE(absurd_epochs, lease->plan.epochs = UINT32_MAX)
LEASE(no_batch, lease->plan.batch = 0)
LEASE(absurd_batch, lease->plan.batch = UINT32_MAX)
LEASE(nan_rate, lease->plan.learning_rate = __builtin_nanf(""))
LEASE(infinite_rate, lease->plan.learning_rate = __builtin_inff())
LEASE(negative_rate, lease->plan.learning_rate = -1.0f)
LEASE(nan_clip, lease->clip_norm = __builtin_nanf(""))
LEASE(negative_clip, lease->clip_norm = -1.0f)
LEASE(no_model, lease->model[0] = '\0')
LEASE(no_params, lease->params = 0; lease->model_bytes = 0)
LEASE(wrong_bytes, lease->model_bytes -= 1)
LEASE(huge_bytes, lease->model_bytes = UINT64_MAX)
LEASE(huge_params, lease->params = UINT32_MAX; lease->model_bytes = UINT64_C(4) * UINT32_MAX)
LEASE(no_deadline, lease->deadline_ms = 0)
LEASE(unknown_codec, lease->codec = (mycel_Codec)77)

static void test_impossible_leases(void **state)
{
    (void)state;
    static const lease_fn leases[] = {
        no_plan,       no_epochs,     absurd_epochs, no_batch,      absurd_batch, nan_rate,
        infinite_rate, negative_rate, nan_clip,      negative_clip, no_model,     no_params,
        wrong_bytes,   huge_bytes,    huge_params,   no_deadline,   unknown_codec};
    for (size_t i = 0; i < sizeof leases / sizeof leases[0]; i++) {
        struct fake_world *w = fake_world(100, CODEC_F32);
        mycel_Lease good = w->coordinator.lease;
        leases[i](&w->coordinator.lease);
        fake_run(w, 24u * HOUR);
        assert_true(w->events[MYCEL_EVENT_PROBLEM] > 100);
        assert_true(w->net.send_count < 320);
        assert_int_equal(w->events[MYCEL_EVENT_LEASE], 0);
        assert_int_equal(w->disk.safe[MYCEL_AREA_JOURNAL].data[3], CLIENT_PHASE_NONE);
        w->coordinator.lease = good;
        assert_true(fake_run_round(w, HOUR));
    }
}

static void test_endless_deadline(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(100, CODEC_F32);
    w->coordinator.lease.deadline_ms = UINT64_MAX;
    assert_true(fake_run_round(w, HOUR));
}

static void test_model_description_is_refused(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(100, CODEC_F32);
    w->trainer.prepare_error = MYCEL_E_MALFORMED;
    w->trainer.prepare_column = 17;
    fake_run(w, 24u * HOUR);
    assert_int_equal(w->last_problem, MYCEL_E_MALFORMED);
    assert_int_equal(w->last_column, 17);
    assert_in_range(w->trainer.prepares, 100, 320); /* each time the same lease, later and later */
    assert_int_equal(w->trainer.releases, 0);
    w->trainer.prepare_error = 0;
    assert_true(fake_run_round(w, HOUR));
}

static void test_training_that_diverges(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct fake_world *w = fake_world(100, CODEC_F32);
        if (kind == 0) {
            w->trainer.loss = __builtin_nanf("");
        } else {
            w->trainer.poison = __builtin_inff();
            w->coordinator.lease.clip_norm = kind == 2 ? 1.0f : 0.0f;
        }
        fake_run(w, HOUR);
        assert_int_equal(w->last_problem, MYCEL_E_NONFINITE);
        assert_int_equal(w->coordinator.puts, 0);
        assert_int_equal(w->trainer.releases, w->trainer.prepares);
    }
}

/* ---- blocks of the model */

typedef void (*block_fn)(struct mycel_response *r, uint8_t *payload);
#define BLOCK(name, statement)                                                                     \
    static void name(struct mycel_response *r, uint8_t *payload)                                   \
    {                                                                                              \
        (void)r;                                                                                   \
        (void)payload;                                                                             \
        statement;                                                                                 \
    }
BLOCK(other_number, r->block.number += 1)
BLOCK(larger_size, r->block.szx = 7)
BLOCK(smaller_size_other_offset, r->block.szx = 4; r->block.number = 3)
BLOCK(not_the_last, r->block.more = !r->block.more)
BLOCK(too_short, r->payload_bytes -= 1)
BLOCK(empty, r->payload_bytes = 0)
BLOCK(other_etag, r->etag[3] ^= 1)
BLOCK(short_etag, r->etag_bytes = 4)
BLOCK(other_total, r->size2 = 77)
BLOCK(no_block, r->block.kind = MYCEL_BLOCK_NONE)
BLOCK(wrong_block_option, r->block.kind = MYCEL_BLOCK_1)
BLOCK(success_of_another_kind, r->code = CODE_2_04)
BLOCK(code_zero, r->code = 0)
BLOCK(a_request, r->code = 1)

static void test_wrong_blocks(void **state)
{
    (void)state;
    static const block_fn blocks[] = {other_number, larger_size,        smaller_size_other_offset,
                                      not_the_last, too_short,          empty,
                                      other_etag,   short_etag,         other_total,
                                      no_block,     wrong_block_option, success_of_another_kind,
                                      code_zero,    a_request};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        struct fake_world *w = attacked('m', 3000);
        attack.change = blocks[i];
        assert_true(fake_run_round(w, HOUR)); /* a pause, a new session, and on */
        assert_int_equal(w->last_problem, MYCEL_E_MALFORMED);
        assert_int_equal(w->net.opens, 2);
        assert_int_equal(w->coordinator.checkins, 1);
    }
}

static void test_flipped_bit_in_the_model(void **state)
{
    (void)state;
    struct fake_world *w = attacked('m', 3000);
    attack.bit = 4711;
    assert_true(fake_run_round(w, HOUR));
    assert_int_equal(w->last_problem, MYCEL_E_DIGEST);
    assert_int_equal(w->trainer.prepares, 1); /* never with the wrong bytes */
}

static void test_model_that_is_never_right(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(3000, CODEC_F32);
    w->coordinator.model[99] ^= 1;
    fake_run(w, 24u * HOUR);
    assert_int_equal(w->trainer.prepares, 0);
    assert_int_equal(w->last_problem, MYCEL_E_DIGEST);
    assert_true(w->net.send_count < 320 * 40);
    w->coordinator.model[99] ^= 1;
    assert_true(fake_run_round(w, HOUR));
}

/* ---- refusals */

static uint8_t refusal_code;
static bool refusal_has_problem;

static void refuse(struct fake_world *w, const struct mycel_request *q, struct mycel_response *r,
                   uint8_t *payload)
{
    if (q->path[0][0] != attack.resource) {
        return;
    }
    w->coordinator.done = false;
    *r = (struct mycel_response){
        .slot = r->slot, .code = refusal_code, .content_format = MYCEL_FORMAT_NONE};
    if (refusal_has_problem) {
        mycel_Problem problem = {.reason = MYCEL_E_REVOKED,
                                 .text = "go\x1b[2Jaway",
                                 .has_window = true,
                                 .window = {.earliest_ms = 1800000, .latest_ms = 1900000}};
        r->content_format = PROTO_FORMAT_PROBLEM;
        r->payload_bytes = (size_t)WIRE_ENCODE(mycel_Problem, &problem, payload, 1100);
    }
}

static void test_every_refusal_of_everything(void **state)
{
    (void)state;
    static const uint8_t codes[] = {0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x88,
                                    0x89, 0x8C, 0x8D, 0x8F, 0x9D, 0xA0, 0xA1, 0xA2,
                                    0xA3, 0xA4, 0xA5, 0xC0, 0xE1, 0x00};
    for (size_t i = 0; i < sizeof codes; i++) {
        for (const char *resource = "cmu"; *resource != '\0'; resource++) {
            struct fake_world *w = fake_world(600, CODEC_F32);
            memset(&attack, 0, sizeof attack);
            attack.resource = *resource;
            refusal_code = codes[i];
            refusal_has_problem = false;
            w->coordinator.tamper = refuse;
            fake_run(w, 24u * HOUR);
            assert_int_equal(w->events[MYCEL_EVENT_RECEIPT], 0);
            assert_in_range(w->net.send_count, 100, 350 * 12);
            w->coordinator.tamper = NULL;
            w->coordinator.body_bytes = 0;
            assert_true(fake_run_round(w, HOUR));
        }
    }
}

static void test_refusal_with_words_and_window(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(600, CODEC_F32);
    memset(&attack, 0, sizeof attack);
    attack.resource = 'c';
    refusal_code = CODE_4_03;
    refusal_has_problem = true;
    w->coordinator.tamper = refuse;
    fake_run(w, 1000);
    assert_int_equal(w->last_problem, MYCEL_E_REVOKED);
    assert_in_range(w->last_event.wait_ms, 1800000, 1900000);
    uint32_t sent = w->net.send_count;
    fake_run(w, 1800000 - 2000);
    assert_int_equal(w->net.send_count, sent);
}

/* ---- receipts */

static void test_rejection_is_final(void **state)
{
    (void)state;
    static const int reasons[] = {MYCEL_E_NORM, MYCEL_E_NONFINITE, MYCEL_E_SHAPE, MYCEL_E_WEIGHT};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        struct fake_world *w = fake_world(600, CODEC_F32);
        w->coordinator.status = reasons[i];
        assert_true(fake_run_round(w, HOUR));
        assert_int_equal(w->last_event.code, reasons[i]);
        assert_int_equal(w->coordinator.commits, 1);
        fake_run(w, HOUR);
        assert_int_equal(w->coordinator.puts, 3);
    }
}

static void test_late_receipt_is_final(void **state)
{
    (void)state;
    struct fake_world *w = fake_world(600, CODEC_F32);
    w->coordinator.late = true;
    assert_true(fake_run_round(w, HOUR));
    assert_string_equal(w->last_event.text, "late");
}

BLOCK(other_digest, payload[12] ^= 0xFF)

static void test_receipt_for_other_content(void **state)
{
    (void)state;
    struct fake_world *w = attacked('u', 100);
    attack.change = other_digest;
    fake_run(w, 400);
    assert_int_equal(w->last_problem, MYCEL_E_CONFLICT);
    assert_int_equal(w->disk.safe[MYCEL_AREA_JOURNAL].data[3], CLIENT_PHASE_NONE);
}

static void test_receipt_every_length(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < 50; cut++) {
        struct fake_world *w = attacked('u', 100);
        attack.cut = cut;
        fake_run(w, HOUR);
        /* Cut between two fields it is a shorter message, but then the digest is missing. */
        assert_int_equal(w->coordinator.commits, 1);
        assert_int_equal(w->trainer.completed, 1);
        assert_int_equal(w->disk.safe[MYCEL_AREA_JOURNAL].data[3], CLIENT_PHASE_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checkin_reply_every_bit),
        cmocka_unit_test(test_checkin_reply_every_length),
        cmocka_unit_test(test_checkin_reply_garbage),
        cmocka_unit_test(test_impossible_leases),
        cmocka_unit_test(test_endless_deadline),
        cmocka_unit_test(test_model_description_is_refused),
        cmocka_unit_test(test_training_that_diverges),
        cmocka_unit_test(test_wrong_blocks),
        cmocka_unit_test(test_flipped_bit_in_the_model),
        cmocka_unit_test(test_model_that_is_never_right),
        cmocka_unit_test(test_every_refusal_of_everything),
        cmocka_unit_test(test_refusal_with_words_and_window),
        cmocka_unit_test(test_rejection_is_final),
        cmocka_unit_test(test_late_receipt_is_final),
        cmocka_unit_test(test_receipt_for_other_content),
        cmocka_unit_test(test_receipt_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
