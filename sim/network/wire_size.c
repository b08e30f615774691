/* See wire_size.h. */
#include "sim/network/wire_size.h"

#include <string.h>

#define IPV6_UDP_BYTES 48u
/* Record header 13, connection id 8, explicit nonce 8, inner content type 1, CCM-8's tag 8. */
#define RECORD_BYTES 38u
#define COAP_HEADER_BYTES 4u
#define COAP_TOKEN_BYTES 4u
#define COAP_MARKER_BYTES 1u

/* Option numbers of RFC 7252 §12.2 and RFC 7959 §6; ascending, as the deltas need it. */
enum { OPTION_ETAG = 4, OPTION_URI_PATH = 11, OPTION_FORMAT = 12, OPTION_MAX_AGE = 14 };
enum { OPTION_BLOCK2 = 23, OPTION_BLOCK1 = 27, OPTION_SIZE2 = 28, OPTION_SIZE1 = 60 };

const uint16_t wire_handshake_up[WIRE_HANDSHAKE_FLIGHTS] = {165, 197, 226};
const uint16_t wire_handshake_down[WIRE_HANDSHAKE_FLIGHTS] = {108, 198, 122};

struct options {
    uint32_t last;
    uint32_t bytes;
};

static uint32_t extension_bytes(uint32_t value)
{
    return value < 13u ? 0u : value < 269u ? 1u : 2u;
}

static void add_option(struct options *options, uint32_t number, uint32_t length)
{
    options->bytes +=
        1u + extension_bytes(number - options->last) + extension_bytes(length) + length;
    options->last = number;
}

/* Bytes of an unsigned option value: leading zeros are left out. */
static uint32_t uint_bytes(uint32_t value)
{
    return value == 0           ? 0u
           : value < 0x100u     ? 1u
           : value < 0x10000u   ? 2u
           : value < 0x1000000u ? 3u
                                : 4u;
}

static uint32_t block_value(const struct mycel_block *block)
{
    return block->number << 4 | (uint32_t)block->more << 3 | block->szx;
}

static uint32_t datagram(const struct options *options, size_t payload_bytes)
{
    uint32_t bytes = IPV6_UDP_BYTES + RECORD_BYTES + COAP_HEADER_BYTES + COAP_TOKEN_BYTES;
    bytes += options->bytes;
    return bytes + (payload_bytes > 0 ? COAP_MARKER_BYTES + (uint32_t)payload_bytes : 0);
}

uint32_t wire_request_bytes(const struct mycel_request *request)
{
    struct options options = {0};
    for (unsigned i = 0; i < 2 && request->path[i] != NULL; i++) {
        add_option(&options, OPTION_URI_PATH, (uint32_t)strlen(request->path[i]));
    }
    if (request->content_format != MYCEL_FORMAT_NONE) {
        add_option(&options, OPTION_FORMAT, uint_bytes(request->content_format));
    }
    if (request->block.kind != MYCEL_BLOCK_NONE) {
        add_option(&options, request->block.kind == MYCEL_BLOCK_1 ? OPTION_BLOCK1 : OPTION_BLOCK2,
                   uint_bytes(block_value(&request->block)));
    }
    if (request->size1 > 0) {
        add_option(&options, OPTION_SIZE1, uint_bytes(request->size1));
    }
    return datagram(&options, request->payload_bytes);
}

uint32_t wire_response_bytes(const struct mycel_response *response)
{
    struct options options = {0};
    if (response->etag_bytes > 0) {
        add_option(&options, OPTION_ETAG, response->etag_bytes);
    }
    if (response->content_format != MYCEL_FORMAT_NONE) {
        add_option(&options, OPTION_FORMAT, uint_bytes(response->content_format));
    }
    if (response->max_age_s > 0) {
        add_option(&options, OPTION_MAX_AGE, uint_bytes(response->max_age_s));
    }
    if (response->block.kind != MYCEL_BLOCK_NONE) {
        add_option(&options, response->block.kind == MYCEL_BLOCK_1 ? OPTION_BLOCK1 : OPTION_BLOCK2,
                   uint_bytes(block_value(&response->block)));
    }
    if (response->size2 > 0) {
        add_option(&options, OPTION_SIZE2, uint_bytes(response->size2));
    }
    return datagram(&options, response->payload_bytes);
}
