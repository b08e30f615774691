/*
 * Requests in flight: a few slots over one session, and the client's own deadline for a peer that says
 * nothing (with a wrong key silence is all there is). It owns the slots and the session's life; it must
 * never look at what an answer says.
 */
#include "client/runtime/internal.h"

#define REQUESTS_ANSWER_MS 30000u

static const struct mycel_transport *transport(const struct client *c)
{
    return c->port->transport;
}

static uint32_t answer_ms(const struct client *c)
{
    return client_setting(c->config->answer_ms, REQUESTS_ANSWER_MS);
}

uint32_t requests_open(struct client *c)
{
    if (c->session_open) {
        return 0;
    }
    int rc = transport(c)->open(c->port->transport_ctx);
    if (rc < 0) {
        client_fail(c, rc, "cannot open a session");
        return (uint32_t)(c->wake_ms - c->now_ms);
    }
    c->session_open = true;
    c->session_proven = false;
    c->send_refused = false;
    c->heard_ms = c->now_ms;
    return 0;
}

unsigned requests_count(const struct client *c)
{
    unsigned busy = 0;
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        busy += c->slots[i].busy;
    }
    return busy;
}

uint32_t requests_age_ms(const struct client *c, const struct client_slot *slot)
{
    return (uint32_t)c->now_ms - slot->sent_ms;
}

bool requests_in_flight(const struct client *c, uint32_t block)
{
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        if (c->slots[i].busy && c->slots[i].block == block) {
            return true;
        }
    }
    return false;
}

int requests_send(struct client *c, const struct mycel_request *request, uint32_t block)
{
    MYCEL_ASSERT(c->session_open);
    unsigned slot = 0;
    while (slot < MYCEL_REQUEST_SLOTS && c->slots[slot].busy) {
        slot++;
    }
    if (slot == MYCEL_REQUEST_SLOTS) {
        return 0;
    }
    struct mycel_request timed = *request;
    bool is_block = request->block.kind == MYCEL_BLOCK_2 || request->block.more;
    timed.timeout_ms = pace_timeout_ms(c, is_block);
    int rc = transport(c)->send(c->port->transport_ctx, slot, &timed);
    if (rc < 0) {
        client_fail(c, rc, "the session broke while sending");
        return rc;
    }
    if (rc == 0 && !c->send_refused) {
        c->refused_ms = (uint32_t)c->now_ms;
    }
    c->send_refused = rc == 0;
    if (rc > 0) {
        c->slots[slot] = (struct client_slot){.sent_ms = (uint32_t)c->now_ms,
                                              .block = block,
                                              .timeout_ms = (uint16_t)timed.timeout_ms,
                                              .busy = true,
                                              .is_timed = c->session_proven};
    }
    return rc;
}

void requests_collect(struct client *c, const struct client_state_ops *table)
{
    for (unsigned i = 0; c->session_open && i < CLIENT_ANSWERS_PER_POLL; i++) {
        struct mycel_response r = {0};
        int rc = transport(c)->receive(c->port->transport_ctx, &r);
        if (rc == 0) {
            c->heard_ms = r.heard ? c->now_ms : c->heard_ms;
            return;
        }
        if (rc < 0) {
            client_fail(c, rc,
                        c->session_proven ? "the session broke"
                                          : "no session came about; are name and key right?");
            return;
        }
        /* A port that misbehaves must not be able to complete a request twice. */
        if (r.slot >= MYCEL_REQUEST_SLOTS || !c->slots[r.slot].busy) {
            continue;
        }
        c->slots[r.slot].busy = false;
        pace_answered(c, &c->slots[r.slot], r.repeats, r.since_ms);
        c->session_proven = true;
        c->heard_ms = c->now_ms;
        if (table[c->state].answer != NULL) {
            table[c->state].answer(c, &r, c->slots[r.slot].block);
        }
    }
}

/* Nothing was heard since the request left, or for a while in the handshake that it waits for. */
static bool is_silent_since(const struct client *c, const struct client_slot *slot)
{
    return !c->session_proven || c->now_ms - c->heard_ms >= requests_age_ms(c, slot);
}

/* When an answer is overdue. A peer that has answered in this session and does not any more was most
 * likely restarted and has forgotten it: a handshake costs less than listening for long. One that still
 * answers in the handshake is given its time. */
static uint64_t due_ms(const struct client *c, const struct client_slot *slot)
{
    uint32_t limit = answer_ms(c);
    uint64_t since_ms = requests_age_ms(c, slot);
    if (is_silent_since(c, slot)) {
        uint32_t patience = c->session_proven ? pace_patience_ms(c, slot->timeout_ms)
                                              : pace_handshake_patience_ms(c);
        limit = patience < limit ? patience : limit;
        since_ms = c->now_ms - c->heard_ms < since_ms ? c->now_ms - c->heard_ms : since_ms;
    }
    return c->now_ms - since_ms + limit;
}

/* A transport may refuse requests until its handshake is done, and with a wrong key that never is. */
static bool is_stuck(const struct client *c)
{
    return c->session_open && c->send_refused && requests_count(c) == 0 &&
           (uint32_t)c->now_ms - c->refused_ms >= answer_ms(c);
}

void requests_expire(struct client *c)
{
    if (is_stuck(c)) {
        client_fail(c, MYCEL_E_TIMEOUT, "the transport takes no requests");
        return;
    }
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        struct client_slot *slot = &c->slots[i];
        if (!slot->busy || c->now_ms < due_ms(c, slot)) {
            continue;
        }
        if (is_silent_since(c, slot)) {
            pace_silent(c);
            client_fail(c, MYCEL_E_TIMEOUT,
                        c->session_proven ? "the coordinator does not answer"
                                          : "no answer at all; are address, name and key right?");
            return;
        }
        /* Others were answered since: this one alone got lost, its state sends it again. */
        transport(c)->cancel(c->port->transport_ctx, i);
        slot->busy = false;
        pace_lost(c, slot);
    }
}

void requests_cancel(struct client *c)
{
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        if (c->slots[i].busy) {
            transport(c)->cancel(c->port->transport_ctx, i);
            c->slots[i].busy = false;
        }
    }
}

void requests_close(struct client *c)
{
    requests_cancel(c);
    if (c->session_open) {
        transport(c)->close(c->port->transport_ctx);
        c->session_open = false;
    }
}

uint32_t requests_wait_ms(const struct client *c)
{
    uint64_t wait = CLIENT_POLL_WAIT_MAX_MS;
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        if (c->slots[i].busy) {
            uint64_t due = due_ms(c, &c->slots[i]);
            uint64_t left = due > c->now_ms ? due - c->now_ms : 0;
            wait = left < wait ? left : wait;
        }
    }
    return requests_count(c) > 0 ? (uint32_t)wait : CLIENT_SEND_RETRY_MS;
}
