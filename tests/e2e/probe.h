/*
 * A device that a test drives by hand: one request, one answer, over the real DTLS transport. For
 * saying things that no honest client would say.
 */
#ifndef MYCEL_TESTS_E2E_PROBE_H
#define MYCEL_TESTS_E2E_PROBE_H

#include "harness.h"
#include "proto/wire.h"

#include <mycel/port.h>

#define PROBE_ANSWER_BYTES_MAX 1280
#define PROBE_WAIT_MS 15000

struct coap_transport;

struct probe {
    struct coap_transport *transport;
};

struct probe_answer {
    int code; /* class × 100 + detail, e.g. 204; 0: nobody answered */
    uint16_t format;
    struct mycel_block block;
    uint32_t size2;
    uint8_t payload[PROBE_ANSWER_BYTES_MAX];
    size_t bytes;
};

/* Connects as that device, with its key. */
void probe_open(struct probe *probe, const struct world *world, unsigned index);

/* With any identity and key (16 bytes). */
void probe_open_as(struct probe *probe, uint16_t port, const char *identity, const uint8_t key[16]);

void probe_close(struct probe *probe);

/* Sends and waits up to `wait_ms` for the answer. */
struct probe_answer probe_ask(struct probe *probe, const struct mycel_request *request,
                              unsigned wait_ms);

/* POST /c. False: the answer was not 2.04. */
bool probe_check_in(struct probe *probe, const mycel_CheckIn *check_in, mycel_CheckInReply *reply);

/* The same for a device with f32 updates; repeats on a window until a lease comes. Fails the test when none does. */
mycel_Lease probe_lease(struct probe *probe, uint32_t samples);

/* PUT of one block of a body. Asks again on 5.03, as a device does. */
struct probe_answer probe_put(struct probe *probe, const uint8_t key[PROTO_KEY_BYTES],
                              const uint8_t *body, size_t bytes, uint32_t number);

/* All blocks in order; the answer to the last. */
struct probe_answer probe_upload(struct probe *probe, const uint8_t key[PROTO_KEY_BYTES],
                                 const uint8_t *body, size_t bytes);

/* A valid f32 body for a lease: every parameter moves by `step`. Returns its bytes. */
size_t probe_body(const mycel_Lease *lease, uint32_t samples, float step, uint8_t *body,
                  size_t capacity);

/* The receipt in an answer; fails the test if there is none. */
mycel_Receipt probe_receipt(const struct probe_answer *answer);

/* The reason code of a Problem in an answer; 1 if it holds none. */
int probe_reason(const struct probe_answer *answer);

#endif
