/*
 * CoAP messages for tests, written and read by code that shares nothing with the endpoint's.
 */
#ifndef MYCEL_TESTS_UNIT_SERVER_NET_COAP_MESSAGE_H
#define MYCEL_TESTS_UNIT_SERVER_NET_COAP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/server/net/fixture.h"

enum { CON = 0, NON = 1, ACK = 2, RST = 3 };

/* A message being written. Options have to be added in ascending order. */
struct writer {
    uint8_t bytes[1500];
    size_t count;
    unsigned option;
};

void write_begin(struct writer *w, unsigned type, unsigned code, unsigned mid, const char *token);
void write_option(struct writer *w, unsigned number, const void *value, size_t bytes);
void write_uint(struct writer *w, unsigned number, uint32_t value);
void write_path(struct writer *w, const char *path); /* "u/key" */
void write_payload(struct writer *w, const void *bytes, size_t count);

/* A message that was read; options that matter, -1 for those that are missing. */
struct reply {
    unsigned type;
    unsigned code; /* as NET_CODE */
    unsigned mid;
    char token[9];
    int64_t content_format;
    int64_t max_age;
    int64_t block1;
    int64_t block2;
    int64_t size1;
    int64_t size2;
    size_t etag_bytes;
    uint8_t etag[8];
    size_t payload_bytes;
    uint8_t payload[1500];
};

/* Fails the test when the bytes are not a message. */
void reply_read(struct reply *out, const uint8_t *bytes, size_t count);

/* The next message; false when none comes within `ms`. */
bool reply_wait(struct client *c, struct reply *out, unsigned ms);

/* Sends and expects an answer with the same message id. */
void ask(struct client *c, const struct writer *w, struct reply *out);

/* A confirmable request without payload and its answer. */
void ask_simple(struct client *c, unsigned method, const char *path, struct reply *out);

#define assert_code(reply, class, detail) assert_int_equal((reply)->code, NET_CODE(class, detail))

#endif
