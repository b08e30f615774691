/*
 * Implementation of message.h. Options that we do not know are ignored when they are elective and
 * refuse the message when they are critical (RFC 7252 §5.4.1); one that may not be repeated counts
 * as unknown from its second occurrence on (§5.4.5).
 */
#include "server/net/message.h"

#include <stdlib.h>
#include <string.h>

#include <coap3/coap.h>
#include <mycel/error.h>

#define HEADER_BYTES 4u
#define PAYLOAD_MARKER 0xFFu
#define PARSE_BYTES_MAX 2048u
#define OPTION_VALUE_MAX 8u /* longest that we write */

struct message_parser {
    coap_pdu_t *pdu; /* used again for every message */
};

struct message_parser *message_parser_new(void)
{
    coap_set_log_level(COAP_LOG_EMERG); /* hostile bytes must not be able to fill a log */
    struct message_parser *parser = malloc(sizeof *parser);
    if (parser == NULL) {
        return NULL;
    }
    parser->pdu = coap_pdu_init(COAP_MESSAGE_CON, COAP_EMPTY_CODE, 0, PARSE_BYTES_MAX);
    if (parser->pdu == NULL) {
        free(parser);
        return NULL;
    }
    return parser;
}

void message_parser_free(struct message_parser *parser)
{
    if (parser != NULL) {
        coap_delete_pdu(parser->pdu);
        free(parser);
    }
}

/* --- Reading ------------------------------------------------------------------------------------- */

static void refuse(struct message *m, uint8_t code)
{
    if (m->refuse == 0) {
        m->refuse = code;
    }
}

/* A segment becomes a C string. What cannot be one names nothing that we have. */
static void read_path(struct message *m, const uint8_t *value, size_t bytes)
{
    if (m->segments == NET_SEGMENTS_MAX || m->path_bytes + bytes + 1 > sizeof m->path ||
        memchr(value, '\0', bytes) != NULL || memchr(value, '/', bytes) != NULL) {
        refuse(m, NET_CODE(4, 4));
        return;
    }
    char *segment = m->path + m->path_bytes;
    memcpy(segment, value, bytes);
    segment[bytes] = '\0';
    m->segment[m->segments++] = segment;
    m->path_bytes = (uint8_t)(m->path_bytes + bytes + 1);
}

/* Only the first ETag counts, and only one of the length that we give out can match. */
static void read_etag(struct message *m, const uint8_t *value, size_t bytes)
{
    if (m->etag_bytes == 0 && bytes == NET_ETAG_BYTES) {
        memcpy(m->etag, value, bytes);
        m->etag_bytes = NET_ETAG_BYTES;
    }
}

/* A non-repeatable unsigned option that is critical. */
static void read_critical(struct message *m, int64_t *field, const uint8_t *value, size_t bytes)
{
    if (*field >= 0) {
        refuse(m, NET_CODE(4, 2));
        return;
    }
    *field = coap_decode_var_bytes(value, bytes);
}

static void read_elective(int64_t *field, const uint8_t *value, size_t bytes)
{
    if (*field < 0) {
        *field = coap_decode_var_bytes(value, bytes);
    }
}

static void read_option(struct message *m, unsigned number, const uint8_t *value, size_t bytes)
{
    int64_t wide = -1;
    switch (number) {
    case COAP_OPTION_URI_PATH:
        read_path(m, value, bytes);
        break;
    case COAP_OPTION_ETAG:
        read_etag(m, value, bytes);
        break;
    case COAP_OPTION_BLOCK1:
        read_critical(m, &m->block1, value, bytes);
        break;
    case COAP_OPTION_BLOCK2:
        read_critical(m, &m->block2, value, bytes);
        break;
    case COAP_OPTION_SIZE1:
        read_elective(&m->size1, value, bytes);
        break;
    case COAP_OPTION_CONTENT_FORMAT:
        read_elective(&wide, value, bytes);
        m->content_format = m->content_format < 0 ? (int32_t)wide : m->content_format;
        break;
    case COAP_OPTION_ACCEPT:
        wide = m->accept;
        read_critical(m, &wide, value, bytes);
        m->accept = (int32_t)wide;
        break;
    case COAP_OPTION_URI_HOST: /* one host, one port: whatever they say, it is us */
    case COAP_OPTION_URI_PORT:
    case COAP_OPTION_URI_QUERY: /* no resource has parameters */
        break;
    case COAP_OPTION_PROXY_URI:
    case COAP_OPTION_PROXY_SCHEME:
        refuse(m, NET_CODE(5, 5));
        break;
    default:
        if ((number & 1u) != 0) {
            refuse(m, NET_CODE(4, 2));
        }
    }
}

static void read_options(struct message_parser *parser, struct message *m)
{
    m->content_format = -1;
    m->accept = -1;
    m->block1 = -1;
    m->block2 = -1;
    m->size1 = -1;
    coap_opt_iterator_t iterator;
    if (coap_option_iterator_init(parser->pdu, &iterator, COAP_OPT_ALL) == NULL) {
        return; /* no options at all */
    }
    coap_opt_t *option;
    while ((option = coap_option_next(&iterator)) != NULL) {
        read_option(m, iterator.number, coap_opt_value(option), coap_opt_length(option));
    }
}

enum message_verdict message_parse(struct message_parser *parser, const uint8_t *bytes,
                                   size_t count, struct message *out, bool *malformed)
{
    memset(out, 0, sizeof *out);
    *malformed = true;
    if (count < HEADER_BYTES || count > PARSE_BYTES_MAX || bytes[0] >> 6 != 1) {
        return MESSAGE_IGNORE; /* not CoAP version 1: no message id to answer to */
    }
    out->type = bytes[0] >> 4 & 3;
    out->code = bytes[1];
    out->mid = (uint16_t)(bytes[2] << 8 | bytes[3]);
    out->token_bytes = bytes[0] & 15;
    enum message_verdict rejected = out->type == MESSAGE_CON ? MESSAGE_RESET : MESSAGE_IGNORE;
    if (out->token_bytes > MESSAGE_TOKEN_BYTES_MAX ||
        coap_pdu_parse(COAP_PROTO_UDP, bytes, count, parser->pdu) == 0) {
        return rejected;
    }
    *malformed = false;
    bool is_request = out->code >= 1 && out->code < NET_CODE(1, 0);
    if (out->type > MESSAGE_NON || !is_request) {
        return rejected; /* pings, and answers to questions that we never ask */
    }
    memcpy(out->token, bytes + HEADER_BYTES, out->token_bytes);
    read_options(parser, out);
    (void)coap_get_data(parser->pdu, &out->payload_bytes, &out->payload);
    return MESSAGE_REQUEST;
}

struct message *message_copy(const struct message *message)
{
    struct message *copy = malloc(sizeof *copy + message->payload_bytes);
    if (copy == NULL) {
        return NULL;
    }
    *copy = *message;
    for (unsigned i = 0; i < message->segments; i++) {
        copy->segment[i] = copy->path + (message->segment[i] - message->path);
    }
    copy->payload = (const uint8_t *)(copy + 1);
    if (message->payload_bytes > 0) {
        memcpy(copy + 1, message->payload, message->payload_bytes);
    }
    return copy;
}

/* --- Writing ------------------------------------------------------------------------------------- */

struct writer {
    uint8_t *at;
    uint8_t *end;
    unsigned previous; /* option number; they are written in ascending order */
    bool full;
};

static void put_option(struct writer *w, unsigned number, const uint8_t *value, size_t bytes)
{
    uint16_t delta = (uint16_t)(number - w->previous);
    size_t room = (size_t)(w->end - w->at);
    if (w->full || coap_opt_encode_size(delta, bytes) > room) {
        w->full = true;
        return;
    }
    w->at += coap_opt_encode(w->at, room, delta, value, bytes);
    w->previous = number;
}

static void put_uint(struct writer *w, unsigned number, int64_t value)
{
    if (value >= 0) {
        uint8_t bytes[OPTION_VALUE_MAX];
        unsigned count = coap_encode_var_safe(bytes, sizeof bytes, (unsigned)value);
        put_option(w, number, bytes, count);
    }
}

static void put_block(struct writer *w, unsigned number, const struct block *block)
{
    if (block != NULL) {
        put_uint(w, number, block_encode(block));
    }
}

static void put_payload(struct writer *w, const uint8_t *payload, size_t bytes)
{
    if (bytes == 0 || w->full || (size_t)(w->end - w->at) < bytes + 1) {
        w->full = w->full || bytes > 0;
        return;
    }
    *w->at++ = PAYLOAD_MARKER;
    memcpy(w->at, payload, bytes);
    w->at += bytes;
}

int message_write(uint8_t *out, size_t capacity, const struct message_reply *reply,
                  const struct net_response *response)
{
    if (capacity < HEADER_BYTES + reply->token_bytes) {
        return MYCEL_E_NO_MEMORY;
    }
    out[0] = (uint8_t)(0x40u | (unsigned)reply->type << 4 | reply->token_bytes);
    out[1] = response->code;
    out[2] = (uint8_t)(reply->mid >> 8);
    out[3] = (uint8_t)reply->mid;
    memcpy(out + HEADER_BYTES, reply->token, reply->token_bytes);
    struct writer w = {.at = out + HEADER_BYTES + reply->token_bytes, .end = out + capacity};
    if (reply->etag != NULL) {
        put_option(&w, COAP_OPTION_ETAG, reply->etag, NET_ETAG_BYTES);
    }
    put_uint(&w, COAP_OPTION_CONTENT_FORMAT, response->content_format);
    put_uint(&w, COAP_OPTION_MAXAGE, response->max_age_s);
    put_block(&w, COAP_OPTION_BLOCK2, reply->block2);
    put_block(&w, COAP_OPTION_BLOCK1, reply->block1);
    put_uint(&w, COAP_OPTION_SIZE2, reply->size2);
    put_uint(&w, COAP_OPTION_SIZE1, response->size1);
    put_payload(&w, reply->payload, reply->payload_bytes);
    return w.full ? MYCEL_E_NO_MEMORY : (int)(w.at - out);
}

int message_write_reset(uint8_t out[4], uint16_t mid)
{
    out[0] = 0x40u | MESSAGE_RST << 4;
    out[1] = 0;
    out[2] = (uint8_t)(mid >> 8);
    out[3] = (uint8_t)mid;
    return HEADER_BYTES;
}
