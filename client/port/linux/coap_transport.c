/*
 * libcoap behind the client's transport table. It owns sockets and DTLS through libcoap; what comes in
 * is copied into one place per slot, so nothing of libcoap's memory ever leaves this file.
 */
#include "client/port/linux/coap_transport.h"

#include "client/port/linux/endpoint_name.h"
#include "proto/limits.h"

#include <coap3/coap.h>
#include <mycel/error.h>
#include <stdlib.h>
#include <string.h>

/* A request that was cancelled here goes on being retransmitted in libcoap, which offers no way to
 * stop it; room for those beside the live ones. */
#define NSTART (MYCEL_REQUEST_SLOTS * 2u)
#define MTU 1280u
#define PAYLOAD_BYTES_MAX 1152u
#define TOKEN_BYTES 4u

struct slot {
    bool busy;
    bool answered;
    uint32_t generation; /* in the token: an answer to an older request is not mistaken */
    struct mycel_response response;
    uint8_t payload[PAYLOAD_BYTES_MAX];
};

struct coap_transport {
    coap_context_t *context;
    coap_session_t *session;
    coap_address_t peer;
    int failure; /* of this session, 0: none */
    char identity[PROTO_IDENTITY_BYTES_MAX + 1u];
    uint8_t key[PROTO_PSK_BYTES_MAX];
    size_t key_bytes;
    uint32_t generation;
    struct coap_transport_bytes bytes;
    struct slot slots[MYCEL_REQUEST_SLOTS];
};

static struct coap_transport *transport_of(const coap_session_t *session)
{
    return coap_context_get_app_data(coap_session_get_context(session));
}

/* ---- tokens: slot in the top byte, generation below */

static void put_token(uint8_t token[TOKEN_BYTES], unsigned slot, uint32_t generation)
{
    token[0] = (uint8_t)slot;
    token[1] = (uint8_t)(generation >> 16);
    token[2] = (uint8_t)(generation >> 8);
    token[3] = (uint8_t)generation;
}

/* The live slot that this message belongs to, or NULL. */
static struct slot *slot_of(struct coap_transport *t, const coap_pdu_t *pdu)
{
    coap_bin_const_t token = coap_pdu_get_token(pdu);
    if (token.length != TOKEN_BYTES || token.s[0] >= MYCEL_REQUEST_SLOTS) {
        return NULL;
    }
    struct slot *slot = &t->slots[token.s[0]];
    uint8_t expected[TOKEN_BYTES];
    put_token(expected, token.s[0], slot->generation);
    bool is_live = slot->busy && !slot->answered && memcmp(expected, token.s, TOKEN_BYTES) == 0;
    return is_live ? slot : NULL;
}

/* ---- what libcoap tells */

static void read_block(const coap_opt_t *option, enum mycel_block_kind kind,
                       struct mycel_block *block)
{
    uint32_t value = coap_decode_var_bytes(coap_opt_value(option), coap_opt_length(option));
    block->kind = kind;
    block->number = value >> 4;
    block->more = value >> 3 & 1u;
    block->szx = (uint8_t)(value & 7u);
}

static void read_option(struct mycel_response *r, coap_option_num_t number,
                        const coap_opt_t *option)
{
    uint32_t length = coap_opt_length(option);
    const uint8_t *value = coap_opt_value(option);
    uint32_t integer = length <= 4 ? coap_decode_var_bytes(value, length) : 0;
    switch (number) {
    case COAP_OPTION_CONTENT_FORMAT:
        r->content_format = integer <= UINT16_MAX ? (uint16_t)integer : MYCEL_FORMAT_NONE;
        break;
    case COAP_OPTION_BLOCK1:
        read_block(option, MYCEL_BLOCK_1, &r->block);
        break;
    case COAP_OPTION_BLOCK2:
        read_block(option, MYCEL_BLOCK_2, &r->block);
        break;
    case COAP_OPTION_SIZE2:
        r->size2 = integer;
        break;
    case COAP_OPTION_MAXAGE:
        r->max_age_s = integer;
        break;
    case COAP_OPTION_ETAG:
        r->etag_bytes = (uint8_t)(length <= sizeof r->etag ? length : 0);
        memcpy(r->etag, value, r->etag_bytes);
        break;
    default:
        break;
    }
}

static coap_response_t on_response(coap_session_t *session, const coap_pdu_t *sent,
                                   const coap_pdu_t *received, const coap_mid_t mid)
{
    (void)sent;
    (void)mid;
    struct coap_transport *t = transport_of(session);
    struct slot *slot = slot_of(t, received);
    size_t bytes = 0;
    const uint8_t *data = NULL;
    (void)coap_get_data(received, &bytes, &data);
    t->bytes.received += 4u + TOKEN_BYTES + bytes;
    if (slot == NULL || bytes > sizeof slot->payload) {
        return COAP_RESPONSE_OK;
    }
    struct mycel_response *r = &slot->response;
    *r = (struct mycel_response){.slot = (uint8_t)(slot - t->slots),
                                 .code = (uint8_t)coap_pdu_get_code(received),
                                 .content_format = MYCEL_FORMAT_NONE,
                                 .payload = slot->payload,
                                 .payload_bytes = bytes};
    if (bytes > 0) {
        memcpy(slot->payload, data, bytes);
        t->bytes.received++; /* payload marker */
    }
    coap_opt_iterator_t iterator;
    coap_option_iterator_init(received, &iterator, COAP_OPT_ALL);
    for (coap_opt_t *option; (option = coap_option_next(&iterator)) != NULL;) {
        t->bytes.received += coap_opt_size(option);
        read_option(r, iterator.number, option);
    }
    slot->answered = true;
    return COAP_RESPONSE_OK;
}

static void on_nack(coap_session_t *session, const coap_pdu_t *sent,
                    const coap_nack_reason_t reason, const coap_mid_t mid)
{
    (void)mid;
    struct coap_transport *t = transport_of(session);
    switch (reason) {
    case COAP_NACK_TOO_MANY_RETRIES:
        /* Only a request that still matters says something about the session. */
        if (sent != NULL && slot_of(t, sent) != NULL) {
            t->failure = MYCEL_E_TIMEOUT;
        }
        break;
    case COAP_NACK_ICMP_ISSUE:
    case COAP_NACK_NOT_DELIVERABLE:
        t->failure = MYCEL_E_UNREACHABLE;
        break;
    default:
        t->failure = MYCEL_E_CLOSED;
        break;
    }
}

static int on_event(coap_session_t *session, const coap_event_t event)
{
    if (event == COAP_EVENT_DTLS_CLOSED || event == COAP_EVENT_DTLS_ERROR) {
        struct coap_transport *t = transport_of(session);
        t->failure = t->failure < 0 ? t->failure : MYCEL_E_CLOSED;
    }
    return 0;
}

/* ---- the table */

static int open_session(void *ctx)
{
    struct coap_transport *t = ctx;
    coap_dtls_cpsk_t psk = {.version = COAP_DTLS_CPSK_SETUP_VERSION, .use_cid = 1};
    psk.psk_info.identity.s = (const uint8_t *)t->identity;
    psk.psk_info.identity.length = strlen(t->identity);
    psk.psk_info.key.s = t->key;
    psk.psk_info.key.length = t->key_bytes;
    t->failure = 0;
    t->session = coap_new_client_session_psk2(t->context, NULL, &t->peer, COAP_PROTO_DTLS, &psk);
    if (t->session == NULL) {
        return MYCEL_E_UNREACHABLE;
    }
    coap_session_set_nstart(t->session, NSTART);
    coap_session_set_mtu(t->session, MTU);
    return MYCEL_OK;
}

static void close_session(void *ctx)
{
    struct coap_transport *t = ctx;
    coap_session_t *session = t->session;
    t->session = NULL;
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        t->slots[i].busy = false;
    }
    if (session != NULL) {
        coap_session_release(session);
    }
}

/* Adds one option with an integer value; false when there is no room. */
static bool add_integer(struct coap_transport *t, coap_pdu_t *pdu, coap_option_num_t number,
                        uint32_t value)
{
    uint8_t bytes[4];
    unsigned length = coap_encode_var_safe(bytes, sizeof bytes, value);
    t->bytes.sent += 1u + length + (number > 12 ? 1u : 0u);
    return coap_add_option(pdu, number, length, bytes) != 0;
}

/* Options in ascending order of number, as libcoap wants them. */
static bool add_options(struct coap_transport *t, coap_pdu_t *pdu, const struct mycel_request *q)
{
    for (unsigned i = 0; i < 2 && q->path[i] != NULL; i++) {
        size_t length = strlen(q->path[i]);
        t->bytes.sent += 1u + length + (length > 12 ? 1u : 0u);
        if (!coap_add_option(pdu, COAP_OPTION_URI_PATH, length, (const uint8_t *)q->path[i])) {
            return false;
        }
    }
    if (q->content_format != MYCEL_FORMAT_NONE &&
        !add_integer(t, pdu, COAP_OPTION_CONTENT_FORMAT, q->content_format)) {
        return false;
    }
    uint32_t block = q->block.number << 4 | (q->block.more ? 8u : 0u) | q->block.szx;
    if (q->block.kind == MYCEL_BLOCK_2 && !add_integer(t, pdu, COAP_OPTION_BLOCK2, block)) {
        return false;
    }
    if (q->block.kind == MYCEL_BLOCK_1 && !add_integer(t, pdu, COAP_OPTION_BLOCK1, block)) {
        return false;
    }
    return q->size1 == 0 || add_integer(t, pdu, COAP_OPTION_SIZE1, q->size1);
}

static coap_pdu_t *make_pdu(struct coap_transport *t, unsigned slot, const struct mycel_request *q)
{
    coap_pdu_t *pdu = coap_new_pdu(COAP_MESSAGE_CON, (coap_pdu_code_t)q->method, t->session);
    if (pdu == NULL) {
        return NULL;
    }
    uint8_t token[TOKEN_BYTES];
    put_token(token, slot, t->slots[slot].generation);
    t->bytes.sent += 4u + TOKEN_BYTES + q->payload_bytes + (q->payload_bytes > 0);
    if (coap_add_token(pdu, sizeof token, token) && add_options(t, pdu, q) &&
        (q->payload_bytes == 0 || coap_add_data(pdu, q->payload_bytes, q->payload))) {
        return pdu;
    }
    coap_delete_pdu(pdu);
    return NULL;
}

static int send_request(void *ctx, unsigned slot, const struct mycel_request *q)
{
    struct coap_transport *t = ctx;
    if (t->failure < 0) {
        return t->failure;
    }
    t->slots[slot].generation = ++t->generation;
    coap_pdu_t *pdu = make_pdu(t, slot, q);
    if (pdu == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    t->slots[slot].answered = false;
    t->slots[slot].busy = true;
    if (coap_send(t->session, pdu) == COAP_INVALID_MID) { /* frees the PDU in any case */
        t->slots[slot].busy = false;
        return t->failure < 0 ? t->failure : MYCEL_E_UNREACHABLE;
    }
    return 1;
}

static bool take_answer(struct coap_transport *t, struct mycel_response *response)
{
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        if (t->slots[i].busy && t->slots[i].answered) {
            t->slots[i].busy = false;
            *response = t->slots[i].response;
            return true;
        }
    }
    return false;
}

static int receive(void *ctx, struct mycel_response *response)
{
    struct coap_transport *t = ctx;
    if (take_answer(t, response)) {
        return 1;
    }
    (void)coap_io_process(t->context, COAP_IO_NO_WAIT);
    if (take_answer(t, response)) {
        return 1;
    }
    return t->failure;
}

static void cancel(void *ctx, unsigned slot)
{
    ((struct coap_transport *)ctx)->slots[slot].busy = false;
}

const struct mycel_transport coap_transport_table = {open_session, send_request, receive, cancel,
                                                     close_session};

/* ---- life */

int coap_transport_open(struct coap_transport **out, const struct coap_transport_config *config)
{
    *out = NULL;
    if (config->key_bytes < PROTO_PSK_BYTES || config->key_bytes > PROTO_PSK_BYTES_MAX ||
        strlen(config->identity) > PROTO_IDENTITY_BYTES_MAX || config->identity[0] == '\0') {
        return MYCEL_E_INVALID;
    }
    struct coap_transport *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
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
    memcpy(t->identity, config->identity, strlen(config->identity) + 1u);
    memcpy(t->key, config->key, config->key_bytes);
    t->key_bytes = config->key_bytes;
    t->context = coap_new_context(NULL);
    if (t->context == NULL) {
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

int coap_transport_fd(const struct coap_transport *transport)
{
    return coap_context_get_coap_fd(transport->context);
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
    coap_cleanup();
    explicit_bzero(t->key, sizeof t->key);
    free(t);
}
