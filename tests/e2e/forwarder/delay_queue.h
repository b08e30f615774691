/*
 * Datagrams that are under way, ordered by when they arrive, ties by when they were put in. It owns
 * their bytes; it must never hold more than DELAY_QUEUE_MAX of them.
 */
#ifndef MYCEL_TESTS_E2E_FORWARDER_DELAY_QUEUE_H
#define MYCEL_TESTS_E2E_FORWARDER_DELAY_QUEUE_H

#include "fate.h"

#include <stddef.h>

#define DELAY_QUEUE_MAX 65536u

struct delayed {
    uint64_t due_us;
    uint64_t sequence;
    uint32_t flow;
    enum direction direction;
    uint32_t bytes;
    uint8_t *data; /* the queue's until it is taken */
};

struct delay_queue {
    struct delayed *heap;
    size_t count;
    uint64_t sequence;
};

/* False when there is no memory. */
bool delay_queue_init(struct delay_queue *queue);
void delay_queue_deinit(struct delay_queue *queue);

/* Copies the bytes. False when the queue is full or there is no memory: the datagram is lost. */
bool delay_queue_put(struct delay_queue *queue, const struct delayed *datagram);

/* The next datagram that is due; its bytes are the caller's to free. False: none is. */
bool delay_queue_take(struct delay_queue *queue, uint64_t now_us, struct delayed *out);

/* When the next is due; UINT64_MAX when none is under way. */
uint64_t delay_queue_due_us(const struct delay_queue *queue);

#endif
