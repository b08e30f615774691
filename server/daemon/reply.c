/*
 * What devices are told: turns the engine's answers into messages. Every answer ends its ticket.
 */
#include "server/daemon/shell.h"

#include "server/daemon/translate.h"
#include "server/desk/desk.h"

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

void reply_message(struct shell *shell, net_reply_id id, uint8_t code, const uint8_t *payload,
                   int bytes)
{
    if (bytes < 0) {
        reply_busy(shell, id);
    } else {
        send_message(shell, id, code, PROTO_FORMAT_MESSAGE, payload, bytes);
    }
}

void reply_busy(struct shell *shell, net_reply_id id)
{
    reply_busy_body(shell, id, NULL);
}

struct net_response reply_of_busy(void)
{
    struct net_response response = NET_RESPONSE(NET_CODE(5, 3));
    response.max_age_s = BUSY_MAX_AGE_S;
    return response;
}

void reply_busy_body(struct shell *shell, net_reply_id id, uint8_t *body)
{
    struct net_response response = reply_of_busy();
    response.body = body;
    net_reply(shell->net, id, &response);
}

void reply_problem(struct shell *shell, net_reply_id id, uint8_t code, int reason, const char *text)
{
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    int n = desk_write_problem(reason, text, NULL, payload, sizeof payload);
    send_message(shell, id, code, PROTO_FORMAT_PROBLEM, payload, n);
}

void reply_fill_problem(struct net_response *response, const struct engine_action_problem *problem,
                        uint8_t *out, size_t cap)
{
    int n = desk_write_problem(problem->status, NULL, &problem->window, out, cap);
    *response = NET_RESPONSE(desk_problem_code(problem->status));
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

void reply_receipt_bytes(struct shell *shell, net_reply_id id, uint8_t code, const void *receipt,
                         size_t bytes)
{
    send_message(shell, id, code, PROTO_FORMAT_RECEIPT, receipt, (int)bytes);
}

static int encode_check_in_reply(struct shell *shell, const struct engine_action *action,
                                 const struct ticket *ticket, uint8_t *out, size_t cap)
{
    const struct desk_hello *hello = &ticket->hello;
    const struct desk_terms terms = {.protocol = hello->protocol,
                                     .rekey = access_wants_key(shell, ticket->device)};
    if (action->type == ENGINE_ACTION_REPLY_WINDOW) {
        return desk_write_window(&action->u.window, terms, out, cap);
    }
    const struct run_entry *entry = run_table_find(&shell->runs, action->u.lease.lease.run);
    if (!entry) {
        return MYCEL_E_NOT_FOUND;
    }
    const struct store_run_config *config = &entry->run.config;
    const struct engine_lease *lease = &action->u.lease.lease;
    struct desk_task task = {.model = config->model,
                             .params = config->params,
                             .epochs = config->epochs,
                             .batch = config->batch,
                             .steps_max = config->steps_max,
                             .learning_rate = config->learning_rate,
                             .momentum = config->momentum,
                             .prox_mu = config->prox_mu,
                             .clip_norm = config->clip_norm};
    task.control = (translate_features(config) & PROTO_FEATURE_CONTROL) != 0;
    if (task.control && lease->base.version != entry->state_version) {
        return MYCEL_E_STATE; /* of an older version: the device asks again and gets another */
    }
    if (task.control) {
        memcpy(task.control_sha256, entry->state_sha256, sizeof task.control_sha256);
    }
    const struct downlink_chain *chain = run_entry_chain(entry, lease->base.version);
    if (chain) { /* a version without one is sent as it is */
        desk_offer_patch(&task, chain, hello);
    }
    return desk_write_lease(&action->u.lease, &task, terms, out, cap);
}

/* A device that does not keep to its window is worth a line, and no more than that. */
static void note_early(struct shell *shell, const struct engine_action *action)
{
    if (action->type == ENGINE_ACTION_REPLY_WINDOW && action->u.window.why == ENGINE_WHY_EARLY) {
        LOG(&shell->log, LOG_DEBUG, "came_back_early", log_uint("device", action->u.window.device),
            log_uint("times", engine_early(shell->engine, action->u.window.device)),
            log_uint("rest_ms", action->u.window.window.earliest_ms));
    }
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
        note_early(shell, action);
        n = encode_check_in_reply(shell, action, ticket, payload, sizeof payload);
        reply_message(shell, id, NET_CODE(2, 4), payload, n);
        break;
    case ENGINE_ACTION_REPLY_RECEIPT:
        n = desk_write_receipt(&action->u.receipt, payload, sizeof payload);
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
        if (response.code == NET_CODE(5, 3)) {
            response.body = ticket_end(&shell->tickets, action->tag);
        }
        net_reply(shell->net, id, &response);
        break;
    }
    }
    ticket_drop(&shell->tickets, action->tag);
}
