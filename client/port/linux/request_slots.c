/* Requests in flight: a token has the slot in its top byte and the generation below. */
#include "client/port/linux/request_slots.h"

#include <string.h>

#define TIMEOUT_MS 2000u   /* of a request without one: ACK_TIMEOUT of RFC 7252 §4.8 */
#define TIMEOUT_MIN_MS 50u /* whatever is asked */
#define TIMEOUT_GROWTH_MAX 2u

/* Copies what has to be repeated. False: it does not fit. */
static bool keep(struct request_slot *slot, const struct mycel_request *q)
{
    if (q->payload_bytes > sizeof slot->body) {
        return false;
    }
    slot->request = *q;
    for (unsigned i = 0; i < 2 && q->path[i] != NULL; i++) {
        size_t bytes = strlen(q->path[i]) + 1u;
        if (bytes > sizeof slot->path[i]) {
            return false;
        }
        memcpy(slot->path[i], q->path[i], bytes);
        slot->request.path[i] = slot->path[i];
    }
    if (q->payload_bytes > 0) {
        memcpy(slot->body, q->payload, q->payload_bytes);
    }
    slot->request.payload = slot->body;
    return true;
}

struct request_slot *request_slots_take(struct request_slots *all, unsigned index,
                                        const struct mycel_request *q)
{
    struct request_slot *slot = &all->slots[index];
    if (!keep(slot, q)) {
        return NULL;
    }
    uint32_t timeout_ms = q->timeout_ms > 0 ? q->timeout_ms : TIMEOUT_MS;
    slot->request.timeout_ms = timeout_ms > TIMEOUT_MIN_MS ? timeout_ms : TIMEOUT_MIN_MS;
    slot->generation = ++all->generation;
    slot->repeats = 0;
    slot->wait_ms = 0;
    slot->answered = false;
    slot->busy = true;
    return slot;
}

void request_slots_clear(struct request_slots *all)
{
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        all->slots[i].busy = false;
    }
}

void request_slots_token(const struct request_slots *all, const struct request_slot *slot,
                         uint8_t token[REQUEST_TOKEN_BYTES])
{
    token[0] = (uint8_t)(slot - all->slots);
    token[1] = (uint8_t)(slot->generation >> 16);
    token[2] = (uint8_t)(slot->generation >> 8);
    token[3] = (uint8_t)slot->generation;
}

struct request_slot *request_slots_of_token(struct request_slots *all, const uint8_t *token,
                                            size_t bytes)
{
    if (bytes != REQUEST_TOKEN_BYTES || token[0] >= MYCEL_REQUEST_SLOTS) {
        return NULL;
    }
    struct request_slot *slot = &all->slots[token[0]];
    uint8_t expected[REQUEST_TOKEN_BYTES];
    request_slots_token(all, slot, expected);
    bool is_it = request_slot_waits(slot) && memcmp(expected, token, REQUEST_TOKEN_BYTES) == 0;
    return is_it ? slot : NULL;
}

bool request_slot_waits(const struct request_slot *slot)
{
    return slot->busy && !slot->answered;
}

void request_slot_schedule(struct request_slot *slot, uint64_t now_ms, uint8_t chance)
{
    uint32_t least = slot->request.timeout_ms;
    slot->sent_ms = now_ms;
    slot->wait_ms = slot->wait_ms == 0 ? least : slot->wait_ms + slot->wait_ms / 2u;
    if (slot->wait_ms > least * TIMEOUT_GROWTH_MAX) {
        slot->wait_ms = least * TIMEOUT_GROWTH_MAX;
    }
    slot->due_ms = now_ms + slot->wait_ms + slot->wait_ms * chance / 1024u;
}

void request_slot_count_repeat(struct request_slot *slot)
{
    slot->repeats = slot->repeats < UINT8_MAX ? (uint8_t)(slot->repeats + 1u) : UINT8_MAX;
}

void request_slots_answer(struct request_slots *all, struct request_slot *slot, uint64_t now_ms)
{
    uint64_t ms = slot->wait_ms > 0 ? now_ms - slot->sent_ms : 0;
    slot->response.slot = (uint8_t)(slot - all->slots);
    slot->response.repeats = slot->repeats;
    slot->response.since_ms = (uint16_t)(ms < UINT16_MAX ? ms : UINT16_MAX);
    slot->answered = true;
}

uint64_t request_slots_due_ms(const struct request_slots *all)
{
    uint64_t due_ms = UINT64_MAX;
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        const struct request_slot *slot = &all->slots[i];
        if (request_slot_waits(slot) && slot->wait_ms > 0 && slot->due_ms < due_ms) {
            due_ms = slot->due_ms;
        }
    }
    return due_ms;
}

bool request_slots_take_answer(struct request_slots *all, struct mycel_response *response)
{
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        if (all->slots[i].busy && all->slots[i].answered) {
            all->slots[i].busy = false;
            *response = all->slots[i].response;
            return true;
        }
    }
    return false;
}
