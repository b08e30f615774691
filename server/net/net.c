/*
 * Implementation of net.h: with one worker an endpoint on the caller's loop, with several the shell's
 * side of their letters. It must never touch a session: endpoints do.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <mycel/error.h>

#include "common/assert.h"
#include "server/net/certificates.h"
#include "server/net/endpoint.h"
#include "server/net/turn.h"
#include "server/net/upload.h"
#include "server/net/worker.h"

#define PEERS_DEFAULT 16384u
#define CERTIFICATE_HANDSHAKES_DEFAULT 50u
#define HALF_OPEN_DEFAULT 1024u
#define LIVE_DEFAULT 1024u
#define PARK_AFTER_DEFAULT_MS 10000u
#define PEERS_MAX (1u << 20)
#define HANDSHAKE_TIMEOUT_DEFAULT_MS 30000u
#define IDLE_TIMEOUT_DEFAULT_MS (UINT64_C(24) * 3600 * 1000)
#define BODY_TOTAL_DEFAULT_BYTES (UINT64_C(256) << 20)
#define BODY_EXPIRY_DEFAULT_MS 900000u
#define BODY_BYTES_LIMIT (UINT64_C(1) << 30) /* 2^20 blocks of 1,024 bytes */

struct net {
    struct net_callbacks callbacks;
    struct endpoint *alone; /* with one worker; NULL: all of the following */
    struct siblings *siblings;
    struct worker *worker[NET_WORKERS_MAX];
    unsigned opened;  /* workers below exist */
    unsigned running; /* … and have not said goodbye */
    struct turn turn;
    unsigned open;  /* of the turn and the shell's mailbox */
    bool certified; /* certificates are in the configuration */
    bool closing;
    void (*closed)(void *user);
    void *closed_user;
};

/* --- Configuration ------------------------------------------------------------------------------- */

#define DEFAULT(field, value)                                                                      \
    do {                                                                                           \
        if ((field) == 0) {                                                                        \
            (field) = (value);                                                                     \
        }                                                                                          \
    } while (0)

static int config_complete(struct net_config *config)
{
    DEFAULT(config->workers, 1);
    DEFAULT(config->peers_max, PEERS_DEFAULT);
    DEFAULT(config->half_open_max, HALF_OPEN_DEFAULT);
    DEFAULT(config->handshake_timeout_ms, HANDSHAKE_TIMEOUT_DEFAULT_MS);
    DEFAULT(config->idle_timeout_ms, IDLE_TIMEOUT_DEFAULT_MS);
    DEFAULT(config->live_max, LIVE_DEFAULT);
    DEFAULT(config->park_after_ms, PARK_AFTER_DEFAULT_MS);
    DEFAULT(config->body_bytes_max, PROTO_UPDATE_BYTES_MAX);
    /* One largest upload and what it costs to keep the books of it. */
    DEFAULT(config->body_bytes_device, config->body_bytes_max + config->body_bytes_max / 64 + 4096);
    DEFAULT(config->body_bytes_total, BODY_TOTAL_DEFAULT_BYTES);
    DEFAULT(config->body_expiry_ms, BODY_EXPIRY_DEFAULT_MS);
    DEFAULT(config->certificate_handshakes_per_s, CERTIFICATE_HANDSHAKES_DEFAULT);
    const struct net_callbacks *callbacks = &config->callbacks;
    bool certificates = config->certificates == NULL ||
                        (callbacks->certificate_lookup != NULL && callbacks->wall_ms != NULL);
    bool valid = config->addresses >= 1 && config->addresses <= NET_ADDRESSES_MAX &&
                 config->workers <= NET_WORKERS_MAX && config->peers_max <= PEERS_MAX &&
                 config->half_open_max <= PEERS_MAX && config->body_bytes_max <= BODY_BYTES_LIMIT &&
                 callbacks->psk_lookup != NULL && callbacks->handler != NULL &&
                 callbacks->body_admit != NULL && certificates;
    return valid ? 0 : MYCEL_E_INVALID;
}

/* --- Letters of the workers ---------------------------------------------------------------------- */

static void post(void *user)
{
    struct net *net = user;
    (void)siblings_post(net->siblings, net->siblings->workers);
}

static void net_free(struct net *net)
{
    void (*closed)(void *) = net->closed;
    void *user = net->closed_user;
    if (net->siblings != NULL) {
        for (unsigned i = 0; i < net->opened; i++) {
            mailbox_deinit(&net->siblings->box[i]);
        }
        siblings_deinit(net->siblings);
        free(net->siblings);
    }
    free(net);
    if (closed != NULL) {
        closed(user);
    }
}

static void on_part_closed(void *user)
{
    struct net *net = user;
    if (--net->open == 0) {
        mailbox_deinit(&net->siblings->box[net->siblings->workers]);
        net_free(net);
    }
}

static void on_bell_closed(uv_handle_t *bell)
{
    on_part_closed(bell->data);
}

/* No worker is left. */
static void close_parts(struct net *net)
{
    mailbox_shut(&net->siblings->box[net->siblings->workers], on_bell_closed);
    turn_close(&net->turn, on_part_closed);
}

static void read_request(struct net *net, struct letter_request *letter)
{
    const struct net_request *request = &letter->request;
    net->callbacks.handler(net->callbacks.user, request);
    letter->request.body = NULL; /* the handler's now */
}

static void read_admit(struct net *net, const struct letter_request *letter)
{
    struct net_request request = letter->request;
    struct net_response refusal = NET_RESPONSE(NET_CODE(4, 3));
    request.reply = 0;
    int verdict = net->callbacks.body_admit(net->callbacks.user, &request, letter->bytes, &refusal);
    struct letter *answer = letter_reply(LETTER_VERDICT, letter->request.reply & ~WORKER_REPLY_MASK,
                                         verdict == 0 ? NULL : &refusal);
    if (answer != NULL) { /* else the device is told 5.03 when its deadline passes */
        siblings_write(net->siblings, net->siblings->workers, letter->head.from, answer);
    }
}

static void read_goodbye(struct net *net, unsigned worker)
{
    worker_join(net->worker[worker]);
    net->running--;
    if (net->running == 0) {
        for (unsigned i = 0; i < net->opened; i++) {
            worker_free(net->worker[i]);
        }
        close_parts(net);
    }
}

static void on_bell(uv_async_t *bell)
{
    struct net *net = bell->data;
    struct letters letters = mailbox_take(&net->siblings->box[net->siblings->workers]);
    struct letter *letter;
    while ((letter = letters_take(&letters)) != NULL) {
        if (letter->type == LETTER_CLOSED) {
            read_goodbye(net, letter->from);
        } else if (letter->type == LETTER_REQUEST && !net->closing) {
            read_request(net, (struct letter_request *)letter);
        } else if (letter->type == LETTER_ADMIT && !net->closing) {
            read_admit(net, (const struct letter_request *)letter);
        }
        letter_free(letter);
    }
}

/* --- Opening ------------------------------------------------------------------------------------- */

static int open_siblings(struct net *net, uv_loop_t *loop, const struct net_config *config)
{
    uint64_t secret[2];
    const struct body_limits limits = body_limits_of(config);
    if (getrandom(secret, sizeof secret, 0) != (ssize_t)sizeof secret) {
        return MYCEL_E_CRYPTO;
    }
    net->siblings = malloc(sizeof *net->siblings);
    if (net->siblings == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    int error = siblings_init(net->siblings, config, &limits, secret);
    if (error == 0) {
        error = mailbox_open(&net->siblings->box[config->workers], loop, on_bell, net);
    }
    if (error != 0) {
        return error;
    }
    turn_open(&net->turn, loop, post, net);
    net->open = 2;
    return 0;
}

/* All sockets are bound before anybody reads: the kernel spreads datagrams the same way ever after. */
static int open_workers(struct net *net, const struct net_config *config)
{
    struct net_config own = *config;
    own.half_open_max = config->half_open_max / config->workers + 1;
    own.live_max = config->live_max / config->workers + 1;
    own.certificate_handshakes_per_s = config->certificate_handshakes_per_s / config->workers + 1;
    for (unsigned i = 0; i < config->workers; i++) {
        own.worker = (uint8_t)i;
        int error = worker_open(&net->worker[i], net->siblings, &own);
        if (error != 0) {
            return error;
        }
        own.port = worker_port(net->worker[i]);
        net->opened++;
    }
    for (unsigned i = 0; i < config->workers; i++) {
        int error = worker_start(net->worker[i]);
        if (error != 0) {
            return error;
        }
        net->running++;
    }
    return 0;
}

/* What was opened is closed; the rest of it when the loop runs. */
static void open_failed(struct net *net)
{
    if (net->open == 0) {
        net_free(net);
        return;
    }
    while (net->opened > net->running) {
        worker_abort(net->worker[--net->opened]);
    }
    net->closing = true;
    for (unsigned i = 0; i < net->running; i++) {
        worker_close(net->worker[i]);
    }
    if (net->running == 0) {
        close_parts(net);
    }
}

static int open_many(struct net *net, uv_loop_t *loop, const struct net_config *config)
{
    int error = open_siblings(net, loop, config);
    if (error == 0) {
        error = open_workers(net, config);
    }
    if (error != 0) {
        open_failed(net);
    }
    return error;
}

int net_open(struct net **out, uv_loop_t *loop, const struct net_config *config)
{
    *out = NULL;
    struct net_config complete = *config;
    int error = config_complete(&complete);
    if (error != 0) {
        return error;
    }
    struct net *net = calloc(1, sizeof *net);
    if (net == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    net->callbacks = complete.callbacks;
    net->certified = complete.certificates != NULL;
    if (complete.workers > 1) {
        error = open_many(net, loop, &complete);
    } else {
        error = endpoint_open(&net->alone, loop, &complete, NULL);
        if (error != 0) {
            free(net);
        }
    }
    *out = error == 0 ? net : NULL;
    return error;
}

uint16_t net_port(const struct net *net)
{
    return net->alone != NULL ? endpoint_port(net->alone) : worker_port(net->worker[0]);
}

/* --- Closing ------------------------------------------------------------------------------------- */

static void on_alone_closed(void *user)
{
    net_free(user);
}

void net_close(struct net *net, void (*closed)(void *user), void *user)
{
    MYCEL_ASSERT(!net->closing);
    net->closing = true;
    net->closed = closed;
    net->closed_user = user;
    if (net->alone != NULL) {
        endpoint_close(net->alone, on_alone_closed, net);
        return;
    }
    post(net);
    for (unsigned i = 0; i < net->opened; i++) {
        worker_close(net->worker[i]);
    }
}

/* --- Answers and control ------------------------------------------------------------------------- */

int net_reply(struct net *net, net_reply_id id, const struct net_response *response)
{
    MYCEL_ASSERT(response->payload_bytes <= NET_PAYLOAD_BYTES_MAX);
    MYCEL_ASSERT(response->blob == NULL || response->payload_bytes == 0);
    if (net->alone != NULL) {
        return endpoint_reply(net->alone, id, response);
    }
    unsigned worker = (unsigned)((id & WORKER_REPLY_MASK) >> WORKER_REPLY_SHIFT);
    if (net->closing || worker >= net->opened) {
        free(response->body);
        return MYCEL_E_CLOSED;
    }
    struct letter *letter = letter_reply(LETTER_REPLY, id & ~WORKER_REPLY_MASK, response);
    if (letter == NULL) {
        free(response->body);
        return MYCEL_E_NO_MEMORY;
    }
    siblings_write(net->siblings, net->siblings->workers, worker, letter);
    return 0;
}

int net_body_status(struct net *net, const struct net_request *request, uint8_t *out,
                    size_t capacity)
{
    struct bodies *bodies = net->alone != NULL ? net->alone->bodies : net->siblings->bodies;
    return upload_status(bodies, request, out, capacity);
}

static int kick(struct net *net, const char *identity, const uint32_t *keep)
{
    if (net->alone != NULL) {
        return endpoint_kick(net->alone, identity, keep);
    }
    if (net->closing || strlen(identity) > PROTO_IDENTITY_BYTES_MAX) {
        return 0;
    }
    int ended = registry_forget(&net->siblings->registry, identity, keep) ? 1 : 0;
    for (unsigned i = 0; i < net->opened; i++) {
        worker_kick(net->worker[i], identity, keep);
    }
    return ended;
}

int net_kick(struct net *net, const char *identity)
{
    return kick(net, identity, NULL);
}

int net_kick_others(struct net *net, const char *identity, const uint32_t keep[NET_KEYS_MAX])
{
    return kick(net, identity, keep);
}

/* Workers parse for themselves, later; the caller hears now what they will find. */
int net_renew(struct net *net, const struct pem_texts *texts)
{
    if (!net->certified) {
        return MYCEL_E_STATE;
    }
    if (net->alone != NULL) {
        return certificates_renew(net->alone, texts);
    }
    int error = certificates_try(&net->callbacks, texts);
    for (unsigned i = 0; i < net->opened && !net->closing && error == 0; i++) {
        error = worker_renew(net->worker[i], texts);
    }
    return error;
}

void net_stats(const struct net *net, struct net_stats *out)
{
    if (net->alone != NULL) {
        endpoint_stats(net->alone, out);
        return;
    }
    *out = (struct net_stats){0};
    for (unsigned i = 0; i < net->opened; i++) {
        worker_add_stats(net->worker[i], out);
    }
    bodies_gauge(net->siblings->bodies, &out->bodies_partial, &out->bodies_partial_bytes);
}

const char *net_drop_text(enum net_drop reason)
{
    static const char *const texts[] = {
#define NET_DROP_TEXT(name, words) words,
        NET_DROP_TABLE(NET_DROP_TEXT)
#undef NET_DROP_TEXT
    };
    MYCEL_ASSERT(reason < NET_DROP_COUNT);
    return texts[reason];
}
