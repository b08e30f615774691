/*
 * SLEEP and CHECKIN: waiting for the next moment, asking the owner's idle policy, asking the coordinator
 * for work. It owns the check-in message; it must never send one before the window opens.
 */
#include "client/runtime/internal.h"

#include <string.h>

static uint32_t samples_of(const struct client *c)
{
    return c->port->trainer->samples(c->port->trainer_ctx);
}

static void conditions_of(const struct client *c, struct mycel_conditions *conditions)
{
    *conditions = (struct mycel_conditions){.idle = false, .battery_percent = 255};
    c->port->platform->conditions(c->port->platform_ctx, false, conditions);
}

uint32_t checkin_sleep_step(struct client *c)
{
    if (c->journal_stale) {
        int rc = journal_finish(c, false); /* how it ended was settled before */
        if (rc < 0) {
            c->job_failures = client_count_up(c->job_failures);
            client_pause(c, window_backoff(c, c->job_failures), rc,
                         "the journal cannot be written");
            return (uint32_t)(c->wake_ms - c->now_ms);
        }
        c->journal_stale = false;
    }
    struct mycel_conditions conditions;
    conditions_of(c, &conditions);
    if (conditions.idle && samples_of(c) > 0) {
        client_set_state(c, MYCEL_CLIENT_CHECKIN);
        return 0;
    }
    /* Silence is cheaper than telling the coordinator that there is nothing to be had. */
    return client_wait_for_idle(c, conditions.idle ? "no training data" : "not idle");
}

static void fill_strings(mycel_CheckIn *m, const struct mycel_client_config *config)
{
    memcpy(m->runtime, CLIENT_RUNTIME_VERSION, sizeof CLIENT_RUNTIME_VERSION);
    if (config->device_class != NULL) {
        memcpy(m->device_class, config->device_class, strlen(config->device_class) + 1u);
    }
    for (unsigned i = 0; i < MYCEL_CLIENT_TAGS_MAX && config->tags[i] != NULL; i++) {
        memcpy(m->tags[i], config->tags[i], strlen(config->tags[i]) + 1u);
        m->tags_count = (pb_size_t)(i + 1u);
    }
}

static int encode_checkin(struct client *c)
{
    struct mycel_conditions conditions;
    conditions_of(c, &conditions);
    mycel_CheckIn m = {
        .protocol_min = PROTO_VERSION_MIN,
        .protocol_max = PROTO_VERSION_MAX,
        .samples = samples_of(c),
        .codecs = lease_codecs(c),
        .model_bytes_max = client_setting(c->config->model_bytes_max, CLIENT_MODEL_BYTES_MAX),
        .battery_percent = conditions.battery_percent,
        .idle = conditions.idle,
        .boot_count = c->progress.boot_count,
        .narrow_link = c->config->narrow_link,
        .features = control_feature(c) | patch_feature(c),
    };
    if (patch_feature(c) != 0 && c->progress.model.place != 0) {
        m.held.size = PROTO_HELD_BYTES;
        memcpy(m.held.bytes, c->progress.model.sha256, PROTO_HELD_BYTES);
    }
    fill_strings(&m, c->config);
    return WIRE_ENCODE(mycel_CheckIn, &m, c->config->scratch, PROTO_MESSAGE_BYTES_MAX);
}

uint32_t checkin_step(struct client *c)
{
    if (requests_count(c) > 0) {
        return requests_wait_ms(c);
    }
    uint32_t wait = requests_open(c);
    if (wait > 0) {
        return wait;
    }
    int bytes = encode_checkin(c);
    /* init checked every string, and the limit covers the largest message */
    MYCEL_ASSERT(bytes > 0);
    struct mycel_request request = {
        .method = MYCEL_POST,
        .path = {PROTO_PATH_CHECKIN, NULL},
        .content_format = PROTO_FORMAT_MESSAGE,
        .payload = c->config->scratch,
        .payload_bytes = (size_t)bytes,
    };
    if (requests_send(c, &request, 0) > 0) {
        struct mycel_event event = {.kind = MYCEL_EVENT_CHECKIN};
        client_emit(c, &event);
    }
    return c->state == MYCEL_CLIENT_CHECKIN ? requests_wait_ms(c) : 0;
}

/* No work: sleep as told. */
static void take_window(struct client *c, const mycel_Window *window)
{
    c->failures = 0;
    c->job_failures = 0;
    uint32_t pause = client_sleep(c, window);
    struct mycel_event event = {
        .kind = MYCEL_EVENT_WINDOW, .code = window->reason, .wait_ms = pause};
    client_emit(c, &event);
}

static void take_lease(struct client *c, const mycel_Lease *lease)
{
    int rc = lease_to_job(&c->job, lease, c);
    if (rc < 0) {
        client_abandon(c, rc, "the lease cannot be carried out here", NULL);
        return;
    }
    if (!c->job.keeps) {
        c->progress.model = (struct client_model){0}; /* its area is this job's */
    }
    rc = journal_begin(c, lease);
    if (rc < 0) {
        client_abandon(c, rc, "the lease cannot be written down", NULL);
        return;
    }
    c->failures = 0;
    pace_new_job(c);
    client_lease_starts(c, lease->deadline_ms);
    client_set_state(c, MYCEL_CLIENT_FETCH);
    struct mycel_event event = {.kind = MYCEL_EVENT_LEASE, .bytes = c->job.model_bytes};
    client_emit(c, &event);
}

void checkin_answer(struct client *c, const struct mycel_response *r, uint32_t block)
{
    (void)block;
    if (r->code != PROTO_CODE(2, 4)) {
        refusal_react(c, r);
        return;
    }
    mycel_CheckInReply reply;
    if (WIRE_DECODE(mycel_CheckInReply, &reply, r->payload, r->payload_bytes) < 0) {
        client_abandon(c, MYCEL_E_MALFORMED, "the check-in's answer cannot be decoded", NULL);
        return;
    }
    if (reply.protocol < PROTO_VERSION_MIN || reply.protocol > PROTO_VERSION_MAX) {
        client_abandon(c, MYCEL_E_VERSION, "the coordinator chose a protocol not offered", NULL);
        return;
    }
    if (reply.which_answer == mycel_CheckInReply_lease_tag) {
        take_lease(c, &reply.answer.lease);
    } else if (reply.which_answer == mycel_CheckInReply_window_tag) {
        take_window(c, &reply.answer.window);
    } else {
        client_abandon(c, MYCEL_E_MALFORMED, "the check-in's answer is empty", NULL);
        return;
    }
    if (reply.rekey) {
        rekey_begin(c);
    }
}
