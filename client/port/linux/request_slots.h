/*
 * The requests in flight: a copy of each, to be repeated for as long as nobody has answered, when that is
 * due, and the answer until the client takes it. It owns the bytes and the pace; it never sends, and knows
 * neither sockets nor libcoap.
 */
#ifndef MYCEL_CLIENT_PORT_LINUX_REQUEST_SLOTS_H
#define MYCEL_CLIENT_PORT_LINUX_REQUEST_SLOTS_H

#include <mycel/port.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/port/linux/coap_message.h"
#include "proto/limits.h"

#define REQUEST_TOKEN_BYTES 4u
#define REQUEST_SEGMENT_BYTES_MAX 48u

struct request_slot {
    bool busy;
    bool answered;
    uint8_t repeats;
    uint16_t mid;
    uint32_t generation; /* in the token: an answer to an older request is not mistaken */
    uint32_t wait_ms;    /* until the next repetition, and when that is; 0: not sent yet */
    uint64_t due_ms;
    uint64_t sent_ms;             /* the latest time */
    struct mycel_request request; /* points to the copies below */
    char path[2][REQUEST_SEGMENT_BYTES_MAX];
    uint8_t body[PROTO_BLOCK_BYTES_MAX];
    struct mycel_response response;
    uint8_t payload[COAP_MESSAGE_PAYLOAD_BYTES_MAX];
};

struct request_slots {
    uint32_t generation; /* of the latest request in any slot */
    struct request_slot slots[MYCEL_REQUEST_SLOTS];
};

/* Copies a request into its slot, not sent yet. NULL: larger than any request of the client is. */
struct request_slot *request_slots_take(struct request_slots *all, unsigned index,
                                        const struct mycel_request *q);

/* Every slot is free; answers that nobody has taken are dropped. */
void request_slots_clear(struct request_slots *all);

/* Names slot and generation. */
void request_slots_token(const struct request_slots *all, const struct request_slot *slot,
                         uint8_t token[REQUEST_TOKEN_BYTES]);

/* The slot of a token, if it waits for an answer. NULL: none does. */
struct request_slot *request_slots_of_token(struct request_slots *all, const uint8_t *token,
                                            size_t bytes);

/* Has the request been sent, and nobody answered? */
bool request_slot_waits(const struct request_slot *slot);

/* It was sent now: sets when it is repeated. The pauses grow by half, up to a limit, and are up to a
 * quarter longer by chance (0 … 255): devices that were cut off together do not come back together. */
void request_slot_schedule(struct request_slot *slot, uint64_t now_ms, uint8_t chance);

/* It is repeated once more. */
void request_slot_count_repeat(struct request_slot *slot);

/* The response in the slot is complete: says whose it is and how long it took. */
void request_slots_answer(struct request_slots *all, struct request_slot *slot, uint64_t now_ms);

/* When the next repetition is due; UINT64_MAX: none is. */
uint64_t request_slots_due_ms(const struct request_slots *all);

/* An answer, whose slot is free from now on; its bytes stay until the slot is taken again. False: none. */
bool request_slots_take_answer(struct request_slots *all, struct mycel_response *response);

#endif
