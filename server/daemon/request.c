/*
 * What devices ask for: turns the endpoint's requests into events of the engine, or into reads of
 * the store. It decides nothing about rounds, and believes nothing but the session's identity.
 */
#include "server/daemon/shell.h"

#include "common/base64url.h"
#include "proto/wire.h"
#include "server/desk/desk.h"

#include <stdlib.h>
#include <string.h>

static bool path_is(const struct net_request *request, unsigned segments, const char *first)
{
    return request->segments == segments && strcmp(request->segment[0], first) == 0;
}

/* --- check-in --------------------------------------------------------------------------------- */

static void refuse_check_in(struct shell *shell, net_reply_id reply, int error)
{
    if (error == MYCEL_E_VERSION) {
        reply_problem(shell, reply, NET_CODE(5, 1), error,
                      "none of the device's protocol versions is spoken here");
    } else {
        reply_problem(shell, reply, NET_CODE(4, 0), error, "the check-in cannot be decoded");
    }
}

static void handle_check_in(struct shell *shell, const struct net_request *request)
{
    const struct roster_entry *entry = access_device(shell, request);
    if (!entry) {
        reply_problem(shell, request->reply, NET_CODE(4, 3), MYCEL_E_REVOKED, NULL);
        return;
    }
    struct engine_event event = {.type = ENGINE_EVENT_CHECKIN};
    struct desk_hello hello;
    int rc = desk_read_check_in(request->payload, request->payload_bytes, &event.u.checkin.facts,
                                &hello);
    if (rc < 0) {
        refuse_check_in(shell, request->reply, rc);
        return;
    }
    enrol_confirm(shell, entry);
    uint64_t tag;
    struct ticket *ticket = ticket_take(&shell->tickets, &tag);
    if (!ticket || shell->rebuilding ||
        !store_thread_has_room(shell->store, SHELL_WRITES_CHECKIN)) {
        ticket_drop(&shell->tickets, ticket ? tag : TICKET_NONE);
        reply_busy(shell, request->reply);
        return;
    }
    ticket->reply = request->reply;
    ticket->device = entry->device;
    ticket->hello = hello;
    event.tag = tag;
    event.u.checkin.device = entry->device;
    if (shell_step(shell, &event) < 0) {
        ticket_drop(&shell->tickets, tag);
        reply_busy(shell, request->reply);
    }
}

/* --- model ------------------------------------------------------------------------------------ */

static void handle_model(struct shell *shell, const struct net_request *request)
{
    uint8_t sha256[PROTO_SHA256_BYTES];
    const char *text = request->segment[1];
    if (base64url_decode(text, strlen(text), sha256, sizeof sha256) < 0) {
        reply_problem(shell, request->reply, NET_CODE(4, 0), MYCEL_E_MALFORMED,
                      "a model is named by the base64url of its SHA-256");
        return;
    }
    job_download(shell, sha256, request->reply);
}

/* --- update ----------------------------------------------------------------------------------- */

static int update_key(const struct net_request *request, uint8_t key[PROTO_KEY_BYTES])
{
    const char *text = request->segment[1];
    return base64url_decode(text, strlen(text), key, PROTO_KEY_BYTES);
}

static void handle_body(struct shell *shell, const struct net_request *request)
{
    const struct roster_entry *entry = access_device(shell, request);
    uint8_t key[PROTO_KEY_BYTES];
    uint64_t tag = TICKET_NONE;
    struct ticket *ticket = NULL;
    if (entry && !shell->rebuilding && update_key(request, key) == 0) {
        ticket = ticket_take(&shell->tickets, &tag);
    }
    if (!ticket) {
        reply_busy_body(shell, request->reply, request->body);
        return;
    }
    ticket->reply = request->reply;
    ticket->device = entry->device;
    memcpy(ticket->key, key, sizeof key);
    ticket_set_body(&shell->tickets, ticket, request->body, request->body_bytes);
    if (job_verify(shell, tag) < 0) {
        reply_busy_body(shell, request->reply, ticket_end(&shell->tickets, tag));
    }
}

/* Asks the engine about a key without any side effect. */
static int query(struct shell *shell, uint32_t device, const uint8_t key[PROTO_KEY_BYTES],
                 uint64_t bytes, struct engine_action *answer)
{
    struct engine_event event = {.type = ENGINE_EVENT_UPLOAD_QUERY};
    event.u.query.device = device;
    memcpy(event.u.query.key, key, PROTO_KEY_BYTES);
    event.u.query.bytes = bytes;
    int rc = shell_query(shell, &event, answer);
    return rc == 0 && answer->after > shell->durable ? MYCEL_E_AGAIN : rc;
}

/* What the cache knows of an old receipt; asks the store for the next time. AGAIN: not yet. */
static int recall(struct shell *shell, const struct engine_action_lookup *lookup,
                  const struct receipt_entry **found)
{
    *found = receipt_cache_find(&shell->receipts, lookup->device, lookup->key, shell_now_ms());
    if (*found) {
        return (*found)->bytes > 0 ? MYCEL_OK : MYCEL_E_LEASE;
    }
    job_receipt(shell, lookup, 0);
    return MYCEL_E_AGAIN;
}

static void refuse_with_receipt(struct net_response *refusal, const uint8_t *receipt, size_t bytes)
{
    *refusal = NET_RESPONSE(NET_CODE(2, 4));
    refusal->content_format = PROTO_FORMAT_RECEIPT;
    refusal->payload = receipt;
    refusal->payload_bytes = bytes;
}

static int refuse_with_old_receipt(struct shell *shell, const struct engine_action_lookup *lookup,
                                   struct net_response *refusal)
{
    const struct receipt_entry *found;
    int rc = recall(shell, lookup, &found);
    if (rc == 0) {
        refuse_with_receipt(refusal, found->receipt, found->bytes);
    } else if (rc == MYCEL_E_AGAIN) {
        *refusal = reply_of_busy();
    } else {
        const struct engine_action_problem problem = {.status = MYCEL_E_LEASE};
        reply_fill_problem(refusal, &problem, shell->scratch, sizeof shell->scratch);
    }
    return 1;
}

int request_admit(void *user, const struct net_request *request, uint64_t bytes,
                  struct net_response *refusal)
{
    struct shell *shell = user;
    const struct roster_entry *entry = access_device(shell, request);
    uint8_t key[PROTO_KEY_BYTES];
    if (!entry || !path_is(request, 2, PROTO_PATH_UPDATE) || update_key(request, key) < 0) {
        const struct engine_action_problem problem = {.status =
                                                          entry ? MYCEL_E_LEASE : MYCEL_E_REVOKED};
        reply_fill_problem(refusal, &problem, shell->scratch, sizeof shell->scratch);
        return 1;
    }
    struct engine_action answer;
    if (shell->rebuilding || ticket_has_body(&shell->tickets, entry->device, key) ||
        query(shell, entry->device, key, bytes, &answer) < 0) {
        *refusal = reply_of_busy();
        return 1;
    }
    switch (answer.type) {
    case ENGINE_ACTION_REPLY_ADMIT:
        return 0;
    case ENGINE_ACTION_REPLY_RECEIPT: {
        int n = desk_write_receipt(&answer.u.receipt, shell->scratch, sizeof shell->scratch);
        refuse_with_receipt(refusal, shell->scratch, (size_t)n);
        return 1;
    }
    case ENGINE_ACTION_LOOKUP_RECEIPT:
        return refuse_with_old_receipt(shell, &answer.u.lookup, refusal);
    default:
        reply_fill_problem(refusal, &answer.u.problem, shell->scratch, sizeof shell->scratch);
        return 1;
    }
}

static void reply_status(struct shell *shell, const struct net_request *request)
{
    uint8_t payload[PROTO_MESSAGE_BYTES_MAX];
    int n = net_body_status(shell->net, request, payload, sizeof payload);
    reply_message(shell, request->reply, NET_CODE(2, 5), payload, n);
}

static void handle_status(struct shell *shell, const struct net_request *request)
{
    const struct roster_entry *entry = access_device(shell, request);
    uint8_t key[PROTO_KEY_BYTES];
    struct engine_action answer;
    if (!entry || update_key(request, key) < 0) {
        reply_problem(shell, request->reply, NET_CODE(4, 3),
                      entry ? MYCEL_E_LEASE : MYCEL_E_REVOKED, NULL);
        return;
    }
    if (shell->rebuilding || ticket_has_body(&shell->tickets, entry->device, key) ||
        query(shell, entry->device, key, 0, &answer) < 0) {
        reply_busy(shell, request->reply);
        return;
    }
    if (answer.type == ENGINE_ACTION_REPLY_ADMIT) {
        reply_status(shell, request);
    } else if (answer.type == ENGINE_ACTION_REPLY_RECEIPT) {
        uint8_t receipt[PROTO_MESSAGE_BYTES_MAX];
        int n = desk_write_receipt(&answer.u.receipt, receipt, sizeof receipt);
        reply_receipt_bytes(shell, request->reply, NET_CODE(2, 5), receipt, (size_t)n);
    } else if (answer.type == ENGINE_ACTION_LOOKUP_RECEIPT) {
        if (job_receipt(shell, &answer.u.lookup, request->reply) < 0) {
            reply_busy(shell, request->reply);
        }
    } else {
        reply_problem(shell, request->reply, NET_CODE(4, 3), answer.u.problem.status, NULL);
    }
}

/* --- routes ----------------------------------------------------------------------------------- */

struct route {
    const char *path;
    unsigned segments;
    enum net_method method;
    int32_t format; /* of the payload; -1: none is looked at */
    void (*handle)(struct shell *shell, const struct net_request *request);
};

static const struct route routes[] = {
    {PROTO_PATH_CHECKIN, 1, NET_POST, PROTO_FORMAT_MESSAGE, handle_check_in},
    {PROTO_PATH_MODEL, 2, NET_GET, -1, handle_model},
    {PROTO_PATH_UPDATE, 2, NET_PUT, PROTO_FORMAT_UPDATE, handle_body},
    {PROTO_PATH_UPDATE, 2, NET_GET, -1, handle_status},
    {PROTO_PATH_ENROL, 1, NET_POST, PROTO_FORMAT_MESSAGE, enrol_handle},
    {PROTO_PATH_REKEY, 1, NET_POST, PROTO_FORMAT_MESSAGE, rekey_handle},
};

/* Which refusal fits best: a known path with another method is 4.05, else 4.04. */
static void refuse(struct shell *shell, const struct net_request *request, bool path_known)
{
    free(request->body);
    if (path_known) {
        reply_problem(shell, request->reply, NET_CODE(4, 5), MYCEL_E_UNSUPPORTED,
                      "this resource has no such method");
    } else {
        reply_problem(shell, request->reply, NET_CODE(4, 4), MYCEL_E_NOT_FOUND, NULL);
    }
}

void request_handle(void *user, const struct net_request *request)
{
    struct shell *shell = user;
    bool path_known = false;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        const struct route *route = &routes[i];
        if (!path_is(request, route->segments, route->path)) {
            continue;
        }
        path_known = true;
        if (request->method != route->method) {
            continue;
        }
        if (route->format >= 0 && request->content_format != route->format) {
            free(request->body);
            reply_problem(shell, request->reply, NET_CODE(4, 15), MYCEL_E_UNSUPPORTED,
                          "this resource takes another content format");
            return;
        }
        route->handle(shell, request);
        return;
    }
    refuse(shell, request, path_known);
}
