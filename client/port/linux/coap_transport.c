/*
 * libcoap behind the client's transport table. It owns sockets and DTLS through libcoap; what comes in
 * is copied into one place per slot, so nothing of libcoap's memory ever leaves this file.
 *
 * Requests are non-confirmable messages that this file repeats itself, each time with the message id and
 * token of the first: the coordinator answers a repetition from its cache (RFC 7252 §4.3 and §4.5).
 * libcoap's own retransmission of confirmable ones never comes sooner than after a second, cannot be
 * stopped, and takes a session down when one request was unlucky five times.
 */
#include "client/port/linux/coap_transport.h"

#include "client/port/linux/coap_message.h"
#include "client/port/linux/device_certificate.h"
#include "client/port/linux/endpoint_name.h"
#include "client/port/linux/handshake_pace.h"
#include "client/port/linux/host_platform.h"
#include "client/port/linux/request_slots.h"
#include "proto/limits.h"

#include <coap3/coap.h>
#include <mycel/error.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MTU 1280u
#define HANDSHAKE_TO_REQUEST 2u /* an answer may wait for a disk, a flight does not */

struct coap_transport {
    coap_context_t *context;
    coap_session_t *session;
    struct handshake_pace handshake;
    int wakeup; /* an epoll set: libcoap's descriptor, and the timer of repetitions */
    int timer;
    uint32_t timeout_ms; /* of the latest request, 0: none; a new handshake starts from it */
    coap_address_t peer;
    int failure; /* of this session, 0: none */
    char identity[PROTO_IDENTITY_BYTES_MAX + 1u];
    uint8_t key[PROTO_PSK_BYTES_MAX];
    size_t key_bytes;
    struct device_certificate *certificate; /* NULL: the key */
    void (*refused)(void *user, const char *why);
    void *user;
    struct coap_transport_bytes bytes;
    struct request_slots requests;
};

static struct coap_transport *transport_of(const coap_session_t *session)
{
    return coap_context_get_app_data(coap_session_get_context(session));
}

/* ---- what libcoap tells */

static coap_response_t on_response(coap_session_t *session, const coap_pdu_t *sent,
                                   const coap_pdu_t *received, const coap_mid_t mid)
{
    (void)sent;
    (void)mid;
    struct coap_transport *t = transport_of(session);
    coap_bin_const_t token = coap_pdu_get_token(received);
    struct request_slot *slot = request_slots_of_token(&t->requests, token.s, token.length);
    t->bytes.received += coap_message_bytes(received);
    if (slot != NULL && coap_message_read(received, &slot->response, slot->payload)) {
        request_slots_answer(&t->requests, slot, host_now_ms());
    }
    return COAP_RESPONSE_OK;
}

static void on_nack(coap_session_t *session, const coap_pdu_t *sent,
                    const coap_nack_reason_t reason, const coap_mid_t mid)
{
    (void)sent;
    (void)mid;
    bool nobody = reason == COAP_NACK_ICMP_ISSUE || reason == COAP_NACK_NOT_DELIVERABLE;
    struct coap_transport *t = transport_of(session);
    if (t->failure != MYCEL_E_UNAUTHORIZED) { /* which is why libcoap gives up */
        t->failure = nobody ? MYCEL_E_UNREACHABLE : MYCEL_E_CLOSED;
    }
}

/* The coordinator's certificate was refused: the operator is told why, and the client that it was. */
static bool was_refused(struct coap_transport *t)
{
    const char *why = t->certificate != NULL ? device_certificate_refusal(t->certificate) : NULL;
    if (why != NULL && t->failure != MYCEL_E_UNAUTHORIZED && t->refused != NULL) {
        t->refused(t->user, why);
    }
    return why != NULL;
}

static int on_event(coap_session_t *session, const coap_event_t event)
{
    if (event == COAP_EVENT_DTLS_CLOSED || event == COAP_EVENT_DTLS_ERROR) {
        struct coap_transport *t = transport_of(session);
        bool refused = was_refused(t);
        t->failure = refused ? MYCEL_E_UNAUTHORIZED : t->failure < 0 ? t->failure : MYCEL_E_CLOSED;
    }
    return 0;
}

/* ---- time */

static bool is_established(const struct coap_transport *t)
{
    return coap_session_get_state(t->session) == COAP_SESSION_STATE_ESTABLISHED;
}

/* The descriptor becomes readable when the next repetition is due. */
static void set_timer(const struct coap_transport *t)
{
    uint64_t due_ms = request_slots_due_ms(&t->requests);
    if (t->session != NULL && !is_established(t)) {
        uint64_t flight_ms = handshake_pace_due_ms(&t->handshake);
        due_ms = flight_ms < due_ms ? flight_ms : due_ms;
    }
    struct itimerspec at = {0};
    if (due_ms != UINT64_MAX) {
        at.it_value.tv_sec = (time_t)(due_ms / 1000u);
        at.it_value.tv_nsec =
            (long)(due_ms % 1000u) * 1000000 + 1; /* never 0, which would stop it */
    }
    (void)timerfd_settime(t->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

/* ---- the table */

static void drop_session(struct coap_transport *t)
{
    coap_session_t *session = t->session;
    t->session = NULL;
    if (session != NULL) {
        coap_session_release(session);
    }
}

static coap_session_t *new_key_session(struct coap_transport *t)
{
    coap_dtls_cpsk_t psk = {.version = COAP_DTLS_CPSK_SETUP_VERSION, .use_cid = 1};
    psk.psk_info.identity.s = (const uint8_t *)t->identity;
    psk.psk_info.identity.length = strlen(t->identity);
    psk.psk_info.key.s = t->key;
    psk.psk_info.key.length = t->key_bytes;
    return coap_new_client_session_psk2(t->context, NULL, &t->peer, COAP_PROTO_DTLS, &psk);
}

/* libcoap is told nothing of certificates but that there are some: see device_certificate.h. */
static coap_session_t *new_certificate_session(struct coap_transport *t)
{
    coap_dtls_pki_t pki = {
        .version = COAP_DTLS_PKI_SETUP_VERSION, .verify_peer_cert = 1, .use_cid = 1};
    return coap_new_client_session_pki(t->context, NULL, &t->peer, COAP_PROTO_DTLS, &pki);
}

/* A session from a new port, whose handshake has sent its first flight. 0, or <0. */
static int new_session(struct coap_transport *t)
{
    t->failure = 0;
    t->session = t->certificate != NULL ? new_certificate_session(t) : new_key_session(t);
    if (t->session == NULL) {
        return MYCEL_E_UNREACHABLE;
    }
    coap_session_set_mtu(t->session, MTU);
    void *ssl = coap_session_get_tls(t->session, NULL);
    if (t->certificate != NULL &&
        (ssl == NULL || device_certificate_take(t->certificate, ssl) < 0)) {
        drop_session(t); /* nothing may be sent to whom nobody has checked */
        return MYCEL_E_NO_MEMORY;
    }
    if (ssl != NULL) {
        handshake_pace_take(&t->handshake, ssl);
    }
    return MYCEL_OK;
}

static int open_session(void *ctx)
{
    struct coap_transport *t = ctx;
    handshake_pace_reset(&t->handshake, t->timeout_ms);
    int rc = new_session(t);
    if (rc == MYCEL_OK) {
        set_timer(t);
    }
    return rc;
}

static void close_session(void *ctx)
{
    struct coap_transport *t = ctx;
    request_slots_clear(&t->requests);
    drop_session(t);
}

/* Hands the request to libcoap, which keeps it until the handshake is done. 0, or <0. */
static int transmit(struct coap_transport *t, struct request_slot *slot)
{
    coap_pdu_t *pdu = coap_pdu_init(COAP_MESSAGE_NON, (coap_pdu_code_t)slot->request.method,
                                    slot->mid, coap_session_max_pdu_size(t->session));
    if (pdu == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    uint8_t token[REQUEST_TOKEN_BYTES];
    request_slots_token(&t->requests, slot, token);
    if (!coap_add_token(pdu, sizeof token, token) || !coap_message_write(pdu, &slot->request)) {
        coap_delete_pdu(pdu);
        return MYCEL_E_NO_MEMORY;
    }
    t->bytes.sent += coap_message_bytes(pdu);
    if (coap_send(t->session, pdu) == COAP_INVALID_MID) { /* frees the PDU in any case */
        return t->failure < 0 ? t->failure : MYCEL_E_UNREACHABLE;
    }
    return MYCEL_OK;
}

/* It was sent now. */
static void schedule(struct request_slot *slot, uint64_t now_ms)
{
    uint8_t chance = 0;
    (void)coap_prng(&chance, sizeof chance);
    request_slot_schedule(slot, now_ms, chance);
}

static int send_request(void *ctx, unsigned index, const struct mycel_request *q)
{
    struct coap_transport *t = ctx;
    if (t->failure < 0) {
        return t->failure;
    }
    struct request_slot *slot = request_slots_take(&t->requests, index, q);
    if (slot == NULL) {
        return MYCEL_E_TOO_LARGE;
    }
    t->timeout_ms = slot->request.timeout_ms;
    slot->mid = coap_new_message_id(t->session);
    int rc = transmit(t, slot);
    if (rc < 0) {
        slot->busy = false;
        return rc;
    }
    if (is_established(t)) {
        schedule(slot, host_now_ms());
    }
    set_timer(t);
    return 1;
}

/* A new session takes over the requests that waited for the old one's handshake. */
static void start_over(struct coap_transport *t)
{
    drop_session(t);
    int rc = new_session(t);
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS && rc >= 0; i++) {
        struct request_slot *slot = &t->requests.slots[i];
        if (request_slot_waits(slot)) {
            rc = transmit(t, slot);
        }
    }
    t->failure = rc;
}

static void repeat_flight(struct coap_transport *t)
{
    void *ssl = coap_session_get_tls(t->session, NULL);
    if (ssl == NULL) {
        return;
    }
    switch (handshake_pace_repeat(&t->handshake, ssl)) {
    case HANDSHAKE_GOES_ON:
        break;
    case HANDSHAKE_STARTS_OVER:
        start_over(t);
        break;
    case HANDSHAKE_FAILED:
        t->failure = MYCEL_E_TIMEOUT;
        break;
    }
}

/* It left when the handshake was done, which knows the round trip better than whoever asked. */
static void schedule_first(struct coap_transport *t, struct request_slot *slot, uint64_t now_ms)
{
    uint32_t timeout_ms = HANDSHAKE_TO_REQUEST * t->handshake.base_ms;
    if (timeout_ms < slot->request.timeout_ms) {
        slot->request.timeout_ms = timeout_ms;
    }
    t->handshake.heard = true;
    slot->repeats = handshake_pace_repeats(&t->handshake);
    schedule(slot, now_ms);
}

/* Sends again what is due: a flight of the handshake, or requests that nobody has answered. */
static void repeat(struct coap_transport *t)
{
    if (t->session == NULL || t->failure < 0) {
        return;
    }
    if (!is_established(t)) {
        repeat_flight(t);
        return;
    }
    uint64_t now_ms = host_now_ms();
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        struct request_slot *slot = &t->requests.slots[i];
        if (!request_slot_waits(slot)) {
            continue;
        }
        if (slot->wait_ms == 0) {
            schedule_first(t, slot, now_ms);
        } else if (now_ms >= slot->due_ms) {
            request_slot_count_repeat(slot);
            (void)transmit(t, slot); /* what cannot be sent now is sent the next time */
            schedule(slot, now_ms);
        }
    }
}

static int receive(void *ctx, struct mycel_response *response)
{
    struct coap_transport *t = ctx;
    if (request_slots_take_answer(&t->requests, response)) {
        return 1;
    }
    (void)coap_io_process(t->context, COAP_IO_NO_WAIT);
    repeat(t);
    set_timer(t);
    if (request_slots_take_answer(&t->requests, response)) {
        return 1;
    }
    response->heard = handshake_pace_heard(&t->handshake);
    return t->failure;
}

static void cancel(void *ctx, unsigned slot)
{
    ((struct coap_transport *)ctx)->requests.slots[slot].busy = false;
}

const struct mycel_transport coap_transport_table = {open_session, send_request, receive, cancel,
                                                     close_session};

/* ---- life */

static bool open_wakeup(struct coap_transport *t)
{
    struct epoll_event event = {.events = EPOLLIN};
    t->wakeup = epoll_create1(EPOLL_CLOEXEC);
    t->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return t->wakeup >= 0 && t->timer >= 0 &&
           epoll_ctl(t->wakeup, EPOLL_CTL_ADD, coap_context_get_coap_fd(t->context), &event) == 0 &&
           epoll_ctl(t->wakeup, EPOLL_CTL_ADD, t->timer, &event) == 0;
}

static bool has_key(const struct coap_transport_config *config)
{
    return config->key_bytes >= PROTO_PSK_BYTES && config->key_bytes <= PROTO_PSK_BYTES_MAX &&
           strlen(config->identity) <= PROTO_IDENTITY_BYTES_MAX && config->identity[0] != '\0';
}

int coap_transport_open(struct coap_transport **out, const struct coap_transport_config *config)
{
    *out = NULL;
    if (config->certificate == NULL && !has_key(config)) {
        return MYCEL_E_INVALID;
    }
    struct coap_transport *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    t->wakeup = -1;
    t->timer = -1;
    struct endpoint_name name;
    int rc = endpoint_name_resolve(config->coordinator, PROTO_PORT_DTLS, &name);
    if (rc < 0) {
        free(t);
        return rc;
    }
    coap_startup();
    coap_set_log_level(COAP_LOG_EMERG);
    coap_dtls_set_log_level(COAP_LOG_EMERG);
    coap_address_init(&t->peer);
    t->peer.size = name.bytes;
    memcpy(&t->peer.addr, &name.address, name.bytes);
    if (config->certificate == NULL) {
        memcpy(t->identity, config->identity, strlen(config->identity) + 1u);
        memcpy(t->key, config->key, config->key_bytes);
        t->key_bytes = config->key_bytes;
    }
    t->certificate = config->certificate;
    t->refused = config->refused;
    t->user = config->user;
    t->context = coap_new_context(NULL);
    if (t->context == NULL || !open_wakeup(t)) {
        coap_transport_close(t);
        return MYCEL_E_NO_MEMORY;
    }
    coap_context_set_app_data(t->context, t);
    coap_context_set_block_mode(t->context, 0);
    coap_register_response_handler(t->context, on_response);
    coap_register_nack_handler(t->context, on_nack);
    coap_register_event_handler(t->context, on_event);
    *out = t;
    return MYCEL_OK;
}

void coap_transport_set_key(struct coap_transport *transport, const uint8_t *key, size_t key_bytes)
{
    explicit_bzero(transport->key, sizeof transport->key); /* it may have been a longer one */
    memcpy(transport->key, key, key_bytes);
    transport->key_bytes = key_bytes;
}

int coap_transport_fd(const struct coap_transport *transport)
{
    return transport->wakeup;
}

struct coap_transport_bytes coap_transport_bytes(const struct coap_transport *transport)
{
    return transport->bytes;
}

void coap_transport_close(struct coap_transport *t)
{
    if (t == NULL) {
        return;
    }
    close_session(t);
    if (t->context != NULL) {
        coap_free_context(t->context);
    }
    (void)(t->wakeup >= 0 && close(t->wakeup));
    (void)(t->timer >= 0 && close(t->timer));
    coap_cleanup();
    explicit_bzero(t->key, sizeof t->key);
    free(t);
}
