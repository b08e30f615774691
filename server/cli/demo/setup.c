/* Prepares a demo: data, keys, run, and how each process is called. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/cli/demo/demo.h"
#include "server/cli/run.h"
#include "server/cli/say.h"
#include "server/cli/secret.h"
#include "server/cli/state.h"

#define PACE_MS 50u /* ten devices need no spreading */
#define DEADLINE_MS 60000u

/* ---- data --------------------------------------------------------------------------------- */

static int prepare_data(struct demo *d)
{
    int result = d->task->prepare(d->folder, d->options->data, d->options->seed, &d->files);
    bool fall_back = result == MYCEL_E_NOT_FOUND && d->options->data == NULL;
    if (!fall_back) {
        return result;
    }
    demo_choose(d, task_get(TASK_DIGITS));
    view_note(&d->view, "fallback",
              "Fashion-MNIST is not installed (apt-get install dataset-fashion-mnist): the demo "
              "trains on its built-in digits");
    return d->task->prepare(d->folder, NULL, d->options->seed, &d->files);
}

/* ---- state -------------------------------------------------------------------------------- */

static void device_name(uint32_t number, char out[CREW_NAME_BYTES])
{
    snprintf(out, CREW_NAME_BYTES, "device-%02" PRIu32, number);
}

/* One device: its folder, its key file, its row in the store. */
static int enroll(struct demo *d, uint32_t number)
{
    char name[CREW_NAME_BYTES], path[PATH_MAX];
    uint8_t key[SECRET_BYTES];
    uint32_t id;
    device_name(number, name);
    snprintf(path, sizeof path, "%.*s/%s", FOLDER_BYTES_MAX, d->folder, name);
    int result = mkdir(path, 0700) == 0 ? secret_make(key) : MYCEL_E_IO;
    if (result == MYCEL_OK) {
        snprintf(path, sizeof path, "%.*s/%s/key", FOLDER_BYTES_MAX, d->folder, name);
        result = secret_write(path, key);
    }
    if (result < 0) {
        say_error("%s: %s", path, strerror(errno));
    } else {
        result = store_device_enroll(d->store, name, "", key, sizeof key, state_now_ms(), &id);
        if (result < 0) {
            (void)state_fail(d->store, result, name);
        }
    }
    explicit_bzero(key, sizeof key);
    return result;
}

/* Every round waits for its whole cohort, only a device that stays away for a minute is left out. Where
 * that is all devices, the same seed gives the same model; else who comes first takes part. */
static int make_run(struct demo *d)
{
    struct store_run_config config = {
        .name = "demo",
        .seed = d->options->seed,
        .rounds = d->rounds,
        .goal = d->cohort,
        .minimum = (d->cohort * 4u + 4u) / 5u,
        .over_permille = 1000,
        .soft_ms = DEADLINE_MS,
        .pace_ms = PACE_MS,
        .samples_min = 1,
        .busy_allowed = true,
        .epochs = 1,
        .batch = d->task->batch,
        .learning_rate = d->task->learning_rate,
    };
    snprintf(config.model, sizeof config.model, "%s", d->task->model);
    snprintf(config.strategy, sizeof config.strategy, "%s", d->options->strategy);
    int result = run_create(d->store, &config, d->task->initial, &d->run);
    d->params = config.params;
    return result;
}

static int prepare_state(struct demo *d)
{
    struct config config = {.state = d->state};
    int result = state_open(&config, STATE_CREATE, &d->store);
    for (uint32_t i = 1; result == MYCEL_OK && i <= d->devices; i++) {
        result = enroll(d, i);
    }
    return result == MYCEL_OK ? make_run(d) : result;
}

/* ---- processes ---------------------------------------------------------------------------- */

/* A UDP port that is free now. It stays the same when the coordinator is started again, so that the
 * devices find it. */
static int find_port(unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = probe >= 0 && bind(probe, (struct sockaddr *)&address, sizeof address) == 0 &&
              getsockname(probe, (struct sockaddr *)&address, &bytes) == 0;
    *port = ntohs(address.sin_port);
    if (!ok) {
        say_error("no free UDP port on 127.0.0.1: %s", strerror(errno));
    }
    if (probe >= 0) {
        (void)close(probe);
    }
    return ok ? MYCEL_OK : MYCEL_E_IO;
}

static void argue(struct crew_process *p, const char *flag, const char *value)
{
    if (value[0] != '\0') {
        crew_argument(p, "--%s", flag);
        crew_argument(p, "%s", value);
    }
}

static void add_coordinator(struct demo *d)
{
    struct crew_process *p = crew_add(&d->crew, "coordinator");
    crew_argument(p, "serve");
    argue(p, "config", "none");
    argue(p, "state", d->state);
    argue(p, "listen", "127.0.0.1");
    crew_argument(p, "--port=%u", d->port);
    argue(p, "log-format", "json");
    argue(p, "log-level", "debug"); /* each update is shown */
    argue(p, "eval-data", d->files.held_out);
    argue(p, "eval-labels", d->files.held_out_labels);
    argue(p, "ready-file", d->ready);
}

static void add_device(struct demo *d, uint32_t number)
{
    char name[CREW_NAME_BYTES];
    device_name(number, name);
    struct crew_process *p = crew_add(&d->crew, name);
    snprintf(d->logs[number], sizeof d->logs[number], "%.*s/%s/log", FOLDER_BYTES_MAX, d->folder,
             name);
    p->log_path = d->logs[number];
    crew_argument(p, "client");
    argue(p, "config", "none");
    crew_argument(p, "--coordinator=127.0.0.1:%u", d->port);
    argue(p, "identity", name);
    crew_argument(p, "--key-file=%s/%s/key", d->folder, name);
    crew_argument(p, "--directory=%s/%s", d->folder, name);
    argue(p, "data", d->files.train);
    argue(p, "labels", d->files.train_labels);
    crew_argument(p, "--slice=%" PRIu32, number - 1u);
    crew_argument(p, "--slices=%" PRIu32, d->devices);
    argue(p, "partition", d->options->partition);
    crew_argument(p, "--partition-seed=%" PRIu64, d->options->seed);
    crew_argument(p, "--on-battery");
    if (d->task->in_order) {
        crew_argument(p, "--in-order");
    }
    argue(p, "pause", "10ms");
    argue(p, "patience", "3s"); /* a killed coordinator is back within a second */
    argue(p, "backoff", "100ms");
    argue(p, "backoff-max", "1s");
    argue(p, "patience", "3s"); /* a coordinator that was killed has forgotten the sessions */
}

int demo_prepare(struct demo *d)
{
    snprintf(d->state, sizeof d->state, "%.*s/coordinator", FOLDER_BYTES_MAX, d->folder);
    snprintf(d->ready, sizeof d->ready, "%.*s/ready", FOLDER_BYTES_MAX, d->folder);
    int result = prepare_data(d);
    if (result == MYCEL_OK) {
        result = prepare_state(d);
    }
    if (result == MYCEL_OK) {
        result = find_port(&d->port);
    }
    if (result == MYCEL_OK && crew_init(&d->crew) < 0) {
        say_error("no processes can be started: %s", strerror(errno));
        result = MYCEL_E_IO;
    }
    if (result == MYCEL_OK) {
        add_coordinator(d);
        for (uint32_t i = 1; i <= d->devices; i++) {
            add_device(d, i);
        }
    }
    return result;
}
