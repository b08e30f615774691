/* Implementation of relay.h. */
#include "relay.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define BATCH_MAX 256 /* datagrams taken from one socket before the others get their turn */
#define BUFFER_BYTES (4 << 20)
#define LISTENER UINT32_MAX
#define STOP (UINT32_MAX - 1u)

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* ---- sockets */

static int watch(const struct relay *r, int fd, uint32_t name)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = name};
    return epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &event);
}

static int open_socket(const struct endpoint *like)
{
    int fd = socket(like->address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int bytes = BUFFER_BYTES;
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    }
    return fd;
}

/* A port towards the server. 0, or -1. */
static int flow_bind(struct relay *r, uint32_t index)
{
    const struct endpoint *to = &r->options->to;
    int fd = open_socket(to);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to->address, to->bytes) != 0 ||
        watch(r, fd, index) != 0) {
        (void)(fd >= 0 && close(fd));
        return -1;
    }
    r->flows[index].fd = fd;
    return 0;
}

/* The flow of a client, made if it is new; NULL when there is no room. */
static struct flow *flow_of(struct relay *r, const struct endpoint *client)
{
    for (uint32_t i = 0; i < r->flow_count; i++) {
        if (r->flows[i].client.bytes == client->bytes &&
            memcmp(&r->flows[i].client.address, &client->address, client->bytes) == 0) {
            return &r->flows[i];
        }
    }
    if (r->flow_count == RELAY_FLOWS_MAX || flow_bind(r, r->flow_count) != 0) {
        return NULL;
    }
    struct flow *flow = &r->flows[r->flow_count++];
    flow->client = *client;
    return flow;
}

/* As a NAT that forgot: the old port is gone, and with it what is on its way back to it. Flows do not
 * do it all at once. */
static void rebind_when_due(struct relay *r, struct flow *flow)
{
    uint32_t index = (uint32_t)(flow - r->flows);
    uint32_t every = r->options->rebind;
    uint64_t number = flow->numbers[DIRECTION_UP];
    if (every == 0 || number == 0 || (number + (uint64_t)index * 7u) % every != 0) {
        return;
    }
    int old = flow->fd;
    if (flow_bind(r, index) == 0) {
        close(old); /* leaves the epoll set by itself */
        r->rebinds++;
    }
}

/* ---- the way of a datagram */

static void deliver(struct relay *r, const struct delayed *d)
{
    const struct flow *flow = &r->flows[d->flow];
    ssize_t sent;
    if (d->direction == DIRECTION_UP) {
        sent = send(flow->fd, d->data, d->bytes, 0); /* ECONNREFUSED: nobody listens, it is lost */
    } else {
        sent = sendto(r->listener, d->data, d->bytes, 0,
                      (const struct sockaddr *)&flow->client.address, flow->client.bytes);
    }
    r->counts[d->direction].delivered += sent == (ssize_t)d->bytes;
}

static void put(struct relay *r, const struct delayed *d, uint64_t now)
{
    if (d->due_us <= now) {
        deliver(r, d);
    } else {
        r->counts[d->direction].dropped += !delay_queue_put(&r->queue, d);
    }
}

/* When the link has sent it; UINT64_MAX if its buffer is full. A lost datagram takes its time, too. */
static uint64_t pass_link(struct relay *r, enum direction direction, uint32_t bytes, uint64_t now)
{
    uint64_t *free_us = &r->link_free_us[direction];
    uint32_t pace = r->options->bytes_per_second;
    if (pace == 0) {
        return now;
    }
    uint64_t start = *free_us > now ? *free_us : now;
    if (start - now > r->options->buffer_us) {
        return UINT64_MAX;
    }
    *free_us = start + ((uint64_t)bytes + r->options->header_bytes) * 1000000u / pace;
    return *free_us;
}

static void take(struct relay *r, struct flow *flow, enum direction direction, uint8_t *data,
                 uint32_t bytes)
{
    struct relay_counts *counts = &r->counts[direction];
    uint32_t index = (uint32_t)(flow - r->flows);
    uint64_t now = now_us();
    if (direction == DIRECTION_UP) {
        rebind_when_due(r, flow);
    }
    struct fate fate =
        fate_draw(&r->options->fate, index, direction, flow->numbers[direction]++, bytes);
    counts->offered++;
    counts->bytes += bytes;
    uint64_t sent_us = pass_link(r, direction, bytes, now);
    if (sent_us == UINT64_MAX) {
        counts->dropped++;
        return;
    }
    if (fate.lost) {
        counts->lost++;
        return;
    }
    struct delayed d = {.due_us = sent_us + r->options->delay_us + fate.late_us,
                        .flow = index,
                        .direction = direction,
                        .bytes = bytes,
                        .data = data};
    counts->reordered += fate.reordered;
    put(r, &d, now);
    if (fate.duplicated) {
        counts->duplicated++;
        d.due_us += fate.copy_late_us;
        put(r, &d, now);
    }
}

static void drain_listener(struct relay *r)
{
    uint8_t data[RELAY_DATAGRAM_BYTES_MAX];
    for (int i = 0; i < BATCH_MAX; i++) {
        struct endpoint client = {.bytes = sizeof client.address};
        ssize_t n = recvfrom(r->listener, data, sizeof data, 0, (struct sockaddr *)&client.address,
                             &client.bytes);
        if (n < 0) {
            return;
        }
        struct flow *flow = flow_of(r, &client);
        if (flow != NULL) {
            take(r, flow, DIRECTION_UP, data, (uint32_t)n);
        } else {
            r->counts[DIRECTION_UP].dropped++;
        }
    }
}

static void drain_flow(struct relay *r, struct flow *flow)
{
    uint8_t data[RELAY_DATAGRAM_BYTES_MAX];
    for (int i = 0; i < BATCH_MAX; i++) {
        ssize_t n = recv(flow->fd, data, sizeof data, 0);
        if (n < 0) {
            return; /* nothing more, or what the kernel says about a port that is closed */
        }
        take(r, flow, DIRECTION_DOWN, data, (uint32_t)n);
    }
}

/* ---- life */

int relay_open(struct relay *relay, const struct options *options)
{
    *relay = (struct relay){.options = options, .epoll = -1, .listener = -1};
    relay->flows = calloc(RELAY_FLOWS_MAX, sizeof *relay->flows);
    if (relay->flows == NULL || !delay_queue_init(&relay->queue)) {
        return -1;
    }
    relay->epoll = epoll_create1(EPOLL_CLOEXEC);
    relay->listener = open_socket(&options->listen);
    if (relay->epoll < 0 || relay->listener < 0 ||
        bind(relay->listener, (const struct sockaddr *)&options->listen.address,
             options->listen.bytes) != 0) {
        return -1;
    }
    return watch(relay, relay->listener, LISTENER);
}

void relay_close(struct relay *relay)
{
    for (uint32_t i = 0; i < relay->flow_count; i++) {
        close(relay->flows[i].fd);
    }
    (void)(relay->listener >= 0 && close(relay->listener));
    (void)(relay->epoll >= 0 && close(relay->epoll));
    delay_queue_deinit(&relay->queue);
    free(relay->flows);
}

unsigned relay_port(const struct relay *relay)
{
    struct sockaddr_storage address = {0};
    socklen_t bytes = sizeof address;
    (void)getsockname(relay->listener, (struct sockaddr *)&address, &bytes);
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

/* ms until the next datagram is due, rounded up; -1: none is under way. */
static int wait_ms(const struct relay *r)
{
    uint64_t due = delay_queue_due_us(&r->queue);
    uint64_t now = now_us();
    if (due == UINT64_MAX) {
        return -1;
    }
    return due > now ? (int)((due - now + 999u) / 1000u) : 0;
}

bool relay_watch_stop(struct relay *relay, int stop)
{
    return watch(relay, stop, STOP) == 0;
}

bool relay_step(struct relay *relay)
{
    struct epoll_event events[EVENTS_MAX];
    struct delayed d;
    int ready = epoll_wait(relay->epoll, events, EVENTS_MAX, wait_ms(relay));
    while (delay_queue_take(&relay->queue, now_us(), &d)) {
        deliver(relay, &d);
        free(d.data);
    }
    for (int i = 0; i < ready; i++) {
        uint32_t name = events[i].data.u32;
        if (name == STOP) {
            return false;
        }
        if (name == LISTENER) {
            drain_listener(relay);
        } else {
            drain_flow(relay, &relay->flows[name]);
        }
    }
    return true;
}
