/* Implementation of coap_message.h. */
#include "client/port/linux/coap_message.h"

#include <string.h>

#define HEADER_BYTES 4u

/* ---- reading */

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

bool coap_message_read(const coap_pdu_t *pdu, struct mycel_response *response,
                       uint8_t payload[COAP_MESSAGE_PAYLOAD_BYTES_MAX])
{
    size_t bytes = 0;
    const uint8_t *data = NULL;
    (void)coap_get_data(pdu, &bytes, &data);
    if (bytes > COAP_MESSAGE_PAYLOAD_BYTES_MAX) {
        return false;
    }
    *response = (struct mycel_response){.code = (uint8_t)coap_pdu_get_code(pdu),
                                        .content_format = MYCEL_FORMAT_NONE,
                                        .payload = payload,
                                        .payload_bytes = bytes};
    if (bytes > 0) {
        memcpy(payload, data, bytes);
    }
    coap_opt_iterator_t iterator;
    coap_option_iterator_init(pdu, &iterator, COAP_OPT_ALL);
    for (coap_opt_t *option; (option = coap_option_next(&iterator)) != NULL;) {
        read_option(response, iterator.number, option);
    }
    return true;
}

size_t coap_message_bytes(const coap_pdu_t *pdu)
{
    size_t bytes = 0;
    const uint8_t *data = NULL;
    size_t total = HEADER_BYTES + coap_pdu_get_token(pdu).length;
    if (coap_get_data(pdu, &bytes, &data) && bytes > 0) {
        total += 1u + bytes; /* payload marker */
    }
    coap_opt_iterator_t iterator;
    coap_option_iterator_init(pdu, &iterator, COAP_OPT_ALL);
    for (coap_opt_t *option; (option = coap_option_next(&iterator)) != NULL;) {
        total += coap_opt_size(option);
    }
    return total;
}

/* ---- writing */

/* Adds one option with an integer value; false when there is no room. */
static bool add_integer(coap_pdu_t *pdu, coap_option_num_t number, uint32_t value)
{
    uint8_t bytes[4];
    unsigned length = coap_encode_var_safe(bytes, sizeof bytes, value);
    return coap_add_option(pdu, number, length, bytes) != 0;
}

/* Options in ascending order of number, as libcoap wants them. */
static bool add_options(coap_pdu_t *pdu, const struct mycel_request *q)
{
    for (unsigned i = 0; i < 2 && q->path[i] != NULL; i++) {
        size_t length = strlen(q->path[i]);
        if (!coap_add_option(pdu, COAP_OPTION_URI_PATH, length, (const uint8_t *)q->path[i])) {
            return false;
        }
    }
    if (q->content_format != MYCEL_FORMAT_NONE &&
        !add_integer(pdu, COAP_OPTION_CONTENT_FORMAT, q->content_format)) {
        return false;
    }
    uint32_t block = q->block.number << 4 | (q->block.more ? 8u : 0u) | q->block.szx;
    if (q->block.kind == MYCEL_BLOCK_2 && !add_integer(pdu, COAP_OPTION_BLOCK2, block)) {
        return false;
    }
    if (q->block.kind == MYCEL_BLOCK_1 && !add_integer(pdu, COAP_OPTION_BLOCK1, block)) {
        return false;
    }
    return q->size1 == 0 || add_integer(pdu, COAP_OPTION_SIZE1, q->size1);
}

bool coap_message_write(coap_pdu_t *pdu, const struct mycel_request *request)
{
    return add_options(pdu, request) &&
           (request->payload_bytes == 0 ||
            coap_add_data(pdu, request->payload_bytes, request->payload));
}
