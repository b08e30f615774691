/* Implementation of coap_message.h. */
#include "tests/unit/server/net/coap_message.h"

#include <string.h>

void write_begin(struct writer *w, unsigned type, unsigned code, unsigned mid, const char *token)
{
    size_t bytes = strlen(token);
    memset(w, 0, sizeof *w);
    w->bytes[0] = (uint8_t)(0x40u | type << 4 | bytes);
    w->bytes[1] = (uint8_t)code;
    w->bytes[2] = (uint8_t)(mid >> 8);
    w->bytes[3] = (uint8_t)mid;
    memcpy(w->bytes + 4, token, bytes);
    w->count = 4 + bytes;
}

/* The nibble and the extension bytes of RFC 7252 §3.1. */
static unsigned nibble(unsigned value)
{
    return value < 13 ? value : value < 269 ? 13 : 14;
}

static void extend(struct writer *w, unsigned value)
{
    if (value >= 269) {
        w->bytes[w->count++] = (uint8_t)((value - 269) >> 8);
        w->bytes[w->count++] = (uint8_t)(value - 269);
    } else if (value >= 13) {
        w->bytes[w->count++] = (uint8_t)(value - 13);
    }
}

void write_option(struct writer *w, unsigned number, const void *value, size_t bytes)
{
    unsigned delta = number - w->option;
    w->bytes[w->count++] = (uint8_t)(nibble(delta) << 4 | nibble((unsigned)bytes));
    extend(w, delta);
    extend(w, (unsigned)bytes);
    memcpy(w->bytes + w->count, value, bytes);
    w->count += bytes;
    w->option = number;
}

void write_uint(struct writer *w, unsigned number, uint32_t value)
{
    uint8_t bytes[4];
    size_t count = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        if (count > 0 || value >> shift != 0) {
            bytes[count++] = (uint8_t)(value >> shift);
        }
    }
    write_option(w, number, bytes, count);
}

void write_path(struct writer *w, const char *path)
{
    while (*path != '\0') {
        size_t bytes = strcspn(path, "/");
        write_option(w, 11, path, bytes);
        path += bytes + (path[bytes] == '/');
    }
}

void write_payload(struct writer *w, const void *bytes, size_t count)
{
    if (count > 0) {
        w->bytes[w->count++] = 0xFF;
        memcpy(w->bytes + w->count, bytes, count);
        w->count += count;
    }
}

static unsigned read_extension(const uint8_t *bytes, size_t count, size_t *at, unsigned value)
{
    assert_true(value != 15);
    if (value == 13) {
        assert_true(*at < count);
        value = 13u + bytes[(*at)++];
    } else if (value == 14) {
        assert_true(*at + 1 < count);
        value = 269u + (unsigned)(bytes[*at] << 8) + bytes[*at + 1];
        *at += 2;
    }
    return value;
}

static void read_option(struct reply *out, unsigned number, const uint8_t *value, size_t bytes)
{
    int64_t number_value = 0;
    for (size_t i = 0; i < bytes && i < 4; i++) {
        number_value = number_value << 8 | value[i];
    }
    switch (number) {
    case 4:
        assert_true(bytes <= sizeof out->etag);
        out->etag_bytes = bytes;
        memcpy(out->etag, value, bytes);
        break;
    case 12:
        out->content_format = number_value;
        break;
    case 14:
        out->max_age = number_value;
        break;
    case 23:
        out->block2 = number_value;
        break;
    case 27:
        out->block1 = number_value;
        break;
    case 28:
        out->size2 = number_value;
        break;
    case 60:
        out->size1 = number_value;
        break;
    default:
        fail_msg("option %u was not expected", number);
    }
}

void reply_read(struct reply *out, const uint8_t *bytes, size_t count)
{
    memset(out, 0, sizeof *out);
    out->content_format = out->max_age = out->block1 = out->block2 = -1;
    out->size1 = out->size2 = -1;
    assert_true(count >= 4 && bytes[0] >> 6 == 1);
    out->type = bytes[0] >> 4 & 3;
    out->code = bytes[1];
    out->mid = (unsigned)(bytes[2] << 8 | bytes[3]);
    size_t token = bytes[0] & 15;
    assert_true(token <= 8 && count >= 4 + token);
    memcpy(out->token, bytes + 4, token);
    size_t at = 4 + token;
    unsigned number = 0;
    while (at < count && bytes[at] != 0xFF) {
        unsigned head = bytes[at++];
        number += read_extension(bytes, count, &at, head >> 4);
        unsigned length = read_extension(bytes, count, &at, head & 15);
        assert_true(at + length <= count);
        read_option(out, number, bytes + at, length);
        at += length;
    }
    if (at < count) {
        out->payload_bytes = count - at - 1;
        assert_true(out->payload_bytes > 0);
        memcpy(out->payload, bytes + at + 1, out->payload_bytes);
    }
}

bool reply_wait(struct client *c, struct reply *out, unsigned ms)
{
    uint8_t bytes[DATAGRAM_BYTES];
    size_t count = client_receive(c, bytes, sizeof bytes, ms);
    if (count > 0) {
        reply_read(out, bytes, count);
    }
    return count > 0;
}

void ask(struct client *c, const struct writer *w, struct reply *out)
{
    client_send(c, w->bytes, w->count);
    assert_true(reply_wait(c, out, WAIT_MS));
    if ((w->bytes[0] >> 4 & 3) == CON) {
        assert_int_equal(out->type, ACK);
        assert_int_equal(out->mid, w->bytes[2] << 8 | w->bytes[3]);
    }
    assert_memory_equal(out->token, w->bytes + 4, w->bytes[0] & 15);
}

void ask_simple(struct client *c, unsigned method, const char *path, struct reply *out)
{
    struct writer w;
    write_begin(&w, CON, method, ++c->mid, "tk");
    write_path(&w, path);
    ask(c, &w, out);
}
