/*
 * What devices are told: turns the engine's answers into messages. Every answer ends its ticket.
 */
#include "server/daemon/shell.h"

#include "proto/wire.h"

#include <stdio.h>
#include <string.h>

#define BUSY_MAX_AGE_S 1

static void send_message(struct shell *shell, net_reply_id id, uint8_t code, int32_t format,
                         const uint8_t *payload, int bytes)
{
    struct net_response response = NET_RESPONSE(code);
    response.content_format = format;
    response.payload = payload;
    response.payload_bytes = bytes > 0 ? (size_t)bytes : 0;
    net_reply(shell->net, id, &response); /* CLOSED: nobody is waiting any more */
}

void reply_busy(struct shell *shell, net_reply_id id)
{
    struct net_response response = NET_RESPONSE(NET_CODE(5, 3));
    response.max_age_s = BUSY_MAX_AGE_S;
    net_reply(shell->net, id, &response);
}

static int encode_problem(int reason, const char *text, const struct engine_window *window,
                          uint8_t *out, size_t cap)
{
    mycel_Problem problem = mycel_Problem_init_zero;
    problem.reason = reason;
    snprintf(problem.text, sizeof problem.text, "%s", text ? text : mycel_error_text(reason));
    if (reason == MYCEL_E_VERSION) {
        problem.protocol_min = PROTO_VERSION_MIN;
        problem.protocol_max = PROTO_VERSION_MAX;
    }
    if (window && window->latest_ms > 0) {
        problem.has_window = true;
        problem.window.earliest_ms = window->earliest_ms;
        problem.window.latest_ms = window->latest_ms;
        problem.window.reason = reason;
    }
    return WIRE_ENCODE(mycel_Problem, &problem, out, cap);
}

void reply_problem(struct shell *shell, net_reply_id id, uint8_t code, int reason, const char *text)
{
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    int n = encode_problem(reason, text, NULL, payload, sizeof payload);
    send_message(shell, id, code, PROTO_FORMAT_PROBLEM, payload, n);
}

static uint8_t code_of_problem(int status)
{
    switch (status) {
    case MYCEL_E_CONFLICT:
        return NET_CODE(4, 9);
    case MYCEL_E_TOO_LARGE:
        return NET_CODE(4, 13);
    case MYCEL_E_BUSY:
        return NET_CODE(5, 3);
    default:
        return NET_CODE(4, 3);
    }
}

void reply_fill_problem(struct net_response *response, const struct engine_action_problem *problem,
                        uint8_t *out, size_t cap)
{
    int n = encode_problem(problem->status, NULL, &problem->window, out, cap);
    *response = NET_RESPONSE(code_of_problem(problem->status));
    response->content_format = PROTO_FORMAT_PROBLEM;
    response->payload = out;
    response->payload_bytes = n > 0 ? (size_t)n : 0;
    if (problem->status == MYCEL_E_TOO_LARGE) {
        response->size1 = (int64_t)problem->bytes_max;
    }
    if (problem->status == MYCEL_E_BUSY) {
        response->max_age_s = BUSY_MAX_AGE_S;
    }
}

int reply_encode_receipt(const struct engine_receipt *receipt, uint8_t *out, size_t cap)
{
    mycel_Receipt message = mycel_Receipt_init_zero;
    message.status = receipt->status;
    message.round = receipt->round;
    message.base_version = receipt->base_version;
    memcpy(message.digest, receipt->digest, sizeof message.digest);
    message.late = receipt->late;
    message.has_window = true;
    message.window.earliest_ms = receipt->window.earliest_ms;
    message.window.latest_ms = receipt->window.latest_ms;
    return WIRE_ENCODE(mycel_Receipt, &message, out, cap);
}

void reply_receipt_bytes(struct shell *shell, net_reply_id id, uint8_t code, const void *receipt,
                         size_t bytes)
{
    send_message(shell, id, code, PROTO_FORMAT_RECEIPT, receipt, (int)bytes);
}

static void fill_plan(mycel_Plan *plan, const struct store_run_config *config, uint64_t seed)
{
    plan->epochs = config->epochs;
    plan->batch = config->batch;
    plan->learning_rate = config->learning_rate;
    plan->seed = seed;
    plan->prox_mu = config->prox_mu;
    plan->momentum = config->momentum;
    plan->steps_max = config->steps_max;
}

static void fill_lease(mycel_Lease *lease, const struct engine_action_lease *action,
                       const struct store_run_config *config)
{
    const struct engine_lease *from = &action->lease;
    lease->run = from->run;
    lease->round = from->round;
    lease->attempt = from->attempt;
    lease->base_version = from->base.version;
    memcpy(lease->model_sha256, from->base.sha256, sizeof lease->model_sha256);
    lease->model_bytes = (uint64_t)config->params * sizeof(float);
    lease->params = config->params;
    _Static_assert(sizeof lease->model == sizeof config->model, "descriptions fit");
    memcpy(lease->model, config->model, sizeof lease->model);
    lease->has_plan = true;
    fill_plan(&lease->plan, config, from->seed);
    lease->codec = (mycel_Codec)from->codec;
    lease->clip_norm = config->clip_norm;
    memcpy(lease->update_key, from->key, sizeof lease->update_key);
    lease->deadline_ms = action->left_ms;
}

static int encode_check_in_reply(struct shell *shell, const struct engine_action *action,
                                 uint32_t protocol, uint8_t *out, size_t cap)
{
    mycel_CheckInReply message = mycel_CheckInReply_init_zero;
    message.protocol = protocol;
    if (action->type == ENGINE_ACTION_REPLY_LEASE) {
        const struct run_entry *entry = run_table_find(&shell->runs, action->u.lease.lease.run);
        if (!entry) {
            return MYCEL_E_NOT_FOUND;
        }
        message.which_answer = mycel_CheckInReply_lease_tag;
        fill_lease(&message.answer.lease, &action->u.lease, &entry->run.config);
    } else {
        message.which_answer = mycel_CheckInReply_window_tag;
        message.answer.window.earliest_ms = action->u.window.window.earliest_ms;
        message.answer.window.latest_ms = action->u.window.window.latest_ms;
        message.answer.window.reason = engine_why_error(action->u.window.why);
    }
    return WIRE_ENCODE(mycel_CheckInReply, &message, out, cap);
}

void reply_action(struct shell *shell, const struct engine_action *action)
{
    const struct ticket *ticket = ticket_get(&shell->tickets, action->tag);
    if (!ticket) {
        return;
    }
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    net_reply_id id = ticket->reply;
    int n;
    switch (action->type) {
    case ENGINE_ACTION_REPLY_LEASE:
    case ENGINE_ACTION_REPLY_WINDOW:
        n = encode_check_in_reply(shell, action, ticket->protocol, payload, sizeof payload);
        if (n < 0) {
            reply_busy(shell, id);
        } else {
            send_message(shell, id, NET_CODE(2, 4), PROTO_FORMAT_MESSAGE, payload, n);
        }
        break;
    case ENGINE_ACTION_REPLY_RECEIPT:
        n = reply_encode_receipt(&action->u.receipt, payload, sizeof payload);
        reply_receipt_bytes(shell, id, NET_CODE(2, 4), payload, (size_t)n);
        break;
    case ENGINE_ACTION_LOOKUP_RECEIPT:
        if (job_receipt(shell, &action->u.lookup, id) < 0) {
            reply_busy(shell, id);
        }
        break;
    default: {
        struct net_response response;
        reply_fill_problem(&response, &action->u.problem, payload, sizeof payload);
        net_reply(shell->net, id, &response);
        break;
    }
    }
    ticket_drop(&shell->tickets, action->tag);
}
