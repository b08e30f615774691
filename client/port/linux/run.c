/*
 * Joins the client with the Linux port: opens what it needs, sleeps until something is due, ends
 * cleanly on a signal. It owns the process's loop and nothing of the protocol.
 */
#include "client/port/linux/run.h"

#include "client/port/linux/coap_transport.h"
#include "client/port/linux/device_certificate.h"
#include "client/port/linux/endpoint_name.h"
#include "client/port/linux/enrol.h"
#include "client/port/linux/file_store.h"
#include "client/port/linux/host_platform.h"
#include "client/port/linux/key_file.h"
#include "client/port/linux/keyring.h"
#include "client/port/linux/nn_trainer.h"
#include "client/port/linux/progress.h"
#include "client/port/linux/training_data.h"

#include <limits.h>
#include <mycel/client.h>
#include <mycel/error.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define CODECS_ALL 0u /* whatever the runtime can encode */

struct runner {
    const struct client_options *options;
    struct progress progress;
    struct key_file key;                    /* until the transport has it; its name stays */
    struct device_certificate *certificate; /* NULL: the key */
    char coordinator_name[ENDPOINT_HOST_BYTES_MAX];
    struct dataset data;
    struct nn_trainer trainer;
    struct file_store store;
    struct host_platform platform;
    struct coap_transport *transport;
    struct keyring keyring;
    struct mycel_port port;
    struct mycel_client_config config;
    struct mycel_client client;
    uint64_t scratch[MYCEL_CLIENT_SCRATCH_BYTES / sizeof(uint64_t)];
    uint32_t receipts;
};

static void on_event(void *ctx, const struct mycel_event *event)
{
    struct runner *r = ctx;
    r->receipts += event->kind == MYCEL_EVENT_RECEIPT;
    progress_event(&r->progress, event);
}

/* ---- opening */

static int fail(const struct runner *r, int code, const char *what)
{
    progress_failure(&r->progress, code, what);
    return code;
}

static int open_data(struct runner *r)
{
    char problem[DATASET_PROBLEM_BYTES] = "the data set cannot be read";
    int rc = training_data_load(r->options, &r->data, problem);
    if (rc < 0) {
        return fail(r, rc, problem);
    }
    nn_trainer_init(&r->trainer, &r->data);
    r->trainer.in_order = r->options->in_order;
    return MYCEL_OK;
}

static int enrol(struct runner *r)
{
    int rc = enrol_device(r->options, &r->progress, &r->key);
    if (rc == MYCEL_E_REVOKED) {
        return fail(r, rc, "the coordinator does not take the token (any more)");
    }
    return rc < 0 ? fail(r, rc, "enrolment with the token failed") : MYCEL_OK;
}

/* The key file, made with the token if there is none yet. */
static int open_key(struct runner *r)
{
    const struct client_options *o = r->options;
    int rc = key_file_read(o->key_file, &r->key);
    if (rc == MYCEL_E_NOT_FOUND && o->token_file != NULL) {
        rc = enrol(r);
        if (rc < 0) {
            return rc;
        }
    }
    if (rc < 0) {
        return fail(r, rc,
                    rc == MYCEL_E_PERMISSION ? "the key file must be readable by its owner only"
                                             : "the key file cannot be read");
    }
    if (o->identity != NULL && r->key.identity[0] != '\0' &&
        strcmp(o->identity, r->key.identity) != 0) {
        return fail(r, MYCEL_E_INVALID, "the key file is another device's");
    }
    if (o->identity != NULL) {
        (void)snprintf(r->key.identity, sizeof r->key.identity, "%s", o->identity);
    }
    if (r->key.identity[0] == '\0') {
        return fail(r, MYCEL_E_INVALID, "the key file does not say whose it is: give an identity");
    }
    r->progress.device = r->key.identity;
    return MYCEL_OK;
}

/* The certificate, which says who this is. */
static int open_certificate(struct runner *r)
{
    const struct client_options *o = r->options;
    char problem[DEVICE_CERTIFICATE_PROBLEM_BYTES] = "";
    if (o->private_key == NULL || o->coordinator_ca == NULL) {
        return fail(r, MYCEL_E_INVALID,
                    "with a certificate, its key and the coordinator's CA are needed");
    }
    struct device_certificate_config config = {
        .files = {o->certificate, o->private_key, o->coordinator_ca, o->coordinator_crl},
        .name = o->coordinator_name};
    if (config.name == NULL) {
        if (endpoint_name_host(o->coordinator, r->coordinator_name) < 0) {
            return fail(r, MYCEL_E_INVALID, "the coordinator's address cannot be used");
        }
        config.name = r->coordinator_name;
    }
    int rc = device_certificate_open(&r->certificate, &config, problem);
    if (rc < 0) {
        return fail(r, rc, problem);
    }
    if (problem[0] != '\0') {
        progress_failure(&r->progress, MYCEL_E_UNAUTHORIZED, problem);
    }
    const char *identity = device_certificate_identity(r->certificate);
    if (o->identity != NULL && strcmp(o->identity, identity) != 0) {
        return fail(r, MYCEL_E_INVALID, "the certificate is another device's");
    }
    (void)snprintf(r->key.identity, sizeof r->key.identity, "%s", identity);
    r->progress.device = r->key.identity;
    return MYCEL_OK;
}

static void on_refused(void *user, const char *why)
{
    const struct runner *r = user;
    char text[DEVICE_CERTIFICATE_PROBLEM_BYTES];
    (void)snprintf(text, sizeof text, "the coordinator's certificate is refused: %s", why);
    progress_failure(&r->progress, MYCEL_E_UNAUTHORIZED, text);
}

static int open_transport(struct runner *r)
{
    const struct coap_transport_config config = {.coordinator = r->options->coordinator,
                                                 .identity = r->key.identity,
                                                 .key = r->key.key,
                                                 .key_bytes = r->key.key_bytes,
                                                 .certificate = r->certificate,
                                                 .refused = on_refused,
                                                 .user = r};
    int rc = coap_transport_open(&r->transport, &config);
    explicit_bzero(r->key.key, sizeof r->key.key);
    return rc < 0 ? fail(r, rc, "the coordinator's address cannot be used") : MYCEL_OK;
}

static int open_store(struct runner *r)
{
    int rc = file_store_open(&r->store, r->options->directory);
    if (rc == MYCEL_E_BUSY) {
        return fail(r, rc, "another client is using this directory");
    }
    if (rc == MYCEL_E_PERMISSION) {
        return fail(r, rc, "the directory must belong to this user and to nobody else");
    }
    return rc < 0 ? fail(r, rc, "the directory cannot be used") : MYCEL_OK;
}

static int open_client(struct runner *r)
{
    const struct client_options *o = r->options;
    struct host_policy policy = {.load_max = o->load_max,
                                 .on_battery = o->on_battery,
                                 .battery_min_percent = o->battery_min_percent};
    host_platform_init(&r->platform, &policy);
    r->platform.on_event = on_event;
    r->platform.event_ctx = r;
    r->keyring = (struct keyring){
        .path = o->key_file, .identity = r->key.identity, .transport = r->transport};
    r->port = (struct mycel_port){&coap_transport_table,
                                  r->transport,
                                  &file_store_table,
                                  &r->store,
                                  &nn_trainer_table,
                                  &r->trainer,
                                  &host_platform_table,
                                  &r->platform,
                                  r->certificate != NULL ? NULL : &keyring_table,
                                  &r->keyring};
    r->config = (struct mycel_client_config){
        .device_class = o->device_class != NULL ? o->device_class : "linux",
        .codecs = CODECS_ALL,
        .narrow_link = o->narrow_link,
        .block_bytes = o->block_bytes,
        .answer_ms = o->answer_ms,
        .backoff_min_ms = o->backoff_min_ms,
        .backoff_max_ms = o->backoff_max_ms,
        .sleep_min_ms = o->sleep_min_ms,
        .start_spread_ms = o->start_spread_ms,
        .scratch = r->scratch,
        .scratch_bytes = sizeof r->scratch};
    int rc = mycel_client_init(&r->client, &r->port, &r->config, host_now_ms());
    return rc < 0 ? fail(r, rc, "the client cannot be started") : MYCEL_OK;
}

/* ---- running */

static bool is_complete(const struct runner *r)
{
    return r->options->rounds > 0 && r->receipts >= r->options->rounds;
}

/* Sleeps until there is input, a signal, or the time is over. True: the process was asked to end. */
static bool wait_for(const struct runner *r, int signals, uint32_t wait_ms)
{
    struct pollfd inputs[] = {{.fd = coap_transport_fd(r->transport), .events = POLLIN},
                              {.fd = signals, .events = POLLIN}};
    int timeout = wait_ms < INT_MAX ? (int)wait_ms : INT_MAX;
    return poll(inputs, 2, timeout) > 0 && inputs[1].revents != 0;
}

static int run(struct runner *r)
{
    sigset_t ending;
    sigset_t before;
    (void)sigemptyset(&ending);
    (void)sigaddset(&ending, SIGTERM);
    (void)sigaddset(&ending, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &ending, &before);
    int signals = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0) {
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        return fail(r, MYCEL_E_IO, "signals cannot be watched");
    }
    uint32_t wait_ms = 0;
    do {
        wait_ms = mycel_client_poll(&r->client, host_now_ms());
    } while (!is_complete(r) && !wait_for(r, signals, wait_ms));

    /* The signal is taken, or it would end the process as soon as it is let in again. */
    struct signalfd_siginfo taken;
    while (read(signals, &taken, sizeof taken) > 0) {
    }
    (void)close(signals);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    mycel_client_deinit(&r->client);
    struct coap_transport_bytes bytes = coap_transport_bytes(r->transport);
    progress_end(&r->progress, r->receipts, bytes.sent, bytes.received);
    return MYCEL_OK;
}

static int open_and_run(struct runner *r)
{
    int rc = open_store(r);
    if (rc == MYCEL_OK) {
        rc = open_data(r);
    }
    if (rc == MYCEL_OK) {
        rc = r->options->certificate != NULL ? open_certificate(r) : open_key(r);
    }
    if (rc == MYCEL_OK) {
        rc = open_transport(r);
    }
    if (rc == MYCEL_OK) {
        rc = open_client(r);
    }
    return rc == MYCEL_OK ? run(r) : rc;
}

int client_main(const struct client_options *options)
{
    struct progress progress = {.out = stderr, .json = options->json};
    progress.device = options->identity != NULL ? options->identity : "client";
    bool has_identity = options->key_file != NULL || options->certificate != NULL;
    if (options->coordinator == NULL || !has_identity || options->directory == NULL ||
        options->data == NULL) {
        progress_failure(&progress, MYCEL_E_INVALID,
                         "coordinator, key file or certificate, directory and data are needed");
        return MYCEL_E_INVALID;
    }
    struct runner *r = calloc(1, sizeof *r);
    if (r == NULL) {
        progress_failure(&progress, MYCEL_E_NO_MEMORY, "the client cannot be started");
        return MYCEL_E_NO_MEMORY;
    }
    r->options = options;
    r->progress = progress;
    int rc = open_and_run(r); /* opens the store first: it can be closed whatever comes */
    coap_transport_close(r->transport);
    device_certificate_close(r->certificate);
    file_store_close(&r->store);
    dataset_free(&r->data);
    explicit_bzero(&r->key, sizeof r->key);
    explicit_bzero(&r->keyring, sizeof r->keyring);
    free(r);
    return rc;
}
