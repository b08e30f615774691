/*
 * What to do with an answer that is not the one hoped for: the table of docs/PROTOCOL.md, "Codes". It
 * must never trust the peer's words: they are cut to printable ASCII before anybody sees them.
 */
#include "client/runtime/internal.h"

#define CODE_CLASS(code) ((code) >> 5)

static void read_problem(const struct mycel_response *r, mycel_Problem *problem)
{
    if (r->content_format != PROTO_FORMAT_PROBLEM ||
        WIRE_DECODE(mycel_Problem, problem, r->payload, r->payload_bytes) < 0) {
        *problem = (mycel_Problem){0};
    }
    for (char *p = problem->text; *p != '\0'; p++) {
        if (*p < ' ' || *p > '~') {
            *p = '?';
        }
    }
}

static int reason_of(uint8_t code, const mycel_Problem *problem)
{
    if (problem->reason < 0) {
        return problem->reason;
    }
    switch (code) {
    case PROTO_CODE(4, 3):
        return MYCEL_E_LEASE;
    case PROTO_CODE(4, 4):
        return MYCEL_E_NOT_FOUND;
    case PROTO_CODE(4, 9):
        return MYCEL_E_CONFLICT;
    case PROTO_CODE(4, 13):
        return MYCEL_E_TOO_LARGE;
    case PROTO_CODE(5, 1):
        return MYCEL_E_VERSION;
    default:
        return MYCEL_E_MALFORMED;
    }
}

/* Busy is no failure of the link: the session stays, nothing is sent before Max-Age is over. */
static void retry_later(struct client *c, const struct mycel_response *r, const char *text)
{
    if (c->wake_ms > c->now_ms) {
        return; /* another answer of the same volley said so already */
    }
    uint32_t pause;
    if (r->code == PROTO_CODE(5, 3) && r->max_age_s > 0) {
        uint32_t age =
            r->max_age_s > CLIENT_RETRY_AFTER_MAX_S ? CLIENT_RETRY_AFTER_MAX_S : r->max_age_s;
        pause = window_between(c, age * 1000u, age * 1500u);
    } else {
        c->failures = client_count_up(c->failures);
        pause = window_backoff(c, c->failures);
    }
    client_pause(c, pause, MYCEL_E_BUSY, text);
}

void refusal_react(struct client *c, const struct mycel_response *r)
{
    mycel_Problem problem;
    read_problem(r, &problem);
    const char *text = problem.text[0] != '\0' ? problem.text : "the coordinator refused";
    unsigned cls = CODE_CLASS(r->code);
    if (cls == 4 || r->code == PROTO_CODE(5, 1)) {
        client_abandon(c, reason_of(r->code, &problem), text,
                       problem.has_window ? &problem.window : NULL);
    } else if (cls == 5) {
        retry_later(c, r, problem.text[0] != '\0' ? problem.text : "the coordinator is not ready");
    } else {
        client_fail(c, MYCEL_E_MALFORMED, "an answer makes no sense");
    }
}
