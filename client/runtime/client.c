/*
 * The device's state machine: which state follows which, and what one poll does. It owns the state and
 * nothing else; each state's work lives in the file named after it.
 *
 *             lease refused, window, failure
 *            +------------------------------+
 *            v                              |
 *         SLEEP ---checkin_sleep_step---> CHECKIN ---checkin_answer---> FETCH
 *          ^ ^                                                           | fetch_step
 *          | |                    client_abandon, from every state       v
 *          | +--------------------------------------------------------- TRAIN
 *          |                                                             | train_step
 *          | receipt_step                                                v
 *         RECEIPT <---upload_answer--- UPLOAD <---upload_encoded_step--- ENCODED
 *
 * A check-in's answer that says that another key is due leads from SLEEP or FETCH to REKEY and back
 * (rekey.c), before anything else is done there.
 *
 * mycel_client_init enters SLEEP, FETCH or ENCODED, as the journal says.
 *
 * Invariants:
 *   SLEEP, CHECKIN           no job: the journal's phase is NONE
 *   FETCH, TRAIN             the phase is LEASED; progress.fetched bytes of what is fetched (the model or a
 *                            patch, then c) are in its area
 *   ENCODED, UPLOAD, RECEIPT the phase is ENCODED; the body area is durable and never changes again
 *   REKEY                    what holds for the state that it came from
 *   wake_ms                  no request is started before it, in any state
 */
#include "client/runtime/internal.h"

#include <string.h>

#define IDLE_RECHECK_MS 30000u

static const struct client_state_ops table[] = {
    [MYCEL_CLIENT_SLEEP] = {"SLEEP", checkin_sleep_step, NULL},
    [MYCEL_CLIENT_CHECKIN] = {"CHECKIN", checkin_step, checkin_answer},
    [MYCEL_CLIENT_FETCH] = {"FETCH", fetch_step, fetch_answer},
    [MYCEL_CLIENT_TRAIN] = {"TRAIN", train_step, NULL},
    [MYCEL_CLIENT_ENCODED] = {"ENCODED", upload_encoded_step, NULL},
    [MYCEL_CLIENT_UPLOAD] = {"UPLOAD", upload_step, upload_answer},
    [MYCEL_CLIENT_RECEIPT] = {"RECEIPT", receipt_step, NULL},
    [MYCEL_CLIENT_REKEY] = {"REKEY", rekey_step, rekey_answer},
};

#define STATES (sizeof table / sizeof table[0])
#define BIT(state) (1u << MYCEL_CLIENT_##state)

/* For each state the states that may follow. */
static const uint8_t follows[STATES] = {
    [MYCEL_CLIENT_SLEEP] = BIT(CHECKIN) | BIT(FETCH) | BIT(ENCODED) | BIT(REKEY),
    [MYCEL_CLIENT_CHECKIN] = BIT(SLEEP) | BIT(FETCH),
    [MYCEL_CLIENT_FETCH] = BIT(SLEEP) | BIT(TRAIN) | BIT(REKEY),
    [MYCEL_CLIENT_TRAIN] = BIT(SLEEP) | BIT(ENCODED),
    [MYCEL_CLIENT_ENCODED] = BIT(SLEEP) | BIT(UPLOAD),
    [MYCEL_CLIENT_UPLOAD] = BIT(SLEEP) | BIT(RECEIPT),
    [MYCEL_CLIENT_RECEIPT] = BIT(SLEEP),
    [MYCEL_CLIENT_REKEY] = BIT(SLEEP) | BIT(FETCH),
};

static struct client *inside(struct mycel_client *client)
{
    return (struct client *)(void *)client->opaque;
}

void client_set_state(struct client *c, enum mycel_client_state state)
{
    MYCEL_ASSERT(follows[c->state] >> state & 1u);
    c->state = (uint8_t)state;
    memset(&c->in, 0, sizeof c->in);
}

uint32_t client_setting(uint32_t value, uint32_t fallback)
{
    return value != 0 ? value : fallback;
}

void client_emit(struct client *c, struct mycel_event *event)
{
    if (c->port->platform->event == NULL) {
        return;
    }
    event->run = c->job.run;
    event->round = c->job.round;
    if (event->text == NULL) {
        event->text = "";
    }
    c->port->platform->event(c->port->platform_ctx, event);
}

void client_lease_starts(struct client *c, uint64_t deadline_ms)
{
    uint64_t room = UINT64_MAX - c->now_ms;
    c->lease_end_ms = c->now_ms + (deadline_ms < room ? deadline_ms : room);
}

bool client_lease_expired(const struct client *c)
{
    return c->now_ms >= c->lease_end_ms;
}

uint8_t client_count_up(uint8_t count)
{
    return count < UINT8_MAX ? (uint8_t)(count + 1u) : count;
}

void client_pause(struct client *c, uint32_t pause_ms, int code, const char *text)
{
    c->wake_ms = c->now_ms + pause_ms;
    struct mycel_event event = {
        .kind = MYCEL_EVENT_PROBLEM, .code = code, .wait_ms = pause_ms, .text = text};
    client_emit(c, &event);
}

uint32_t client_wait_for_idle(struct client *c, const char *why)
{
    uint32_t recheck = client_setting(c->config->idle_recheck_ms, IDLE_RECHECK_MS);
    uint32_t pause = window_between(c, recheck, recheck + recheck / 2u);
    c->wake_ms = c->now_ms + pause;
    struct mycel_event event = {.kind = MYCEL_EVENT_PAUSED, .wait_ms = pause, .text = why};
    client_emit(c, &event);
    return pause;
}

void client_fail(struct client *c, int code, const char *text)
{
    requests_close(c);
    if (c->state == MYCEL_CLIENT_REKEY) {
        rekey_end(c); /* the key can wait */
    }
    if (c->state != MYCEL_CLIENT_CHECKIN && c->state != MYCEL_CLIENT_FETCH &&
        c->state != MYCEL_CLIENT_ENCODED && c->state != MYCEL_CLIENT_UPLOAD) {
        return; /* nobody needs the session now: neither a window nor training is disturbed */
    }
    c->failures = client_count_up(c->failures);
    if (c->state == MYCEL_CLIENT_CHECKIN) {
        client_set_state(c, MYCEL_CLIENT_SLEEP);
    } else if (c->state == MYCEL_CLIENT_UPLOAD) {
        c->in.upload.ask = true; /* who knows what arrived: ask, in the new session */
    } else if (c->state == MYCEL_CLIENT_FETCH) {
        c->in.fetch.agreed = false;
    }
    client_pause(c, window_backoff(c, c->failures), code, text);
}

void client_release_trainer(struct client *c)
{
    if (c->trainer_ready) {
        c->port->trainer->release(c->port->trainer_ctx);
        c->trainer_ready = false;
    }
}

uint32_t client_sleep(struct client *c, const mycel_Window *window)
{
    requests_cancel(c);
    uint32_t pause = window_draw(c, window->earliest_ms, window->latest_ms);
    c->wake_ms = c->now_ms + pause;
    client_set_state(c, MYCEL_CLIENT_SLEEP);
    return pause;
}

void client_abandon(struct client *c, int code, const char *text, const mycel_Window *window)
{
    client_release_trainer(c);
    requests_cancel(c);
    /* If the record cannot be replaced, the old one brings the job back at the next start, where it
     * ends in the same way: nothing is lost but time. No new job is begun before. */
    if (c->progress.phase != CLIENT_PHASE_NONE) {
        c->journal_stale = journal_finish(c, false) < 0;
    }
    c->resumed = false;
    c->job_failures = client_count_up(c->job_failures);
    uint32_t pause = window_backoff(c, c->job_failures);
    if (window != NULL) {
        uint32_t asked = window_draw(c, window->earliest_ms, window->latest_ms);
        pause = asked > pause ? asked : pause;
    }
    client_set_state(c, MYCEL_CLIENT_SLEEP);
    client_pause(c, pause, code, text);
}

/* ---- public ------------------------------------------------------------------------------- */

static bool strings_fit(const struct mycel_client_config *config)
{
    const mycel_CheckIn *m = NULL; /* for its field sizes only */
    if (config->device_class != NULL &&
        memchr(config->device_class, '\0', sizeof m->device_class) == NULL) {
        return false;
    }
    for (unsigned i = 0; i < MYCEL_CLIENT_TAGS_MAX && config->tags[i] != NULL; i++) {
        if (memchr(config->tags[i], '\0', sizeof m->tags[i]) == NULL) {
            return false;
        }
    }
    return true;
}

static bool port_is_whole(const struct mycel_port *port)
{
    const struct mycel_transport *t = port->transport;
    const struct mycel_store *s = port->store;
    const struct mycel_trainer *n = port->trainer;
    const struct mycel_platform *p = port->platform;
    return t && t->open && t->send && t->receive && t->cancel && t->close && s && s->read &&
           s->write && s->sync && s->save && s->erase && n && n->samples && n->prepare && n->load &&
           n->step && n->weights && n->result && n->release && p && p->random && p->conditions &&
           (!port->keyring || (port->keyring->share && port->keyring->replace));
}

int mycel_client_init(struct mycel_client *client, const struct mycel_port *port,
                      const struct mycel_client_config *config, uint64_t now_ms)
{
    struct client *c = inside(client);
    if (!port_is_whole(port) || !strings_fit(config) || config->scratch == NULL ||
        config->scratch_bytes < MYCEL_CLIENT_SCRATCH_BYTES ||
        (uintptr_t)config->scratch % sizeof(uint64_t) != 0) {
        return MYCEL_E_INVALID;
    }
    memset(client, 0, sizeof *client);
    c->port = port;
    c->config = config;
    c->now_ms = now_ms;
    pace_init(c);
    int rc = journal_load(c);
    if (rc < 0) {
        return rc;
    }
    c->wake_ms = now_ms + window_between(c, 0, config->start_spread_ms);
    if (c->progress.phase == CLIENT_PHASE_LEASED) {
        c->resumed = true;
        client_set_state(c, MYCEL_CLIENT_FETCH);
    } else if (c->progress.phase == CLIENT_PHASE_ENCODED) {
        c->resumed = true;
        client_set_state(c, MYCEL_CLIENT_ENCODED);
    }
    return MYCEL_OK;
}

uint32_t mycel_client_poll(struct mycel_client *client, uint64_t now_ms)
{
    struct client *c = inside(client);
    MYCEL_ASSERT(now_ms >= c->now_ms);
    c->now_ms = now_ms;
    requests_collect(c, table);
    requests_expire(c);
    if (now_ms < c->wake_ms) {
        uint64_t left = c->wake_ms - now_ms;
        if (requests_count(c) > 0 && requests_wait_ms(c) < left) {
            left = requests_wait_ms(c);
        }
        return left < CLIENT_POLL_WAIT_MAX_MS ? (uint32_t)left : CLIENT_POLL_WAIT_MAX_MS;
    }
    return table[c->state].step(c);
}

enum mycel_client_state mycel_client_state(const struct mycel_client *client)
{
    return (enum mycel_client_state)((const struct client *)(const void *)client->opaque)->state;
}

uint64_t mycel_client_wake_ms(const struct mycel_client *client)
{
    return ((const struct client *)(const void *)client->opaque)->wake_ms;
}

const char *mycel_client_state_name(enum mycel_client_state state)
{
    return (size_t)state < STATES ? table[state].name : "?";
}

void mycel_client_deinit(struct mycel_client *client)
{
    struct client *c = inside(client);
    client_release_trainer(c);
    requests_close(c);
}
