/* Blocking requests over the client's own transport, and bodies made by hand. */
#include "probe.h"

#include "client/port/linux/coap_transport.h"
#include "common/base64url.h"
#include "common/codec/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TRIES_MAX 100
#define LEASE_PAUSE_MS 20

void probe_open_as(struct probe *probe, uint16_t port, const char *identity, const uint8_t key[16])
{
    char coordinator[32];
    snprintf(coordinator, sizeof coordinator, "127.0.0.1:%u", port);
    const struct coap_transport_config config = {
        .coordinator = coordinator, .identity = identity, .key = key, .key_bytes = 16};
    assert_int_equal(coap_transport_open(&probe->transport, &config), 0);
    assert_int_equal(coap_transport_table.open(probe->transport), 0);
}

/* Keys are written as hexadecimal text. */
static void read_key(const char *path, uint8_t key[16])
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (int i = 0; i < 16; i++) {
        unsigned byte;
        assert_int_equal(fscanf(file, "%2x", &byte), 1);
        key[i] = (uint8_t)byte;
    }
    fclose(file);
}

void probe_open(struct probe *probe, const struct world *world, unsigned index)
{
    char path[HARNESS_PATH_BYTES], name[16];
    uint8_t key[16];
    key_path(world, index, path, sizeof path);
    read_key(path, key);
    snprintf(name, sizeof name, "d%u", index);
    probe_open_as(probe, world->port, name, key);
}

void probe_close(struct probe *probe)
{
    coap_transport_table.close(probe->transport);
    coap_transport_close(probe->transport);
    probe->transport = NULL;
}

static struct probe_answer copy_answer(const struct mycel_response *response)
{
    struct probe_answer answer = {.code = (response->code >> 5) * 100 + (response->code & 31),
                                  .format = response->content_format,
                                  .block = response->block,
                                  .size2 = response->size2,
                                  .bytes = response->payload_bytes};
    assert_true(answer.bytes <= sizeof answer.payload);
    if (answer.bytes > 0) {
        memcpy(answer.payload, response->payload, answer.bytes);
    }
    return answer;
}

struct probe_answer probe_ask(struct probe *probe, const struct mycel_request *request,
                              unsigned wait_ms)
{
    struct probe_answer none = {0};
    bool sent = false;
    for (unsigned waited = 0; waited <= wait_ms; waited += 5) {
        if (!sent) {
            int rc = coap_transport_table.send(probe->transport, 0, request);
            if (rc < 0) {
                return none;
            }
            sent = rc > 0;
        }
        struct mycel_response response;
        int rc = coap_transport_table.receive(probe->transport, &response);
        if (rc < 0) {
            return none;
        }
        if (rc > 0) {
            return copy_answer(&response);
        }
        pause_ms(5);
    }
    coap_transport_table.cancel(probe->transport, 0);
    return none;
}

bool probe_check_in(struct probe *probe, const mycel_CheckIn *check_in, mycel_CheckInReply *reply)
{
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    int n = WIRE_ENCODE(mycel_CheckIn, check_in, payload, sizeof payload);
    assert_true(n > 0);
    const struct mycel_request request = {.method = MYCEL_POST,
                                          .path = {PROTO_PATH_CHECKIN},
                                          .content_format = PROTO_FORMAT_MESSAGE,
                                          .payload = payload,
                                          .payload_bytes = (size_t)n};
    struct probe_answer answer = probe_ask(probe, &request, PROBE_WAIT_MS);
    if (answer.code != 204) {
        return false;
    }
    assert_int_equal(WIRE_DECODE(mycel_CheckInReply, reply, answer.payload, answer.bytes), 0);
    return true;
}

mycel_Lease probe_lease(struct probe *probe, uint32_t samples)
{
    const mycel_CheckIn check_in = {.protocol_min = PROTO_VERSION_MIN,
                                    .protocol_max = PROTO_VERSION_MAX,
                                    .samples = samples,
                                    .codecs = 1u << mycel_Codec_CODEC_F32,
                                    .model_bytes_max = 1u << 30,
                                    .battery_percent = 255,
                                    .idle = true};
    for (int i = 0; i < PROBE_WAIT_MS / LEASE_PAUSE_MS; i++) {
        mycel_CheckInReply reply;
        if (probe_check_in(probe, &check_in, &reply) &&
            reply.which_answer == mycel_CheckInReply_lease_tag) {
            return reply.answer.lease;
        }
        pause_ms(LEASE_PAUSE_MS);
    }
    fail_msg("no lease came");
    return (mycel_Lease){0};
}

struct probe_answer probe_put(struct probe *probe, const uint8_t key[PROTO_KEY_BYTES],
                              const uint8_t *body, size_t bytes, uint32_t number)
{
    char text[PROTO_KEY_TEXT + 1];
    base64url_encode(key, PROTO_KEY_BYTES, text);
    size_t offset = (size_t)number * PROTO_BLOCK_BYTES_MAX;
    size_t left = bytes - offset;
    bool more = left > PROTO_BLOCK_BYTES_MAX;
    const struct mycel_request request = {
        .method = MYCEL_PUT,
        .path = {PROTO_PATH_UPDATE, text},
        .content_format = PROTO_FORMAT_UPDATE,
        .block = {MYCEL_BLOCK_1, number, PROTO_BLOCK_SZX_MAX, more},
        .size1 = (uint32_t)bytes,
        .payload = body + offset,
        .payload_bytes = more ? PROTO_BLOCK_BYTES_MAX : left};
    struct probe_answer answer = probe_ask(probe, &request, PROBE_WAIT_MS);
    for (int again = 0; answer.code == 503 && again < TRIES_MAX; again++) {
        pause_ms(100);
        answer = probe_ask(probe, &request, PROBE_WAIT_MS);
    }
    return answer;
}

struct probe_answer probe_upload(struct probe *probe, const uint8_t key[PROTO_KEY_BYTES],
                                 const uint8_t *body, size_t bytes)
{
    uint32_t blocks = (uint32_t)((bytes + PROTO_BLOCK_BYTES_MAX - 1) / PROTO_BLOCK_BYTES_MAX);
    struct probe_answer answer = {0};
    for (uint32_t i = 0; i < blocks; i++) {
        answer = probe_put(probe, key, body, bytes, i);
        if (answer.code != 231) {
            return answer;
        }
    }
    return answer;
}

size_t probe_body(const mycel_Lease *lease, uint32_t samples, float step, uint8_t *body,
                  size_t capacity)
{
    float scratch[CODEC_BLOCK_PARAMS_MAX];
    mycel_UpdateReport report = mycel_UpdateReport_init_zero;
    report.run = lease->run;
    report.round = lease->round;
    report.base_version = lease->base_version;
    report.samples = samples;
    report.steps = 1;
    report.loss_first = 1.0f;
    report.loss_last = 0.9f;
    const struct codec_header header = {.codec = CODEC_F32,
                                        .params = lease->params,
                                        .base_version = lease->base_version,
                                        .weight = samples};
    float *delta = malloc(lease->params * sizeof *delta);
    for (uint32_t i = 0; i < lease->params; i++) {
        delta[i] = step;
    }
    int head = wire_update_head(&report, body, capacity);
    assert_true(head > 0);
    int n = codec_encode(&header, delta, NULL, scratch, body + head, capacity - (size_t)head);
    free(delta);
    assert_true(n > 0);
    return (size_t)head + (size_t)n;
}

mycel_Receipt probe_receipt(const struct probe_answer *answer)
{
    mycel_Receipt receipt;
    if (answer->code != 204 && answer->code != 205) {
        fail_msg("code %d instead of a receipt", answer->code);
    }
    assert_int_equal(answer->format, PROTO_FORMAT_RECEIPT);
    assert_int_equal(WIRE_DECODE(mycel_Receipt, &receipt, answer->payload, answer->bytes), 0);
    return receipt;
}

int probe_reason(const struct probe_answer *answer)
{
    mycel_Problem problem;
    if (answer->format != PROTO_FORMAT_PROBLEM ||
        WIRE_DECODE(mycel_Problem, &problem, answer->payload, answer->bytes) < 0) {
        return 1;
    }
    return problem.reason;
}
