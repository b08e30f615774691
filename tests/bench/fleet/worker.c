/* Implementation of worker.h. */
#include "tests/bench/fleet/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <mycel/error.h>

#define EVENTS_MAX 64
#define WAIT_MAX_MS 1000u

struct worker {
    struct device *devices;
    int *watched; /* descriptor of each device that the loop knows of, -1: none */
    uint32_t count;
    int epoll;
};

/* A device opens and closes its socket as it likes; a closed one leaves the set by itself. */
static void watch(struct worker *w, uint32_t index)
{
    int fd = w->devices[index].link.fd;
    if (fd == w->watched[index]) {
        return;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    w->watched[index] = fd;
    if (fd >= 0 && epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        perror("fleet: epoll_ctl");
        _exit(1);
    }
}

static void poll_one(struct worker *w, uint32_t index)
{
    device_poll(&w->devices[index]);
    watch(w, index);
}

/* Those whose time has come; how long the others can wait. */
static int poll_due(struct worker *w)
{
    uint64_t now_ms = link_now_ms();
    uint64_t next_ms = now_ms + WAIT_MAX_MS;
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->devices[i].wake_ms <= now_ms) {
            poll_one(w, i);
        }
        if (w->devices[i].wake_ms < next_ms) {
            next_ms = w->devices[i].wake_ms;
        }
    }
    return next_ms > now_ms ? (int)(next_ms - now_ms) : 0;
}

static void run(struct worker *w)
{
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(w->epoll, events, EVENTS_MAX, poll_due(w));
        for (int i = 0; i < count; i++) {
            poll_one(w, events[i].data.u32);
        }
    }
}

static void work(const struct worker_options *options)
{
    struct device_shared *shared = malloc(sizeof *shared);
    struct worker w = {.count = options->devices, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    w.devices = calloc(w.count, sizeof *w.devices);
    w.watched = calloc(w.count, sizeof *w.watched);
    if (shared == NULL || w.devices == NULL || w.watched == NULL || w.epoll < 0) {
        perror("fleet: worker");
        return;
    }
    device_share(shared, options->counts, options->port, options->codecs);
    for (uint32_t i = 0; i < w.count; i++) {
        int rc = device_open(&w.devices[i], shared, options->first + i);
        w.watched[i] = -1;
        if (rc < 0) {
            (void)fprintf(stderr, "fleet: device %u: %s\n", (unsigned)i, mycel_error_text(rc));
            return;
        }
    }
    run(&w);
}

pid_t worker_start(const struct worker_options *options)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)prctl(PR_SET_NAME, "fleet");
        if (getppid() == parent) {
            work(options);
        }
        _exit(1);
    }
    return pid;
}
