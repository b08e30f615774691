/* The engine's answers as the messages that ship (server/desk), on their way back. */
#include "sim/coordinator/internal.h"
#include "sim/world/watch.h"

#include <string.h>

#define BUSY_MAX_AGE_S 1u

static struct trip *trip_of(struct coordinator *c, uint32_t id)
{
    return trip_at(&c->world->trips, id);
}

uint64_t answer_tag(struct coordinator *c, uint32_t trip)
{
    return (uint64_t)trip_of(c, trip)->use << 32 | trip;
}

/* The answer repeats the request's Block1 (RFC 7959 §2.3). */
static void start_response(struct trip *t, uint8_t code)
{
    t->response =
        (struct mycel_response){.slot = t->slot, .code = code, .content_format = MYCEL_FORMAT_NONE};
    if (t->request.block.kind == MYCEL_BLOCK_1) {
        t->response.block = t->request.block;
    }
}

void answer_message(struct coordinator *c, uint32_t trip, uint8_t code, uint16_t format,
                    const uint8_t *payload, int bytes)
{
    struct trip *t = trip_of(c, trip);
    start_response(t, code);
    if (bytes > 0) {
        memcpy(t->reply, payload, (size_t)bytes);
        t->response.payload = t->reply;
        t->response.payload_bytes = (size_t)bytes;
        t->response.content_format = format;
    }
    trip_answer(c->world, trip);
}

void answer_busy(struct coordinator *c, uint32_t trip)
{
    struct trip *t = trip_of(c, trip);
    start_response(t, PROTO_CODE(5, 3));
    t->response.max_age_s = BUSY_MAX_AGE_S;
    trip_answer(c->world, trip);
}

void answer_problem(struct coordinator *c, uint32_t trip,
                    const struct engine_action_problem *problem)
{
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    int bytes =
        desk_write_problem(problem->status, NULL, &problem->window, payload, sizeof payload);
    if (problem->status == MYCEL_E_BUSY) {
        trip_of(c, trip)->response.max_age_s = BUSY_MAX_AGE_S;
    }
    answer_message(c, trip, desk_problem_code(problem->status), PROTO_FORMAT_PROBLEM, payload,
                   bytes);
}

void answer_receipt(struct coordinator *c, uint32_t trip, uint8_t code,
                    const struct engine_receipt *receipt)
{
    if (c->world->watch != NULL) {
        c->world->watch->told_receipt(c->world->watch->user, c->world, receipt);
    }
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    int bytes = desk_write_receipt(receipt, payload, sizeof payload);
    answer_message(c, trip, code, PROTO_FORMAT_RECEIPT, payload, bytes);
}

void answer_lookup(struct coordinator *c, uint32_t trip, uint8_t code,
                   const struct engine_action_lookup *lookup)
{
    const struct engine_receipt *receipt = ledger_receipt(&c->ledger, lookup->device, lookup->key);
    struct engine_action_problem problem = {.status = MYCEL_E_LEASE};
    if (receipt != NULL && lookup->digest_set &&
        memcmp(receipt->digest, lookup->digest, sizeof receipt->digest) != 0) {
        problem.status = MYCEL_E_CONFLICT;
        receipt = NULL;
    }
    if (receipt != NULL) {
        answer_receipt(c, trip, code, receipt);
    } else {
        answer_problem(c, trip, &problem);
    }
}

static const struct desk_terms simulated_terms = {.protocol = PROTO_VERSION_MAX};

static void answer_lease(struct coordinator *c, uint32_t trip,
                         const struct engine_action_lease *lease)
{
    if (c->task.control && lease->lease.base.version != c->ledger.progress.base.version) {
        answer_busy(c, trip); /* its c is of an older version: the device asks again */
        return;
    }
    if (c->world->watch != NULL) {
        c->world->watch->told_lease(c->world->watch->user, c->world, &lease->lease);
    }
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    struct desk_task task = c->task;
    const struct version *version = version_find(c, lease->lease.base.sha256);
    if (version != NULL && version_is_patched(c, version)) {
        const struct trip *t = trip_at(&c->world->trips, trip);
        struct engine_facts facts;
        struct desk_hello hello;
        if (desk_read_check_in(t->request.payload, t->request.payload_bytes, &facts, &hello) == 0) {
            desk_offer_patch(&task, &version->known, &hello);
        }
    } else if (version != NULL && version->chain != NULL) {
        task.delta = true;
        memcpy(task.held_sha256, version->blob->sha256, sizeof task.held_sha256);
    }
    int bytes = desk_write_lease(lease, &task, simulated_terms, payload, sizeof payload);
    answer_message(c, trip, PROTO_CODE(2, 4), PROTO_FORMAT_MESSAGE, payload, bytes);
}

static void answer_window(struct coordinator *c, uint32_t trip,
                          const struct engine_action_window *window)
{
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    int bytes = desk_write_window(window, simulated_terms, payload, sizeof payload);
    answer_message(c, trip, PROTO_CODE(2, 4), PROTO_FORMAT_MESSAGE, payload, bytes);
}

void answer_action(struct coordinator *c, const struct engine_action *action)
{
    uint32_t trip = (uint32_t)action->tag;
    if (action->tag != answer_tag(c, trip)) {
        return; /* whoever asked is gone */
    }
    switch (action->type) {
    case ENGINE_ACTION_REPLY_LEASE:
        answer_lease(c, trip, &action->u.lease);
        break;
    case ENGINE_ACTION_REPLY_WINDOW:
        answer_window(c, trip, &action->u.window);
        break;
    case ENGINE_ACTION_REPLY_RECEIPT:
        answer_receipt(c, trip, PROTO_CODE(2, 4), &action->u.receipt);
        break;
    case ENGINE_ACTION_LOOKUP_RECEIPT:
        answer_lookup(c, trip, PROTO_CODE(2, 4), &action->u.lookup);
        break;
    default:
        answer_problem(c, trip, &action->u.problem);
        break;
    }
}
