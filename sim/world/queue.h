/*
 * What happens next: events in integer microseconds of virtual time, ties in the order in which they
 * were announced. Owns nothing but the order; what an event means is the world's.
 */
#ifndef MYCEL_SIM_WORLD_QUEUE_H
#define MYCEL_SIM_WORLD_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_EVENTS_MAX ((size_t)1 << 28)

struct queue_event {
    uint64_t at_us;
    uint64_t sequence;
    uint32_t kind; /* the world's */
    uint32_t who;
};

/* Zeroed is empty. */
struct queue {
    struct queue_event
        *heap; /* 4-ary: shallower than a binary heap, and its children share a line */
    size_t count;
    size_t capacity;
    struct queue_event *soon; /* those of this very moment, in order: they need no heap */
    size_t soon_first;
    size_t soon_end;
    size_t soon_capacity;
    uint64_t now_us; /* of the newest event taken */
    uint64_t sequence;
};

/* NO_MEMORY; FULL at QUEUE_EVENTS_MAX. */
int queue_push(struct queue *queue, uint64_t at_us, uint32_t kind, uint32_t who);

/* Takes the earliest; false when there is none. */
bool queue_pop(struct queue *queue, struct queue_event *event);

void queue_free(struct queue *queue);

#endif
