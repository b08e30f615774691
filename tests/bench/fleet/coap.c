/* Implementation of coap.h. */
#include "tests/bench/fleet/coap.h"

#include <string.h>

#include "common/assert.h"

enum option {
    OPTION_ETAG = 4,
    OPTION_URI_PATH = 11,
    OPTION_CONTENT_FORMAT = 12,
    OPTION_MAX_AGE = 14,
    OPTION_BLOCK2 = 23,
    OPTION_BLOCK1 = 27,
    OPTION_SIZE2 = 28,
    OPTION_SIZE1 = 60
};

#define HEADER_BYTES 4u
#define PAYLOAD_MARKER 0xFFu

/* ---- writing */

struct writer {
    uint8_t *out;
    size_t count;
    unsigned option; /* number of the last one */
};

/* An option of at most 268 bytes, whose number is at most 268 after the last one's (RFC 7252 §3.1). */
static void put_option(struct writer *w, unsigned number, const void *value, size_t bytes)
{
    unsigned delta = number - w->option;
    size_t needed = 3u + bytes;
    MYCEL_ASSERT(delta < 269 && bytes < 269 && w->count + needed <= COAP_MESSAGE_BYTES_MAX);
    unsigned high = delta < 13 ? delta : 13;
    unsigned low = bytes < 13 ? (unsigned)bytes : 13;
    w->out[w->count++] = (uint8_t)(high << 4 | low);
    if (high == 13) {
        w->out[w->count++] = (uint8_t)(delta - 13);
    }
    if (low == 13) {
        w->out[w->count++] = (uint8_t)(bytes - 13);
    }
    memcpy(w->out + w->count, value, bytes);
    w->count += bytes;
    w->option = number;
}

/* Big-endian without leading zeros; zero is an option without a value. */
static void put_number(struct writer *w, unsigned number, uint32_t value)
{
    uint8_t bytes[4];
    size_t count = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        if (count > 0 || value >> shift != 0) {
            bytes[count++] = (uint8_t)(value >> shift);
        }
    }
    put_option(w, number, bytes, count);
}

size_t coap_write(uint8_t out[COAP_MESSAGE_BYTES_MAX], uint16_t mid,
                  const uint8_t token[COAP_TOKEN_BYTES], const struct mycel_request *request)
{
    struct writer w = {.out = out, .count = HEADER_BYTES + COAP_TOKEN_BYTES};
    out[0] = (uint8_t)(0x40u | COAP_TOKEN_BYTES);
    out[1] = (uint8_t)request->method;
    out[2] = (uint8_t)(mid >> 8);
    out[3] = (uint8_t)mid;
    memcpy(out + HEADER_BYTES, token, COAP_TOKEN_BYTES);
    for (unsigned i = 0; i < 2 && request->path[i] != NULL; i++) {
        put_option(&w, OPTION_URI_PATH, request->path[i], strlen(request->path[i]));
    }
    if (request->content_format != MYCEL_FORMAT_NONE) {
        put_number(&w, OPTION_CONTENT_FORMAT, request->content_format);
    }
    uint32_t block =
        request->block.number << 4 | (request->block.more ? 8u : 0u) | request->block.szx;
    if (request->block.kind == MYCEL_BLOCK_2) {
        put_number(&w, OPTION_BLOCK2, block);
    } else if (request->block.kind == MYCEL_BLOCK_1) {
        put_number(&w, OPTION_BLOCK1, block);
    }
    if (request->size1 != 0) {
        put_number(&w, OPTION_SIZE1, request->size1);
    }
    if (request->payload_bytes > 0) {
        MYCEL_ASSERT(w.count + 1u + request->payload_bytes <= COAP_MESSAGE_BYTES_MAX);
        out[w.count++] = PAYLOAD_MARKER;
        memcpy(out + w.count, request->payload, request->payload_bytes);
        w.count += request->payload_bytes;
    }
    return w.count;
}

/* ---- reading */

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool broken;
};

/* The extension of an option's nibble. */
static unsigned take_extended(struct reader *r, unsigned nibble)
{
    unsigned bytes = nibble == 13 ? 1 : nibble == 14 ? 2 : 0;
    if (nibble == 15 || (size_t)(r->end - r->at) < bytes) {
        r->broken = true;
        return 0;
    }
    unsigned value = nibble;
    if (bytes == 1) {
        value = 13u + r->at[0];
    } else if (bytes == 2) {
        value = 269u + (unsigned)(r->at[0] << 8) + r->at[1];
    }
    r->at += bytes;
    return value;
}

static struct mycel_block block_of(enum mycel_block_kind kind, uint32_t value)
{
    return (struct mycel_block){
        .kind = kind, .number = value >> 4, .szx = value & 7u, .more = (value & 8u) != 0};
}

static void take_option(struct mycel_response *response, unsigned number, const uint8_t *value,
                        size_t bytes)
{
    uint32_t word = 0;
    for (size_t i = 0; i < bytes && i < 4; i++) {
        word = word << 8 | value[i];
    }
    switch (number) {
    case OPTION_ETAG:
        response->etag_bytes = (uint8_t)(bytes <= MYCEL_ETAG_BYTES_MAX ? bytes : 0);
        memcpy(response->etag, value, response->etag_bytes);
        break;
    case OPTION_CONTENT_FORMAT:
        response->content_format = (uint16_t)word;
        break;
    case OPTION_MAX_AGE:
        response->max_age_s = word;
        break;
    case OPTION_BLOCK2:
        response->block = block_of(MYCEL_BLOCK_2, word);
        break;
    case OPTION_BLOCK1:
        response->block = block_of(MYCEL_BLOCK_1, word);
        break;
    case OPTION_SIZE2:
        response->size2 = word;
        break;
    default:
        break;
    }
}

bool coap_read(const uint8_t *bytes, size_t count, uint8_t token[COAP_TOKEN_BYTES],
               struct mycel_response *response)
{
    *response = (struct mycel_response){.content_format = MYCEL_FORMAT_NONE};
    if (count < HEADER_BYTES + COAP_TOKEN_BYTES || bytes[0] >> 6 != 1 ||
        (bytes[0] & 15u) != COAP_TOKEN_BYTES || bytes[1] < 0x40) {
        return false;
    }
    response->code = bytes[1];
    memcpy(token, bytes + HEADER_BYTES, COAP_TOKEN_BYTES);
    struct reader r = {.at = bytes + HEADER_BYTES + COAP_TOKEN_BYTES, .end = bytes + count};
    unsigned number = 0;
    while (r.at < r.end && *r.at != PAYLOAD_MARKER) {
        unsigned head = *r.at++;
        number += take_extended(&r, head >> 4);
        size_t length = take_extended(&r, head & 15u);
        if (r.broken || (size_t)(r.end - r.at) < length) {
            return false;
        }
        take_option(response, number, r.at, length);
        r.at += length;
    }
    if (r.at < r.end) {
        response->payload = r.at + 1;
        response->payload_bytes = (size_t)(r.end - r.at) - 1u;
    }
    return true;
}
