/*
 * The client's transport over libcoap: one DTLS session with a pre-shared key or a certificate and a
 * connection id, requests block by block (block mode 0), repeated until an answer comes. It owns the libcoap context
 * and the session; it must never block, and never decide when to give a session up: that is the client's.
 *
 * One per process: libcoap keeps state of its own behind coap_startup().
 */
#ifndef MYCEL_CLIENT_PORT_LINUX_COAP_TRANSPORT_H
#define MYCEL_CLIENT_PORT_LINUX_COAP_TRANSPORT_H

#include <mycel/port.h>

struct coap_transport;

struct device_certificate;

struct coap_transport_config {
    const char *coordinator; /* "HOST", "HOST:PORT" or "[v6]:PORT"; default port 5684 */
    const char *identity;    /* PSK identity, 1 … 64 printable characters */
    const uint8_t *key;      /* copied */
    size_t key_bytes;

    struct device_certificate *certificate; /* instead of the last three; kept by pointer */
    void (*refused)(void *user,
                    const char *why); /* the coordinator's certificate was; may be NULL */
    void *user;
};

/* Bytes of CoAP messages, repetitions included, without DTLS, UDP and IP headers. */
struct coap_transport_bytes {
    uint64_t sent;
    uint64_t received;
};

extern const struct mycel_transport coap_transport_table;

/* Resolves the name once (this may block) and prepares; sends nothing yet. *out is the table's ctx.
 * 0; MYCEL_E_INVALID (address), MYCEL_E_UNREACHABLE (name not found), MYCEL_E_NO_MEMORY. */
int coap_transport_open(struct coap_transport **out, const struct coap_transport_config *config);

/* Later sessions are begun with this key (PROTO_PSK_BYTES … PROTO_PSK_BYTES_MAX bytes, copied). */
void coap_transport_set_key(struct coap_transport *transport, const uint8_t *key, size_t key_bytes);

/* A descriptor that is readable when poll() should be called: input, or a timer of libcoap's. */
int coap_transport_fd(const struct coap_transport *transport);

struct coap_transport_bytes coap_transport_bytes(const struct coap_transport *transport);

/* Says goodbye to the peer and frees everything; NULL is harmless. */
void coap_transport_close(struct coap_transport *transport);

#endif
