/*
 * CoAP messages (RFC 7252 §3, §5.4): from bytes to a struct and back. Parsing is libcoap's, the wire
 * header of what we send is written here. Pure, apart from the parser's own buffer.
 */
#ifndef MYCEL_SERVER_NET_MESSAGE_H
#define MYCEL_SERVER_NET_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/net/block.h"
#include "server/net/net.h"

#define MESSAGE_TOKEN_BYTES_MAX 8u

enum message_type { MESSAGE_CON = 0, MESSAGE_NON = 1, MESSAGE_ACK = 2, MESSAGE_RST = 3 };

/* What a message asks of us. */
enum message_verdict {
    MESSAGE_REQUEST, /* *out is filled; `refuse` may name a reason not to serve it */
    MESSAGE_IGNORE,  /* nothing to do: acknowledgements, resets, what a NON may not provoke */
    MESSAGE_RESET    /* a ping, or a confirmable message that cannot be served: answer with Reset */
};

struct message {
    uint8_t type; /* MESSAGE_CON or MESSAGE_NON */
    uint8_t code;
    uint16_t mid;
    uint8_t token_bytes;
    uint8_t token[MESSAGE_TOKEN_BYTES_MAX];
    uint8_t refuse; /* 0, or the code that the options earn: 4.02, 4.04, 5.05 */
    uint8_t segments;
    uint8_t path_bytes; /* of all segments, each with its NUL */
    uint8_t etag_bytes;
    uint8_t etag[NET_ETAG_BYTES]; /* the first of a conditional request */
    char path[NET_PATH_BYTES_MAX];
    const char *segment[NET_SEGMENTS_MAX]; /* into `path` */
    int32_t content_format;                /* -1: none, as all below */
    int32_t accept;
    int64_t block1;
    int64_t block2;
    int64_t size1;
    const uint8_t *payload; /* valid until the next message is parsed */
    size_t payload_bytes;
};

/* The options of an answer beside those in net_response. */
struct message_reply {
    uint8_t type; /* MESSAGE_ACK or MESSAGE_NON */
    uint16_t mid;
    uint8_t token_bytes;
    const uint8_t *token;
    const uint8_t *etag;        /* NET_ETAG_BYTES, or NULL */
    const struct block *block1; /* or NULL */
    const struct block *block2; /* or NULL */
    int64_t size2;              /* -1: none */
    const uint8_t *payload;     /* instead of the response's */
    size_t payload_bytes;
};

struct message_parser;

/* NULL when there is no memory. */
struct message_parser *message_parser_new(void);
void message_parser_free(struct message_parser *parser);

/* Reads one message. Any bytes are allowed; *malformed says whether they were CoAP at all. `out` has
 * the message id whenever the verdict is RESET. */
enum message_verdict message_parse(struct message_parser *parser, const uint8_t *bytes,
                                   size_t count, struct message *out, bool *malformed);

/* A message that stays valid, from malloc; NULL when there is no memory. */
struct message *message_copy(const struct message *message);

/* Writes an answer. Returns its length, or NO_MEMORY when it does not fit in `capacity`. */
int message_write(uint8_t *out, size_t capacity, const struct message_reply *reply,
                  const struct net_response *response);

/* Writes the Reset of message `mid`; returns its length, always 4. */
int message_write_reset(uint8_t out[4], uint16_t mid);

#endif
