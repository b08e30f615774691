/*
 * Actions that wait until a batch is durable: how nothing is said before it is on disk. Keeps copies,
 * in the order of those batches, and for one batch as the engine gave them. Bounded by what can wait at all: each held reply
 * belongs to a ticket, and the engine asks for one sum and one score per run at a time.
 */
#ifndef MYCEL_SERVER_DAEMON_HELD_H
#define MYCEL_SERVER_DAEMON_HELD_H

#include "server/engine/action.h"

struct held_action {
    struct held_action *next;
    struct engine_action action;
};

struct held_queue {
    struct held_action *first;
    struct held_action **last; /* where one after all others is linked */
    uint64_t newest;           /* batch of the last action, 0: none */
};

void held_init(struct held_queue *queue);

/* Copies the action. NO_MEMORY. */
int held_push(struct held_queue *queue, const struct engine_action *action);

/* Takes out the first action whose batch is durable; the caller frees it. NULL: none. */
struct held_action *held_pop(struct held_queue *queue, uint64_t durable);

/* Forgets all of them. */
void held_clear(struct held_queue *queue);

#endif
