/* Implementation of coordinator.h. */
#include "tests/bench/fleet/coordinator.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <mycel/error.h>

#include "server/store/store.h"
#include "server/store/store_device.h"
#include "tests/bench/fleet/device.h"

#define NUMBER_BYTES 16
#define READY_WAIT_MS 20000
#define POLL_MS 10

static int fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "fleet: %s: %s\n", what, why);
    return -1;
}

/* A path in the folder; they are short by construction. */
static void path_of(const struct coordinator *c, const char *name,
                    char path[COORDINATOR_PATH_BYTES])
{
    (void)snprintf(path, COORDINATOR_PATH_BYTES, "%.96s/%s", c->folder, name);
}

/* ---- store */

static int enroll(struct store *store, uint32_t devices)
{
    int rc = store_begin(store);
    for (uint32_t i = 0; i < devices && rc == 0; i++) {
        char name[DEVICE_NAME_BYTES];
        uint8_t key[DEVICE_KEY_BYTES];
        uint32_t id;
        device_name(i, name);
        device_key(i, key);
        rc = store_device_enroll(store, name, "", key, sizeof key, (uint64_t)time(NULL) * 1000u,
                                 &id);
    }
    return rc == 0 ? store_commit(store) : rc;
}

void coordinator_token(uint32_t index, uint8_t token[PROTO_TOKEN_BYTES])
{
    memset(token, 0x5A, PROTO_TOKEN_BYTES);
    memcpy(token, &index, sizeof index);
}

static int add_tokens(struct store *store, uint32_t tokens)
{
    static const uint8_t share[PROTO_SHARE_BYTES] = {1};
    uint64_t now_ms = (uint64_t)time(NULL) * 1000u;
    int rc = store_begin(store);
    for (uint32_t i = 0; i < tokens && rc == 0; i++) {
        char name[32];
        uint8_t token[PROTO_TOKEN_BYTES];
        (void)snprintf(name, sizeof name, "newcomer-%05u", (unsigned)i);
        coordinator_token(i, token);
        rc = store_token_add(store, token, share, name, "", now_ms, now_ms + 86400000u);
    }
    return rc == 0 ? store_commit(store) : rc;
}

static int make_store(const struct coordinator *c, uint32_t devices, uint32_t tokens)
{
    char state[COORDINATOR_PATH_BYTES];
    char problem[STORE_PROBLEM_BYTES] = "";
    struct store *store = NULL;
    path_of(c, "state", state);
    struct store_options options = {.folder = state, .create = true};
    int rc = store_open(&options, &store, problem);
    if (rc < 0) {
        return fail("the store", problem);
    }
    rc = enroll(store, devices);
    if (rc == 0) {
        rc = add_tokens(store, tokens);
    }
    store_close(store);
    return rc < 0 ? fail("enrolment", mycel_error_text(rc)) : 0;
}

/* ---- processes */

static pid_t spawn(const struct coordinator *c, const char *const *arguments)
{
    char path[COORDINATOR_PATH_BYTES];
    path_of(c, "log", path);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    pid_t parent = getpid();
    pid_t pid = log < 0 ? -1 : fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent && dup2(log, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0) {
            (void)execv(MYCEL_BIN, (char *const *)(uintptr_t)arguments);
        }
        _exit(127);
    }
    if (log >= 0) {
        (void)close(log);
    }
    return pid;
}

/* The exit code, or -1. */
static int wait_for(pid_t pid)
{
    int status;
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                           : -1;
}

static void show_log(const struct coordinator *c)
{
    char path[COORDINATOR_PATH_BYTES];
    char line[512];
    path_of(c, "log", path);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        (void)fseek(file, -4000, SEEK_END);
    }
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        (void)fputs(line, stderr);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

static int make_run(const struct coordinator *c, const struct coordinator_options *o)
{
    char state[COORDINATOR_PATH_BYTES];
    char goal[NUMBER_BYTES];
    char pace[NUMBER_BYTES];
    path_of(c, "state", state);
    (void)snprintf(goal, sizeof goal, "%u", (unsigned)o->goal);
    (void)snprintf(pace, sizeof pace, "%ums", (unsigned)o->pace_ms);
    const char *downlink = o->downlink != NULL ? o->downlink : "f32";
    const char *const arguments[] = {"mycel",      "run",        "create", "--state",
                                     state,        "--model",    o->model, "--goal",
                                     goal,         "--min",      goal,     "--pace",
                                     pace,         "--codec",    o->codec, "--seed",
                                     "1",          "--rounds",   "0",      "--over-selection",
                                     "1",          "--deadline", "5m",     "--json",
                                     "--downlink", downlink,     NULL};
    if (wait_for(spawn(c, arguments)) != 0) {
        show_log(c);
        return fail("mycel run create", "failed");
    }
    return 0;
}

/* The port that the coordinator says it serves on, 0: not yet. */
static uint16_t read_port(const char *path)
{
    unsigned port = 0;
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        if (fscanf(file, "%u", &port) != 1) {
            port = 0;
        }
        (void)fclose(file);
    }
    return (uint16_t)port;
}

static int serve(struct coordinator *c, uint32_t keep_versions)
{
    char keep[NUMBER_BYTES];
    char state[COORDINATOR_PATH_BYTES];
    char ready[COORDINATOR_PATH_BYTES];
    path_of(c, "state", state);
    path_of(c, "ready", ready);
    const char *const arguments[] = {"mycel",
                                     "serve",
                                     "--config",
                                     "none",
                                     "--state",
                                     state,
                                     "--listen",
                                     "127.0.0.1",
                                     "--port",
                                     "0",
                                     "--log-format",
                                     "json",
                                     "--ready-file",
                                     ready,
                                     keep_versions > 0 ? "--keep-versions" : NULL,
                                     keep,
                                     NULL};
    (void)snprintf(keep, sizeof keep, "%u", (unsigned)keep_versions);
    c->pid = spawn(c, arguments);
    for (unsigned waited_ms = 0; c->pid > 0 && waited_ms < READY_WAIT_MS; waited_ms += POLL_MS) {
        const struct timespec pause = {.tv_nsec = POLL_MS * 1000000};
        c->port = read_port(ready);
        if (c->port != 0) {
            return 0;
        }
        (void)nanosleep(&pause, NULL);
    }
    show_log(c);
    return fail("mycel serve", "does not serve");
}

int coordinator_start(struct coordinator *coordinator, const struct coordinator_options *options)
{
    const char *parent = getenv("TMPDIR");
    *coordinator = (struct coordinator){.pid = -1};
    (void)snprintf(coordinator->folder, sizeof coordinator->folder, "%.64s/mycel-fleet-XXXXXX",
                   parent != NULL ? parent : "/tmp");
    if (mkdtemp(coordinator->folder) == NULL) {
        return fail("a temporary folder", "cannot be made");
    }
    if (make_store(coordinator, options->devices, options->tokens) < 0 ||
        make_run(coordinator, options) < 0) {
        return -1;
    }
    return serve(coordinator, options->keep_versions);
}

double coordinator_cpu_s(const struct coordinator *coordinator)
{
    clockid_t clock;
    struct timespec spent = {0};
    if (clock_getcpuclockid(coordinator->pid, &clock) != 0 || clock_gettime(clock, &spent) != 0) {
        return -1;
    }
    return (double)spent.tv_sec + (double)spent.tv_nsec * 1e-9;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st, (void)type, (void)walk;
    return remove(path);
}

int coordinator_stop(struct coordinator *coordinator)
{
    int rc = 0;
    if (coordinator->pid > 0) {
        (void)kill(coordinator->pid, SIGTERM);
        rc = wait_for(coordinator->pid) == 0 ? 0 : fail("mycel serve", "did not end well");
    }
    (void)nftw(coordinator->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return rc;
}
