/* A coordinator that keeps docs/PROTOCOL.md, behind a network with faults. See fake.h. */
#include "fake.h"

#include "common/base64url.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka needs those above
#include <cmocka.h>

#define UNIT 16u /* the smallest block */

static size_t encoded(int bytes)
{
    assert_true(bytes >= 0);
    return (size_t)bytes;
}

static void answer_checkin(struct fake_coordinator *k, const struct mycel_request *q,
                           struct mycel_response *r, uint8_t *payload)
{
    assert_int_equal(WIRE_DECODE(mycel_CheckIn, &k->last_checkin, q->payload, q->payload_bytes), 0);
    k->checkins++;
    mycel_CheckInReply reply = {.protocol = 1};
    if (k->has_work && !k->done) {
        reply.which_answer = mycel_CheckInReply_lease_tag;
        reply.answer.lease = k->lease;
    } else {
        reply.which_answer = mycel_CheckInReply_window_tag;
        reply.answer.window = k->window;
    }
    r->code = CODE_2_04;
    r->content_format = PROTO_FORMAT_MESSAGE;
    r->payload_bytes = encoded(WIRE_ENCODE(mycel_CheckInReply, &reply, payload, 1100));
}

struct fake_blob {
    const uint8_t *sha256;
    const uint8_t *data;
    uint32_t bytes;
};

/* The model, c or the patch by its name. */
static bool find_blob(const struct fake_coordinator *k, const char *name, struct fake_blob *out)
{
    uint32_t model_bytes = (uint32_t)k->lease.model_bytes;
    bool has_patch = k->lease.patch_bytes > 0 && !k->patch_gone;
    const struct fake_blob blobs[] = {
        {k->lease.model_sha256, k->model, model_bytes},
        {k->lease.control_sha256, k->control,
         k->lease.control ? model_bytes + PROTO_CONTROL_HEAD_BYTES : 0},
        {k->lease.patch_sha256.bytes, k->patch, has_patch ? k->lease.patch_bytes : 0},
    };
    for (size_t i = 0; i < sizeof blobs / sizeof blobs[0]; i++) {
        char text[PROTO_SHA256_TEXT + 1u];
        base64url_encode(blobs[i].sha256, 32, text);
        if (blobs[i].bytes > 0 && strcmp(name, text) == 0) {
            *out = blobs[i];
            return true;
        }
    }
    return false;
}

static void answer_model(struct fake_coordinator *k, const struct mycel_request *q,
                         struct mycel_response *r, uint8_t *payload)
{
    struct fake_blob blob;
    if (!find_blob(k, q->path[1], &blob)) {
        r->code = CODE_4_04;
        return;
    }
    uint32_t total = blob.bytes;
    assert_int_equal(q->block.kind, MYCEL_BLOCK_2);
    uint8_t szx = q->block.szx < k->model_szx ? q->block.szx : k->model_szx;
    uint32_t offset = q->block.number << (q->block.szx + 4u);
    uint32_t size = 16u << szx;
    assert_true(offset < total);
    uint32_t n = total - offset < size ? total - offset : size;
    r->code = CODE_2_05;
    r->content_format = PROTO_FORMAT_MODEL;
    r->block = (struct mycel_block){MYCEL_BLOCK_2, offset / size, szx, offset + n < total};
    r->size2 = offset == 0 ? total : 0;
    r->etag_bytes = 8;
    memcpy(r->etag, blob.sha256, 8);
    memcpy(payload, blob.data + offset, n);
    r->payload_bytes = n;
    k->blob_bytes += n;
}

static void put_receipt(struct fake_coordinator *k, struct mycel_response *r, uint8_t code,
                        uint8_t *payload)
{
    mycel_Receipt receipt = {.status = k->status,
                             .round = k->lease.round,
                             .base_version = k->lease.base_version,
                             .late = k->late,
                             .has_window = true,
                             .window = k->window};
    memcpy(receipt.digest, k->digest, 32);
    r->code = code;
    r->content_format = PROTO_FORMAT_RECEIPT;
    r->payload_bytes = encoded(WIRE_ENCODE(mycel_Receipt, &receipt, payload, 1100));
}

static bool has_block(const struct fake_coordinator *k, uint32_t number)
{
    uint32_t first = number * k->block_bytes;
    for (uint32_t at = first; at < first + k->block_bytes && at < k->body_bytes; at += UNIT) {
        if (!k->have[at / UNIT]) {
            return false;
        }
    }
    return true;
}

static void put_status(struct fake_coordinator *k, struct mycel_response *r, uint8_t code,
                       uint8_t *payload)
{
    mycel_UploadStatus status = {.size = k->body_bytes, .block_bytes = k->block_bytes};
    for (uint32_t i = 0; i * k->block_bytes < k->body_bytes && status.missing_count < 32; i++) {
        if (!has_block(k, i)) {
            status.missing[status.missing_count++] = i;
        }
    }
    r->code = code;
    r->content_format = PROTO_FORMAT_MESSAGE;
    r->payload_bytes = encoded(WIRE_ENCODE(mycel_UploadStatus, &status, payload, 1100));
}

static bool is_complete(const struct fake_coordinator *k)
{
    for (uint32_t i = 0; i * UNIT < k->body_bytes; i++) {
        if (!k->have[i]) {
            return false;
        }
    }
    return true;
}

static void answer_put(struct fake_coordinator *k, const struct mycel_request *q,
                       struct mycel_response *r, uint8_t *payload)
{
    assert_int_equal(q->block.kind, MYCEL_BLOCK_1);
    assert_int_equal(q->content_format, PROTO_FORMAT_UPDATE);
    assert_true(q->size1 > 0 && q->size1 <= FAKE_BODY_MAX);
    r->block = q->block;
    k->puts++;
    if (k->puts == k->forget_at) {
        k->body_bytes = 0;
        memset(k->have, 0, sizeof k->have);
    }
    if (k->done) {
        put_receipt(k, r, CODE_2_04, payload);
        return;
    }
    assert_true(k->body_bytes == 0 || k->body_bytes == q->size1);
    k->body_bytes = q->size1;
    k->block_bytes = UNIT << q->block.szx;
    assert_true(q->block.number < 1u << 20);
    uint32_t offset = q->block.number * k->block_bytes;
    assert_true(offset + q->payload_bytes <= k->body_bytes);
    assert_int_equal(q->block.more, offset + q->payload_bytes < k->body_bytes);
    memcpy(k->body + offset, q->payload, q->payload_bytes);
    for (uint32_t at = 0; at < q->payload_bytes; at += UNIT) {
        k->have[(offset + at) / UNIT] = true;
    }
    if (q->block.more) {
        r->code = CODE_2_31;
    } else if (!is_complete(k)) {
        put_status(k, r, CODE_4_08, payload);
    } else {
        memcpy(k->first_body, k->body, k->body_bytes);
        k->first_bytes = k->body_bytes;
        k->commits++;
        k->done = true;
        sha256(k->body, k->body_bytes, k->digest);
        put_receipt(k, r, CODE_2_04, payload);
    }
}

void fake_answer(struct fake_world *w, const struct mycel_request *q, struct mycel_response *r,
                 uint8_t *payload)
{
    struct fake_coordinator *k = &w->coordinator;
    char name[PROTO_KEY_TEXT + 1u];
    r->content_format = MYCEL_FORMAT_NONE;
    switch (q->path[0][0]) {
    case 'c':
        assert_int_equal(q->method, MYCEL_POST);
        answer_checkin(k, q, r, payload);
        break;
    case 'm':
        assert_int_equal(q->method, MYCEL_GET);
        answer_model(k, q, r, payload);
        break;
    case 'k':
        r->code = CODE_4_04; /* test_rekey.c knows better */
        break;
    default:
        assert_string_equal(q->path[0], "u");
        base64url_encode(k->lease.update_key, sizeof k->lease.update_key, name);
        if (strcmp(q->path[1], name) != 0) {
            r->code = CODE_4_03;
        } else if (q->method == MYCEL_PUT) {
            answer_put(k, q, r, payload);
        } else if (k->done) {
            put_receipt(k, r, CODE_2_05, payload);
        } else {
            put_status(k, r, CODE_2_05, payload);
        }
    }
    if (k->tamper != NULL) {
        k->tamper(w, q, r, payload);
    }
}

/* ---- network */

static uint32_t chance(struct fake_net *n, uint32_t below)
{
    n->seed = n->seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(n->seed >> 8) * below) >> 24);
}

/* Counts one message in either direction and says whether it gets lost. */
static bool is_lost(struct fake_net *n)
{
    n->messages++;
    return n->dead || n->forgotten || n->messages == n->lose_message ||
           chance(n, 100) < n->loss_percent;
}

static int net_open(void *ctx)
{
    struct fake_net *n = &((struct fake_world *)ctx)->net;
    assert_false(n->open);
    if (n->open_error < 0) {
        return n->open_error;
    }
    n->open = true;
    n->forgotten = false;
    n->opens++;
    return 0;
}

static void deliver(struct fake_world *w, unsigned slot, const struct mycel_request *q)
{
    struct fake_net *n = &w->net;
    uint8_t payload[1100];
    struct mycel_response r = {.slot = (uint8_t)slot};
    fake_answer(w, q, &r, payload);
    if (is_lost(n)) {
        return;
    }
    for (unsigned i = 0; i < FAKE_QUEUE; i++) {
        struct fake_packet *p = &n->queue[i];
        if (!p->used) {
            *p = (struct fake_packet){.used = true,
                                      .due_ms = w->now_ms + n->delay_min_ms +
                                                chance(n, n->delay_max_ms - n->delay_min_ms + 1u),
                                      .generation = n->generation[slot],
                                      .response = r};
            memcpy(p->payload, payload, r.payload_bytes);
            return;
        }
    }
    fail_msg("the network's queue is full");
}

static int net_send(void *ctx, unsigned slot, const struct mycel_request *q)
{
    struct fake_world *w = ctx;
    struct fake_net *n = &w->net;
    assert_true(n->open && slot < MYCEL_REQUEST_SLOTS);
    assert_true(q->payload_bytes <= 1024);
    if (n->send_error < 0) {
        return n->send_error;
    }
    if (n->send_refusals > 0) {
        n->send_refusals--;
        return 0;
    }
    n->sends[n->send_count++ % FAKE_SENDS_MAX] = (struct fake_send){
        w->now_ms, q->method, q->path[0][0], q->block.number, q->block.more, q->block.szx};
    n->generation[slot]++;
    if (!is_lost(n)) {
        deliver(w, slot, q);
        if (n->duplicate) {
            deliver(w, slot, q);
        }
    }
    return 1;
}

static int net_receive(void *ctx, struct mycel_response *r)
{
    struct fake_world *w = ctx;
    struct fake_packet *first = NULL;
    if (w->net.receive_error < 0) {
        return w->net.receive_error;
    }
    for (unsigned i = 0; i < FAKE_QUEUE; i++) {
        struct fake_packet *p = &w->net.queue[i];
        if (p->used && p->generation != w->net.generation[p->response.slot]) {
            p->used = false;
        }
        if (p->used && p->due_ms <= w->now_ms && (!first || p->due_ms < first->due_ms)) {
            first = p;
        }
    }
    if (first == NULL) {
        return 0;
    }
    first->used = false;
    *r = first->response;
    r->payload = first->payload;
    w->net.generation[r->slot]++;
    return 1;
}

static void net_cancel(void *ctx, unsigned slot)
{
    ((struct fake_world *)ctx)->net.generation[slot]++;
}

static void net_close(void *ctx)
{
    struct fake_net *n = &((struct fake_world *)ctx)->net;
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        n->generation[i]++;
    }
    n->open = false;
}

const struct mycel_transport fake_transport = {net_open, net_send, net_receive, net_cancel,
                                               net_close};

uint64_t fake_net_due(const struct fake_world *w)
{
    uint64_t due = UINT64_MAX;
    for (unsigned i = 0; i < FAKE_QUEUE; i++) {
        const struct fake_packet *p = &w->net.queue[i];
        if (p->used && p->generation == w->net.generation[p->response.slot] && p->due_ms < due) {
            due = p->due_ms;
        }
    }
    return due;
}
