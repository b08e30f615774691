/*
 * The forwarder's sockets: one that clients send to, and for each client one towards the server, as a
 * NAT has. It owns flows, the link's pace and the counts; what becomes of a datagram is fate.h's.
 */
#ifndef MYCEL_TESTS_E2E_FORWARDER_RELAY_H
#define MYCEL_TESTS_E2E_FORWARDER_RELAY_H

#include "delay_queue.h"
#include "options.h"

#define RELAY_FLOWS_MAX 1024u
#define RELAY_DATAGRAM_BYTES_MAX 2048u

struct relay_counts {
    uint64_t offered; /* datagrams that came in */
    uint64_t bytes;   /* … and their UDP payload */
    uint64_t lost;
    uint64_t duplicated;
    uint64_t reordered;
    uint64_t dropped;   /* the link's buffer, the queue or the table of flows was full */
    uint64_t delivered; /* datagrams that went out, copies included */
};

struct flow {
    struct endpoint client;
    int fd; /* towards the server */
    uint64_t numbers[DIRECTIONS];
};

struct relay {
    const struct options *options;
    int epoll;
    int listener;
    struct flow *flows;
    uint32_t flow_count;
    struct delay_queue queue;
    uint64_t link_free_us[DIRECTIONS];
    uint64_t rebinds;
    struct relay_counts counts[DIRECTIONS];
};

/* Listens. 0, or -1 with errno set. */
int relay_open(struct relay *relay, const struct options *options);
void relay_close(struct relay *relay);

/* The port that clients send to. */
unsigned relay_port(const struct relay *relay);

/* Ends relay_step when that descriptor is readable. False: it cannot be watched. */
bool relay_watch_stop(struct relay *relay, int stop);

/* Waits for input or for a datagram that is due, and passes on what there is. False: stop. */
bool relay_step(struct relay *relay);

#endif
