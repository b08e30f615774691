/*
 * What an update has to be before anybody believes it: good ones pass, and every single bit flip and
 * truncation of one is either refused or changes nothing but values that are still finite.
 */
#include "server/desk/verify.h"

#include "common/codec/codec.h"
#include "proto/wire.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PARAMS 300
#define BODY_MAX 4096

static const struct verify_expected expected = {.params = PARAMS};

static size_t make_body(uint8_t *body, enum codec_id codec, const float *delta, uint32_t params,
                        const mycel_UpdateReport *report)
{
    float scratch[CODEC_BLOCK_PARAMS_MAX];
    const struct codec_header header = {
        .codec = codec, .params = params, .base_version = 3, .seed = 11, .weight = 600};
    int head = wire_update_head(report, body, BODY_MAX);
    assert_true(head > 0);
    int n = codec_encode(&header, delta, NULL, scratch, body + head, BODY_MAX - (size_t)head);
    assert_true(n > 0);
    return (size_t)head + (size_t)n;
}

static mycel_UpdateReport good_report(enum codec_id codec)
{
    mycel_UpdateReport report = mycel_UpdateReport_init_zero;
    report.run = 1;
    report.round = 4;
    report.base_version = 3;
    report.samples = 600;
    report.steps = 30;
    report.loss_first = 1.5f;
    report.loss_last = 0.5f;
    report.codec = (mycel_Codec)codec;
    return report;
}

static void fill(float *delta)
{
    for (int i = 0; i < PARAMS; i++) {
        delta[i] = 0.01f * (float)(i % 17 - 8);
    }
}

static int verdict(const uint8_t *body, size_t bytes)
{
    struct engine_event_update out = {0};
    verify_update(body, bytes, &expected, &out);
    return out.status;
}

static void test_good_updates_pass(void **state)
{
    (void)state;
    static const enum codec_id codecs[] = {CODEC_F32,  CODEC_F16,   CODEC_INT8,
                                           CODEC_INT4, CODEC_EDEN2, CODEC_DRIVE1};
    float delta[PARAMS];
    uint8_t body[BODY_MAX];
    fill(delta);
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        mycel_UpdateReport report = good_report(codecs[i]);
        size_t bytes = make_body(body, codecs[i], delta, PARAMS, &report);
        struct engine_event_update out = {0};
        verify_update(body, bytes, &expected, &out);
        assert_int_equal(out.status, 0);
        assert_int_equal(out.report.samples, 600);
        assert_int_equal(out.report.codec, codecs[i]);
        assert_true(out.norm > 0.5f && out.norm < 1.5f);
    }
}

static void test_each_lie_has_its_reason(void **state)
{
    (void)state;
    float delta[PARAMS + 1] = {0};
    uint8_t body[BODY_MAX];
    mycel_UpdateReport report = good_report(CODEC_F32);
    size_t bytes;

    bytes = make_body(body, CODEC_F32, delta, PARAMS + 1, &report);
    assert_int_equal(verdict(body, bytes), MYCEL_E_SHAPE);
    bytes = make_body(body, CODEC_F32, delta, 0, &report);
    assert_int_equal(verdict(body, bytes), MYCEL_E_SHAPE);

    report.codec = mycel_Codec_CODEC_INT8;
    bytes = make_body(body, CODEC_F32, delta, PARAMS, &report);
    assert_int_equal(verdict(body, bytes), MYCEL_E_CODEC);
    report = good_report(CODEC_F32);

    report.base_version = 2;
    bytes = make_body(body, CODEC_F32, delta, PARAMS, &report);
    assert_int_equal(verdict(body, bytes), MYCEL_E_BASE);
    report = good_report(CODEC_F32);

    static const uint32_t samples[] = {0, 1, 599, PROTO_SAMPLES_MAX + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        report.samples = samples[i];
        bytes = make_body(body, CODEC_F32, delta, PARAMS, &report);
        assert_int_equal(verdict(body, bytes), MYCEL_E_WEIGHT);
    }
    report = good_report(CODEC_F32);

    report.loss_last = NAN;
    bytes = make_body(body, CODEC_F32, delta, PARAMS, &report);
    assert_int_equal(verdict(body, bytes), MYCEL_E_NONFINITE);
    report = good_report(CODEC_F32);

    delta[7] = CODEC_VALUE_LIMIT;
    bytes = make_body(body, CODEC_F32, delta, PARAMS, &report);
    assert_int_equal(verdict(body, bytes), MYCEL_E_NORM);
    delta[7] = 0;

    static const float poison[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof poison / sizeof poison[0]; i++) {
        bytes = make_body(body, CODEC_F32, delta, PARAMS, &report);
        memcpy(body + bytes - sizeof(float) * 5, &poison[i], sizeof(float));
        assert_int_equal(verdict(body, bytes), MYCEL_E_NONFINITE);
    }
}

static void test_every_truncation_is_refused(void **state)
{
    (void)state;
    float delta[PARAMS];
    uint8_t body[BODY_MAX];
    fill(delta);
    mycel_UpdateReport report = good_report(CODEC_F32);
    size_t bytes = make_body(body, CODEC_F32, delta, PARAMS, &report);
    for (size_t cut = 0; cut < bytes; cut++) {
        uint8_t *exact = malloc(cut + 1); /* so that ASan sees a read beyond the end */
        memcpy(exact, body, cut);
        assert_true(verdict(exact, cut) < 0);
        free(exact);
    }
    body[bytes] = 0;
    assert_true(verdict(body, bytes + 1) < 0);
}

static void test_every_bit_flip_is_refused_or_harmless(void **state)
{
    (void)state;
    float delta[PARAMS];
    uint8_t body[BODY_MAX];
    fill(delta);
    mycel_UpdateReport report = good_report(CODEC_F32);
    size_t bytes = make_body(body, CODEC_F32, delta, PARAMS, &report);
    unsigned refused = 0;
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        body[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct engine_event_update out = {0};
        verify_update(body, bytes, &expected, &out);
        if (out.status < 0) {
            refused++;
        } else {
            assert_true(isfinite(out.norm));
            assert_true(out.report.samples == 600);
        }
        body[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(refused > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_updates_pass),
        cmocka_unit_test(test_each_lie_has_its_reason),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_every_bit_flip_is_refused_or_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
