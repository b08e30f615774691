/* The engine's answers as the messages that ship (server/desk), on their way back. */
#include "sim/coordinator_internal.h"
#include "sim/watch.h"

#include <string.h>

#define BUSY_MAX_AGE_S 1u

static struct trip *exchange_of(struct coordinator *c, uint32_t id)
{
    return trip_at(&c->world->trips, id);
}

uint64_t answer_tag(struct coordinator *c, uint32_t exchange)
{
    return (uint64_t)exchange_of(c, exchange)->use << 32 | exchange;
}

/* The answer repeats the request's Block1 (RFC 7959 §2.3). */
static void start_response(struct trip *e, uint8_t code)
{
    e->response =
        (struct mycel_response){.slot = e->slot, .code = code, .content_format = MYCEL_FORMAT_NONE};
    if (e->request.block.kind == MYCEL_BLOCK_1) {
        e->response.block = e->request.block;
    }
}

void answer_message(struct coordinator *c, uint32_t exchange, uint8_t code, uint16_t format,
                    const uint8_t *payload, int bytes)
{
    struct trip *e = exchange_of(c, exchange);
    start_response(e, code);
    if (bytes > 0) {
        memcpy(e->reply, payload, (size_t)bytes);
        e->response.payload = e->reply;
        e->response.payload_bytes = (size_t)bytes;
        e->response.content_format = format;
    }
    trip_answer(c->world, exchange);
}

void answer_busy(struct coordinator *c, uint32_t exchange)
{
    struct trip *e = exchange_of(c, exchange);
    start_response(e, CODE(5, 3));
    e->response.max_age_s = BUSY_MAX_AGE_S;
    trip_answer(c->world, exchange);
}

void answer_problem(struct coordinator *c, uint32_t exchange,
                    const struct engine_action_problem *problem)
{
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    int bytes =
        desk_write_problem(problem->status, NULL, &problem->window, payload, sizeof payload);
    if (problem->status == MYCEL_E_BUSY) {
        exchange_of(c, exchange)->response.max_age_s = BUSY_MAX_AGE_S;
    }
    answer_message(c, exchange, desk_problem_code(problem->status), PROTO_FORMAT_PROBLEM, payload,
                   bytes);
}

void answer_receipt(struct coordinator *c, uint32_t exchange, uint8_t code,
                    const struct engine_receipt *receipt)
{
    if (c->world->watch != NULL) {
        c->world->watch->told_receipt(c->world->watch->user, c->world, receipt);
    }
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    int bytes = desk_write_receipt(receipt, payload, sizeof payload);
    answer_message(c, exchange, code, PROTO_FORMAT_RECEIPT, payload, bytes);
}

void answer_lookup(struct coordinator *c, uint32_t exchange, uint8_t code,
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
        answer_receipt(c, exchange, code, receipt);
    } else {
        answer_problem(c, exchange, &problem);
    }
}

static void answer_lease(struct coordinator *c, uint32_t exchange,
                         const struct engine_action_lease *lease)
{
    if (c->task.control && lease->lease.base.version != c->ledger.progress.base.version) {
        answer_busy(c, exchange); /* its c is of an older version: the device asks again */
        return;
    }
    if (c->world->watch != NULL) {
        c->world->watch->told_lease(c->world->watch->user, c->world, &lease->lease);
    }
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    struct desk_task task = c->task;
    const struct version *version = version_find(c, lease->lease.base.sha256);
    task.delta = c->downlink == DOWNLINK_DELTA && version != NULL;
    if (task.delta) {
        memcpy(task.held_sha256, version->blob->sha256, sizeof task.held_sha256);
    }
    int bytes = desk_write_lease(lease, &task, PROTO_VERSION_MAX, payload, sizeof payload);
    answer_message(c, exchange, CODE(2, 4), PROTO_FORMAT_MESSAGE, payload, bytes);
}

static void answer_window(struct coordinator *c, uint32_t exchange,
                          const struct engine_action_window *window)
{
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    int bytes = desk_write_window(window, PROTO_VERSION_MAX, payload, sizeof payload);
    answer_message(c, exchange, CODE(2, 4), PROTO_FORMAT_MESSAGE, payload, bytes);
}

void answer_action(struct coordinator *c, const struct engine_action *action)
{
    uint32_t exchange = (uint32_t)action->tag;
    if (action->tag != answer_tag(c, exchange)) {
        return; /* whoever asked is gone */
    }
    switch (action->type) {
    case ENGINE_ACTION_REPLY_LEASE:
        answer_lease(c, exchange, &action->u.lease);
        break;
    case ENGINE_ACTION_REPLY_WINDOW:
        answer_window(c, exchange, &action->u.window);
        break;
    case ENGINE_ACTION_REPLY_RECEIPT:
        answer_receipt(c, exchange, CODE(2, 4), &action->u.receipt);
        break;
    case ENGINE_ACTION_LOOKUP_RECEIPT:
        answer_lookup(c, exchange, CODE(2, 4), &action->u.lookup);
        break;
    default:
        answer_problem(c, exchange, &action->u.problem);
        break;
    }
}
