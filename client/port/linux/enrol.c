/* Implementation of enrol.h: one request, repeated over sessions until an answer comes. */
#include "client/port/linux/enrol.h"

#include "client/port/linux/coap_transport.h"
#include "client/port/linux/host_platform.h"
#include "proto/enrol.h"
#include "proto/wire.h"

#include <errno.h>
#include <mycel/error.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>

#define PAUSE_MIN_MS 1000u
#define PAUSE_MAX_MS 600000u
#define ANSWER_MS 16000u /* of a session, handshake included (docs/PROTOCOL.md section 7) */

struct attempt {
    const struct client_options *options;
    const struct progress *progress;
    struct coap_transport *transport;
    mycel_Enrol message;
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    size_t payload_bytes;
    uint32_t pause_ms;
};

static int fill_random(void *out, size_t bytes)
{
    ssize_t n;
    do {
        n = getrandom(out, bytes, 0); /* up to 256 bytes come whole */
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)bytes ? MYCEL_OK : MYCEL_E_CRYPTO;
}

/* ---- one session */

/* 1: the transport has taken it; 0: not now; <0: the session is dead. */
static int send_request(const struct attempt *a)
{
    const struct mycel_request request = {.method = MYCEL_POST,
                                          .path = {PROTO_PATH_ENROL, NULL},
                                          .content_format = PROTO_FORMAT_MESSAGE,
                                          .payload = a->payload,
                                          .payload_bytes = a->payload_bytes};
    return coap_transport_table.send(a->transport, 0, &request);
}

static int receive(const struct attempt *a, struct mycel_response *response)
{
    uint64_t end_ms = host_now_ms() + ANSWER_MS;
    int rc = coap_transport_table.receive(a->transport, response);
    while (rc == 0) {
        uint64_t now_ms = host_now_ms();
        if (now_ms >= end_ms) {
            return MYCEL_E_TIMEOUT;
        }
        struct pollfd input = {.fd = coap_transport_fd(a->transport), .events = POLLIN};
        (void)poll(&input, 1, (int)(end_ms - now_ms));
        rc = coap_transport_table.receive(a->transport, response);
    }
    return rc;
}

/* 0: *out is complete. AGAIN: the coordinator is busy. */
static int read_answer(const struct attempt *a, const struct mycel_response *response,
                       struct key_file *out)
{
    mycel_Enrolled answer;
    if (response->code == PROTO_CODE(4, 3)) {
        return MYCEL_E_REVOKED;
    }
    if (response->code != PROTO_CODE(2, 4)) {
        return MYCEL_E_AGAIN;
    }
    if (WIRE_DECODE(mycel_Enrolled, &answer, response->payload, response->payload_bytes) < 0 ||
        answer.identity[0] == '\0') {
        return MYCEL_E_MALFORMED;
    }
    const char *expected = a->options->identity;
    if (expected != NULL && strcmp(expected, answer.identity) != 0) {
        return MYCEL_E_INVALID;
    }
    *out = (struct key_file){.key_bytes = PROTO_PSK_BYTES};
    memcpy(out->identity, answer.identity, strlen(answer.identity) + 1u);
    enrol_device_key(a->message.share, answer.share, out->key);
    explicit_bzero(&answer, sizeof answer);
    return MYCEL_OK;
}

static int ask(const struct attempt *a, struct key_file *out)
{
    struct mycel_response response;
    int rc = coap_transport_table.open(a->transport);
    if (rc == 0) {
        rc = send_request(a);
        rc = rc == 0 ? MYCEL_E_AGAIN : rc;
    }
    if (rc > 0) {
        rc = receive(a, &response);
    }
    if (rc > 0) {
        rc = read_answer(a, &response, out);
    }
    coap_transport_table.close(a->transport);
    return rc;
}

/* ---- until it is done */

static void pause_after(struct attempt *a, int failure)
{
    uint32_t chance = 0;
    (void)fill_random(&chance, sizeof chance);
    uint32_t wait_ms = a->pause_ms + chance % (a->pause_ms / 2u + 1u);
    const struct mycel_event event = {.kind = MYCEL_EVENT_PROBLEM,
                                      .code = failure,
                                      .wait_ms = wait_ms,
                                      .text = "the coordinator does not enrol this device"};
    progress_event(a->progress, &event);
    (void)poll(NULL, 0, (int)wait_ms);
    uint32_t limit_ms = a->options->backoff_max_ms ? a->options->backoff_max_ms : PAUSE_MAX_MS;
    a->pause_ms = a->pause_ms > limit_ms / 2u ? limit_ms : 2u * a->pause_ms;
}

static bool is_final(int rc)
{
    return rc == MYCEL_OK || rc == MYCEL_E_REVOKED || rc == MYCEL_E_INVALID;
}

static int ask_until_answered(struct attempt *a, struct key_file *out)
{
    int rc = ask(a, out);
    while (!is_final(rc)) {
        pause_after(a, rc);
        rc = ask(a, out);
    }
    return rc;
}

static int prepare(struct attempt *a, const struct key_file *token)
{
    char identity[ENROL_IDENTITY_BYTES];
    uint8_t psk[PROTO_PSK_BYTES];
    a->message = (mycel_Enrol)mycel_Enrol_init_zero;
    memcpy(a->message.token, token->key, sizeof a->message.token);
    int rc = fill_random(a->message.share, sizeof a->message.share);
    if (rc < 0) {
        return rc;
    }
    rc = WIRE_ENCODE(mycel_Enrol, &a->message, a->payload, sizeof a->payload);
    if (rc < 0) {
        return rc;
    }
    a->payload_bytes = (size_t)rc;
    enrol_identity(token->key, identity);
    enrol_psk(token->key, psk);
    const struct coap_transport_config config = {.coordinator = a->options->coordinator,
                                                 .identity = identity,
                                                 .key = psk,
                                                 .key_bytes = sizeof psk};
    rc = coap_transport_open(&a->transport, &config);
    explicit_bzero(psk, sizeof psk);
    return rc;
}

int enrol_device(const struct client_options *options, const struct progress *progress,
                 struct key_file *out)
{
    struct key_file token;
    struct attempt attempt = {.options = options, .progress = progress};
    attempt.pause_ms = options->backoff_min_ms ? options->backoff_min_ms : PAUSE_MIN_MS;
    int rc = key_file_read(options->token_file, &token);
    if (rc == MYCEL_OK && token.key_bytes != PROTO_TOKEN_BYTES) {
        rc = MYCEL_E_MALFORMED;
    }
    if (rc == MYCEL_OK) {
        rc = prepare(&attempt, &token);
    }
    if (rc == MYCEL_OK) {
        rc = ask_until_answered(&attempt, out);
    }
    if (rc == MYCEL_OK) {
        rc = key_file_write(options->key_file, out);
    }
    coap_transport_close(attempt.transport);
    explicit_bzero(&attempt, sizeof attempt);
    explicit_bzero(&token, sizeof token);
    return rc;
}
