/*
 * The wire messages: golden bytes both ways, every truncation and bit flip decoded within bounds,
 * version negotiation, update bodies. MYCEL_UPDATE_VECTORS=1 rewrites the golden files.
 */
#include "proto/wire.h"

#include <mycel/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VECTOR_BYTES_MAX 1024

static void fill(uint8_t *bytes, size_t n, uint8_t first)
{
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)(first + i);
    }
}

static mycel_CheckIn sample_check_in(void)
{
    mycel_CheckIn m = mycel_CheckIn_init_zero;
    m.protocol_min = 1;
    m.protocol_max = 1;
    strncpy(m.runtime, "0.1.0", sizeof m.runtime - 1);
    strncpy(m.device_class, "linux", sizeof m.device_class - 1);
    m.samples = 6000;
    m.codecs = 1u << mycel_Codec_CODEC_F32 | 1u << mycel_Codec_CODEC_INT8;
    m.model_bytes_max = 1u << 20;
    m.battery_percent = 255;
    m.idle = true;
    m.boot_count = 3;
    m.tags_count = 1;
    strncpy(m.tags[0], "site=north", sizeof m.tags[0] - 1);
    m.narrow_link = true;
    m.features = PROTO_FEATURE_CONTROL;
    return m;
}

static mycel_CheckInReply sample_lease(void)
{
    mycel_CheckInReply m = mycel_CheckInReply_init_zero;
    m.protocol = 1;
    m.which_answer = mycel_CheckInReply_lease_tag;
    mycel_Lease *lease = &m.answer.lease;
    lease->run = 1;
    lease->round = 7;
    lease->attempt = 1;
    lease->base_version = 7;
    fill(lease->model_sha256, 32, 0x10);
    lease->model_bytes = 101800;
    lease->params = 25450;
    strncpy(lease->model, "28x28x1 > dense 32 relu > dense 10 softmax", sizeof lease->model - 1);
    lease->has_plan = true;
    lease->plan.epochs = 1;
    lease->plan.batch = 20;
    lease->plan.learning_rate = 0.1f;
    lease->plan.seed = 0x0123456789ABCDEFu;
    lease->codec = mycel_Codec_CODEC_F32;
    fill(lease->update_key, 16, 0x80);
    lease->deadline_ms = 60000;
    fill(lease->manifest_sha256, 32, 0x40);
    lease->control = true;
    fill(lease->control_sha256, 32, 0x60);
    return m;
}

/* A device that takes patches and kept a model. */
static mycel_CheckIn sample_check_in_held(void)
{
    mycel_CheckIn m = sample_check_in();
    m.features = PROTO_FEATURE_CONTROL | PROTO_FEATURE_PATCH;
    m.held.size = PROTO_HELD_BYTES;
    fill(m.held.bytes, PROTO_HELD_BYTES, 0xE0);
    return m;
}

/* Its lease: one delta to what it has; or, if it has nothing that fits, a key frame and all since. */
static mycel_CheckInReply sample_lease_delta(bool key)
{
    mycel_CheckInReply m = sample_lease();
    mycel_Lease *lease = &m.answer.lease;
    lease->control = false;
    memset(lease->control_sha256, 0, sizeof lease->control_sha256);
    lease->delta = true;
    lease->patch_sha256.size = 32;
    fill(lease->patch_sha256.bytes, 32, key ? 0xB0 : 0xA0);
    lease->patch_bytes = key ? 25674 + 6 * 3274 : 3274;
    lease->patch_key = key;
    return m;
}

static mycel_CheckInReply sample_window(void)
{
    mycel_CheckInReply m = mycel_CheckInReply_init_zero;
    m.protocol = 1;
    m.which_answer = mycel_CheckInReply_window_tag;
    m.answer.window.earliest_ms = 1000;
    m.answer.window.latest_ms = 61000;
    m.answer.window.reason = MYCEL_E_BUSY;
    return m;
}

static mycel_UpdateReport sample_report(void)
{
    mycel_UpdateReport m = mycel_UpdateReport_init_zero;
    m.run = 1;
    m.round = 7;
    m.base_version = 7;
    m.samples = 6000;
    m.steps = 300;
    m.loss_first = 0.5f;
    m.loss_last = 0.25f;
    m.train_ms = 1234;
    m.codec = mycel_Codec_CODEC_F32;
    return m;
}

static mycel_Receipt sample_receipt(void)
{
    mycel_Receipt m = mycel_Receipt_init_zero;
    m.round = 7;
    m.base_version = 7;
    fill(m.digest, 32, 0x20);
    m.has_window = true;
    m.window.earliest_ms = 500;
    m.window.latest_ms = 2500;
    return m;
}

static mycel_UploadStatus sample_status(void)
{
    mycel_UploadStatus m = mycel_UploadStatus_init_zero;
    m.size = 101900;
    m.block_bytes = 1024;
    m.missing_count = 3;
    m.missing[0] = 2;
    m.missing[1] = 17;
    m.missing[2] = 99;
    return m;
}

static mycel_Problem sample_problem(void)
{
    mycel_Problem m = mycel_Problem_init_zero;
    m.reason = MYCEL_E_VERSION;
    strncpy(m.text, "protocol 9 to 12 is not spoken here", sizeof m.text - 1);
    m.protocol_min = 1;
    m.protocol_max = 1;
    return m;
}

static mycel_Enrol sample_enrol(void)
{
    mycel_Enrol m = mycel_Enrol_init_zero;
    fill(m.token, sizeof m.token, 0x30);
    fill(m.share, sizeof m.share, 0xA0);
    return m;
}

static mycel_Enrolled sample_enrolled(void)
{
    mycel_Enrolled m = mycel_Enrolled_init_zero;
    strncpy(m.identity, "pump-17", sizeof m.identity - 1);
    fill(m.share, sizeof m.share, 0xC0);
    return m;
}

static void vector_path(char *path, size_t cap, const char *name)
{
    snprintf(path, cap, "%s/proto/vectors/%s.hex", MYCEL_SOURCE_DIR, name);
}

static void vector_write(const char *name, const uint8_t *bytes, size_t n)
{
    char path[512];
    vector_path(path, sizeof path, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < n; i++) {
        fprintf(f, "%02x%s", bytes[i], (i % 32 == 31 || i + 1 == n) ? "\n" : "");
    }
    fclose(f);
}

static size_t vector_read(const char *name, uint8_t *bytes, size_t cap)
{
    char path[512];
    vector_path(path, sizeof path, name);
    FILE *f = fopen(path, "r");
    if (!f) {
        fail_msg("no golden bytes at %s (MYCEL_UPDATE_VECTORS=1 writes them)", path);
    }
    size_t n = 0;
    unsigned byte;
    while (n < cap && fscanf(f, "%2x", &byte) == 1) {
        bytes[n++] = (uint8_t)byte;
    }
    fclose(f);
    return n;
}

/* Encodes, compares with the golden file, decodes the golden bytes and encodes the result again. */
static void check_vector(const char *name, const pb_msgdesc_t *fields, const void *msg,
                         size_t msg_bytes)
{
    uint8_t encoded[VECTOR_BYTES_MAX], golden[VECTOR_BYTES_MAX], again[VECTOR_BYTES_MAX];
    union {
        uint64_t align;
        uint8_t bytes[4096];
    } decoded;
    int n = wire_encode(fields, msg, encoded, sizeof encoded);
    assert_true(n > 0 && n <= (int)PROTO_MESSAGE_BYTES_MAX);
    if (getenv("MYCEL_UPDATE_VECTORS")) {
        vector_write(name, encoded, (size_t)n);
    }
    size_t golden_bytes = vector_read(name, golden, sizeof golden);
    assert_int_equal(golden_bytes, n);
    assert_memory_equal(golden, encoded, (size_t)n);

    assert_true(msg_bytes <= sizeof decoded.bytes);
    assert_int_equal(wire_decode(fields, decoded.bytes, msg_bytes, golden, golden_bytes), 0);
    assert_int_equal(wire_encode(fields, decoded.bytes, again, sizeof again), n);
    assert_memory_equal(again, encoded, (size_t)n);

    /* One byte less than needed is refused, not truncated. */
    assert_int_equal(wire_encode(fields, msg, again, (size_t)n - 1), MYCEL_E_NO_MEMORY);

    /* Hostile variants: whatever the verdict, no access out of bounds (run under ASan). */
    for (size_t cut = 0; cut < golden_bytes; cut++) {
        (void)wire_decode(fields, decoded.bytes, msg_bytes, golden, cut);
    }
    for (size_t bit = 0; bit < golden_bytes * 8; bit++) {
        golden[bit / 8] ^= (uint8_t)(1u << bit % 8);
        (void)wire_decode(fields, decoded.bytes, msg_bytes, golden, golden_bytes);
        golden[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_golden_bytes(void **state)
{
    (void)state;
    mycel_CheckIn check_in = sample_check_in();
    mycel_CheckInReply lease = sample_lease();
    mycel_CheckInReply window = sample_window();
    mycel_UpdateReport report = sample_report();
    mycel_Receipt receipt = sample_receipt();
    mycel_UploadStatus status = sample_status();
    mycel_Problem problem = sample_problem();
    check_vector("check_in", mycel_CheckIn_fields, &check_in, sizeof check_in);
    check_vector("lease", mycel_CheckInReply_fields, &lease, sizeof lease);
    mycel_CheckIn held = sample_check_in_held();
    mycel_CheckInReply delta = sample_lease_delta(false);
    mycel_CheckInReply key = sample_lease_delta(true);
    check_vector("check_in_held", mycel_CheckIn_fields, &held, sizeof held);
    check_vector("lease_delta", mycel_CheckInReply_fields, &delta, sizeof delta);
    check_vector("lease_key", mycel_CheckInReply_fields, &key, sizeof key);
    check_vector("window", mycel_CheckInReply_fields, &window, sizeof window);
    check_vector("update_report", mycel_UpdateReport_fields, &report, sizeof report);
    check_vector("receipt", mycel_Receipt_fields, &receipt, sizeof receipt);
    check_vector("upload_status", mycel_UploadStatus_fields, &status, sizeof status);
    check_vector("problem", mycel_Problem_fields, &problem, sizeof problem);
    mycel_Enrol enrol = sample_enrol();
    mycel_Enrolled enrolled = sample_enrolled();
    check_vector("enrol", mycel_Enrol_fields, &enrol, sizeof enrol);
    check_vector("enrolled", mycel_Enrolled_fields, &enrolled, sizeof enrolled);
}

/* What was said before there were patches means the same today, and what has come since hides nothing of it. */
static void test_patches_are_an_addition(void **state)
{
    (void)state;
    uint8_t golden[VECTOR_BYTES_MAX];
    mycel_CheckInReply reply;
    size_t bytes = vector_read("lease", golden, sizeof golden);
    assert_int_equal(WIRE_DECODE(mycel_CheckInReply, &reply, golden, bytes), 0);
    assert_false(reply.answer.lease.delta);
    assert_int_equal(reply.answer.lease.patch_bytes, 0);
    mycel_CheckIn check_in;
    bytes = vector_read("check_in", golden, sizeof golden);
    assert_int_equal(WIRE_DECODE(mycel_CheckIn, &check_in, golden, bytes), 0);
    assert_int_equal(check_in.held.size, 0);

    /* The lease's old fields are, byte for byte, the beginning of one with a patch. */
    mycel_CheckInReply before = sample_lease_delta(false);
    mycel_CheckInReply after = before;
    uint8_t old[VECTOR_BYTES_MAX], now[VECTOR_BYTES_MAX];
    before.answer.lease.delta = false;
    before.answer.lease.patch_sha256.size = 0;
    before.answer.lease.patch_bytes = 0;
    int shorter = wire_encode(mycel_Lease_fields, &before.answer.lease, old, sizeof old);
    int longer = wire_encode(mycel_Lease_fields, &after.answer.lease, now, sizeof now);
    assert_true(shorter > 0 && longer > shorter);
    assert_memory_equal(now, old, (size_t)shorter);
}

static void test_decode_refuses_garbage(void **state)
{
    (void)state;
    mycel_CheckIn m;
    uint8_t huge[PROTO_MESSAGE_BYTES_MAX + 1] = {0};
    assert_int_equal(WIRE_DECODE(mycel_CheckIn, &m, huge, sizeof huge), MYCEL_E_MALFORMED);
    /* Field 3 (runtime) with 40 characters, where 15 fit. */
    uint8_t long_text[42] = {0x1A, 40};
    memset(long_text + 2, 'x', 40);
    assert_int_equal(WIRE_DECODE(mycel_CheckIn, &m, long_text, sizeof long_text),
                     MYCEL_E_MALFORMED);
    /* A length that runs past the end. */
    const uint8_t past_end[] = {0x1A, 200, 'a'};
    assert_int_equal(WIRE_DECODE(mycel_CheckIn, &m, past_end, sizeof past_end), MYCEL_E_MALFORMED);
}

static void test_negotiation(void **state)
{
    (void)state;
    assert_int_equal(wire_negotiate(1, 1), 1);
    assert_int_equal(wire_negotiate(0, 1), 1);
    assert_int_equal(wire_negotiate(1, 99), PROTO_VERSION_MAX);
    assert_int_equal(wire_negotiate(PROTO_VERSION_MAX + 1, 99), MYCEL_E_VERSION);
    assert_int_equal(wire_negotiate(0, 0), MYCEL_E_VERSION);
    assert_int_equal(wire_negotiate(2, 1), MYCEL_E_VERSION);
}

static void test_update_body(void **state)
{
    (void)state;
    uint8_t body[256];
    mycel_UpdateReport report = sample_report();
    int head = wire_update_head(&report, body, sizeof body);
    assert_true(head > 2 && head <= (int)WIRE_UPDATE_HEAD_MAX);
    memcpy(body + head, "frame", 5);

    struct wire_update update;
    assert_int_equal(wire_update_split(&update, body, (size_t)head + 5), 0);
    assert_int_equal(update.report.samples, 6000);
    assert_int_equal(update.frame_bytes, 5);
    assert_memory_equal(update.frame, "frame", 5);

    for (int cut = 0; cut < head; cut++) {
        assert_int_equal(wire_update_split(&update, body, (size_t)cut), MYCEL_E_MALFORMED);
    }
    body[1] = 0xFF;
    assert_int_equal(wire_update_split(&update, body, (size_t)head + 5), MYCEL_E_MALFORMED);
    assert_int_equal(wire_update_head(&report, body, 1), MYCEL_E_NO_MEMORY);
    assert_int_equal(wire_update_head(&report, body, 8), MYCEL_E_NO_MEMORY);
}

static void test_lease_reply_is_the_same_message(void **state)
{
    (void)state;
    mycel_CheckInReply reply = sample_lease(), read;
    uint8_t one[PROTO_MESSAGE_BYTES_MAX], other[PROTO_MESSAGE_BYTES_MAX];
    reply.rekey = true;
    reply.protocol = UINT32_MAX;
    int bytes = WIRE_ENCODE(mycel_CheckInReply, &reply, one, sizeof one);
    assert_true(bytes > 0);
    assert_int_equal(wire_lease_reply(&reply, other, sizeof other), bytes);
    assert_int_equal(WIRE_DECODE(mycel_CheckInReply, &read, other, (size_t)bytes), 0);
    assert_int_equal(WIRE_ENCODE(mycel_CheckInReply, &read, other, sizeof other), bytes);
    assert_memory_equal(one, other, (size_t)bytes);
    for (size_t cap = 0; cap < (size_t)bytes; cap++) {
        assert_int_equal(wire_lease_reply(&reply, other, cap), MYCEL_E_NO_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lease_reply_is_the_same_message),
        cmocka_unit_test(test_golden_bytes),
        cmocka_unit_test(test_patches_are_an_addition),
        cmocka_unit_test(test_decode_refuses_garbage),
        cmocka_unit_test(test_negotiation),
        cmocka_unit_test(test_update_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
