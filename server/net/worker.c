/* Implementation of worker.h. */
#include "server/net/worker.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <mycel/error.h>

#include "common/assert.h"
#include "server/net/certificates.h"
#include "server/net/demux.h"
#include "server/net/exchange.h"
#include "server/net/turn.h"

#define WORKER_STATS_MS 100u

struct worker {
    struct siblings *siblings;
    struct net_callbacks shell; /* only keys and log lines are asked of it directly */
    unsigned number;
    uv_loop_t loop;
    struct turn turn;
    struct endpoint *endpoint; /* NULL: closed */
    uint16_t port;
    uv_thread_t thread;
    atomic_bool must_close; /* what cannot wait for memory; the bell has been rung */
    atomic_bool must_kick_all;
    struct letter *goodbye; /* written at the end, when there may be no memory */
    unsigned open;          /* of the turn and the mailbox */
    uv_mutex_t stats_lock;
    struct net_stats stats; /* under the lock */
    uint64_t stats_at_ms;
};

/* --- From the endpoint --------------------------------------------------------------------------- */

static int on_psk(void *user, const char *identity, struct net_psk keys[NET_KEYS_MAX])
{
    const struct worker *worker = user;
    return worker->shell.psk_lookup(worker->shell.user, identity, keys);
}

static bool on_certificate(void *user, const char *identity)
{
    const struct worker *worker = user;
    return worker->shell.certificate_lookup(worker->shell.user, identity);
}

static uint64_t on_wall_ms(void *user)
{
    const struct worker *worker = user;
    return worker->shell.wall_ms(worker->shell.user);
}

static void on_log(void *user, enum net_log_level level, const char *line)
{
    const struct worker *worker = user;
    worker->shell.log(worker->shell.user, level, line);
}

static bool write_to_shell(struct worker *worker, enum letter_type type,
                           const struct net_request *request, uint64_t bytes)
{
    struct net_request named = *request;
    named.reply |= (uint64_t)worker->number << WORKER_REPLY_SHIFT;
    struct letter *letter = letter_request(type, &named, bytes);
    if (letter == NULL) {
        return false;
    }
    siblings_write(worker->siblings, worker->number, worker->siblings->workers, letter);
    return true;
}

static void on_request(void *user, const struct net_request *request)
{
    struct worker *worker = user;
    if (!write_to_shell(worker, LETTER_REQUEST, request, 0)) {
        struct net_response busy = exchange_busy();
        free(request->body);
        (void)endpoint_reply(worker->endpoint, request->reply, &busy);
    }
}

static int on_admit(void *user, const struct net_request *request, uint64_t bytes,
                    struct net_response *refusal)
{
    if (write_to_shell(user, LETTER_ADMIT, request, bytes)) {
        return ENDPOINT_ADMIT_LATER;
    }
    *refusal = exchange_busy();
    return 1;
}

/* --- From the others ----------------------------------------------------------------------------- */

static void on_part_closed(void *user)
{
    struct worker *worker = user;
    worker->open--;
}

static void on_bell_closed(uv_handle_t *bell)
{
    on_part_closed(bell->data);
}

static void publish(struct worker *worker)
{
    uv_mutex_lock(&worker->stats_lock);
    endpoint_stats(worker->endpoint, &worker->stats);
    uv_mutex_unlock(&worker->stats_lock);
}

/* The endpoint's sockets are closed, and with it ends the loop. */
static void on_endpoint_closed(void *user)
{
    struct worker *worker = user;
    worker->endpoint = NULL;
    mailbox_shut(&worker->siblings->box[worker->number], on_bell_closed);
    turn_close(&worker->turn, on_part_closed);
}

static void close_endpoint(struct worker *worker)
{
    publish(worker);
    endpoint_close(worker->endpoint, on_endpoint_closed, worker);
}

static void read_letter(struct worker *worker, struct letter *letter)
{
    struct endpoint *endpoint = worker->endpoint;
    switch ((enum letter_type)letter->type) {
    case LETTER_REPLY: {
        struct letter_reply *reply = (struct letter_reply *)letter;
        (void)endpoint_reply(endpoint, reply->id, &reply->response);
        reply->response.body = NULL; /* the endpoint's */
        break;
    }
    case LETTER_VERDICT: {
        const struct letter_reply *reply = (const struct letter_reply *)letter;
        endpoint_admit(endpoint, reply->id, reply->refused ? &reply->response : NULL);
        break;
    }
    case LETTER_KICK: {
        const struct letter_identity *kick = (const struct letter_identity *)letter;
        (void)endpoint_kick(endpoint, kick->identity, kick->keep[0] != 0 ? kick->keep : NULL);
        break;
    }
    case LETTER_RENEW:
        (void)certificates_renew(endpoint, &((const struct letter_texts *)letter)->texts);
        break;
    case LETTER_REPLACED: {
        const struct letter_identity *replaced = (const struct letter_identity *)letter;
        endpoint_replaced(endpoint, replaced->identity, replaced->claim);
        break;
    }
    case LETTER_DATAGRAM: {
        const struct letter_datagram *d = (const struct letter_datagram *)letter;
        demux_passed(endpoint, &d->from, d->bytes, d->count, d->hops);
        break;
    }
    case LETTER_REQUEST:
    case LETTER_ADMIT:
    case LETTER_CLOSED:
        MYCEL_ASSERT(false); /* the shell's */
    }
}

/* An endpoint that closes still exists until its sockets are closed, but hears nothing more. */
static void on_bell(uv_async_t *bell)
{
    struct worker *worker = bell->data;
    struct letters letters = mailbox_take(&worker->siblings->box[worker->number]);
    struct letter *letter;
    if (atomic_exchange(&worker->must_kick_all, false)) {
        endpoint_kick_all(worker->endpoint);
    }
    while (worker->endpoint != NULL && !worker->endpoint->closing &&
           (letter = letters_take(&letters)) != NULL) {
        read_letter(worker, letter);
        letter_free(letter);
    }
    letters_free(&letters);
    if (atomic_exchange(&worker->must_close, false)) {
        close_endpoint(worker);
    }
}

/* --- The loop ------------------------------------------------------------------------------------ */

static void on_turn(void *user)
{
    struct worker *worker = user;
    uint64_t now_ms = uv_now(&worker->loop);
    uint32_t lost = siblings_post(worker->siblings, worker->number);
    if (worker->endpoint == NULL) {
        return;
    }
    worker->endpoint->stats.drops[NET_DROP_SEND] += lost;
    if (now_ms >= worker->stats_at_ms + WORKER_STATS_MS) {
        worker->stats_at_ms = now_ms;
        publish(worker);
    }
}

static void run(void *user)
{
    struct worker *worker = user;
    (void)uv_run(&worker->loop, UV_RUN_DEFAULT);
    MYCEL_ASSERT(worker->open == 0);
    siblings_write(worker->siblings, worker->number, worker->siblings->workers, worker->goodbye);
    worker->goodbye = NULL;
    (void)siblings_post(worker->siblings, worker->number);
}

/* --- Life ---------------------------------------------------------------------------------------- */

static int open_parts(struct worker *worker)
{
    int error =
        mailbox_open(&worker->siblings->box[worker->number], &worker->loop, on_bell, worker);
    if (error != 0) {
        return error;
    }
    turn_open(&worker->turn, &worker->loop, on_turn, worker);
    worker->open = 2;
    return 0;
}

static int open_endpoint(struct worker *worker, const struct net_config *config)
{
    struct net_config own = *config;
    own.callbacks = (struct net_callbacks){.user = worker,
                                           .psk_lookup = on_psk,
                                           .certificate_lookup = on_certificate,
                                           .wall_ms = on_wall_ms,
                                           .handler = on_request,
                                           .body_admit = on_admit,
                                           .log = config->callbacks.log != NULL ? on_log : NULL};
    int error = endpoint_open(&worker->endpoint, &worker->loop, &own, worker->siblings);
    if (error == 0) {
        worker->port = endpoint_port(worker->endpoint);
    }
    return error;
}

int worker_open(struct worker **out, struct siblings *siblings, const struct net_config *config)
{
    *out = NULL;
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    worker->siblings = siblings;
    worker->shell = config->callbacks;
    worker->number = config->worker;
    worker->goodbye = letter_plain(LETTER_CLOSED);
    bool locks = worker->goodbye != NULL && uv_mutex_init(&worker->stats_lock) == 0;
    if (!locks || uv_loop_init(&worker->loop) != 0) {
        if (locks) {
            uv_mutex_destroy(&worker->stats_lock);
        }
        free(worker->goodbye);
        free(worker);
        return MYCEL_E_NO_MEMORY;
    }
    int error = open_parts(worker);
    if (error == 0) {
        error = open_endpoint(worker, config);
    }
    if (error != 0) {
        worker_abort(worker);
        return error;
    }
    *out = worker;
    return 0;
}

int worker_start(struct worker *worker)
{
    return uv_thread_create(&worker->thread, run, worker) == 0 ? 0 : MYCEL_E_NO_MEMORY;
}

void worker_abort(struct worker *worker)
{
    if (worker->endpoint != NULL) {
        close_endpoint(worker);
    } else if (worker->open > 0) {
        on_endpoint_closed(worker);
    }
    (void)uv_run(&worker->loop, UV_RUN_DEFAULT);
    worker_free(worker);
}

static void ring(struct worker *worker)
{
    (void)uv_async_send(&worker->siblings->box[worker->number].bell);
}

void worker_close(struct worker *worker)
{
    atomic_store(&worker->must_close, true);
    ring(worker);
}

void worker_kick(struct worker *worker, const char *identity, const uint32_t *keep)
{
    struct siblings *siblings = worker->siblings;
    struct letter *letter = letter_identity(LETTER_KICK, identity, 0);
    if (letter != NULL && keep != NULL) {
        memcpy(((struct letter_identity *)letter)->keep, keep, NET_KEYS_MAX * sizeof *keep);
    }
    if (letter != NULL) {
        siblings_write(siblings, siblings->workers, worker->number, letter);
    } else {
        atomic_store(&worker->must_kick_all, true);
        ring(worker);
    }
}

int worker_renew(struct worker *worker, const struct pem_texts *texts)
{
    struct siblings *siblings = worker->siblings;
    struct letter *letter = letter_texts(LETTER_RENEW, texts);
    if (letter == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    siblings_write(siblings, siblings->workers, worker->number, letter);
    return 0;
}

void worker_join(struct worker *worker)
{
    (void)uv_thread_join(&worker->thread);
}

void worker_free(struct worker *worker)
{
    (void)uv_loop_close(&worker->loop);
    uv_mutex_destroy(&worker->stats_lock);
    free(worker->goodbye);
    free(worker);
}

uint16_t worker_port(const struct worker *worker)
{
    return worker->port;
}

void worker_add_stats(struct worker *worker, struct net_stats *sum)
{
    uv_mutex_lock(&worker->stats_lock);
    struct net_stats stats = worker->stats;
    uv_mutex_unlock(&worker->stats_lock);
    sum->datagrams_in += stats.datagrams_in;
    sum->datagrams_out += stats.datagrams_out;
    sum->bytes_in += stats.bytes_in;
    sum->bytes_out += stats.bytes_out;
    sum->hellos += stats.hellos;
    sum->handshakes += stats.handshakes;
    sum->requests += stats.requests;
    sum->duplicates += stats.duplicates;
    sum->parked += stats.parked;
    sum->unparked += stats.unparked;
    sum->rebinds += stats.rebinds;
    sum->bodies += stats.bodies;
    sum->passed_on += stats.passed_on;
    for (unsigned i = 0; i < NET_DROP_COUNT; i++) {
        sum->drops[i] += stats.drops[i];
    }
    sum->sessions += stats.sessions;
    sum->sessions_parked += stats.sessions_parked;
    sum->half_open += stats.half_open;
    sum->pending += stats.pending;
}
