/* See queue.h. */
#include "sim/queue.h"

#include <mycel/error.h>
#include <stdlib.h>

#define ARITY 4u
#define CAPACITY_FIRST 1024u

static bool before(const struct queue_event *a, const struct queue_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->sequence < b->sequence;
}

static int grow(struct queue *queue)
{
    size_t capacity = queue->capacity == 0 ? CAPACITY_FIRST : queue->capacity * 2u;
    if (capacity > QUEUE_EVENTS_MAX) {
        return MYCEL_E_FULL;
    }
    struct queue_event *heap = realloc(queue->heap, capacity * sizeof *heap);
    if (heap == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    queue->heap = heap;
    queue->capacity = capacity;
    return MYCEL_OK;
}

int queue_push(struct queue *queue, uint64_t at_us, uint32_t kind, uint32_t who)
{
    if (queue->count == queue->capacity) {
        int rc = grow(queue);
        if (rc < 0) {
            return rc;
        }
    }
    const struct queue_event event = {
        .at_us = at_us, .sequence = queue->sequence++, .kind = kind, .who = who};
    size_t at = queue->count++;
    while (at > 0 && before(&event, &queue->heap[(at - 1u) / ARITY])) {
        queue->heap[at] = queue->heap[(at - 1u) / ARITY];
        at = (at - 1u) / ARITY;
    }
    queue->heap[at] = event;
    return MYCEL_OK;
}

/* The earliest of the children of `at`, or `count` when it has none. */
static size_t earliest_child(const struct queue *queue, size_t at)
{
    size_t first = at * ARITY + 1u;
    size_t best = queue->count;
    for (size_t i = first; i < first + ARITY && i < queue->count; i++) {
        if (best == queue->count || before(&queue->heap[i], &queue->heap[best])) {
            best = i;
        }
    }
    return best;
}

bool queue_pop(struct queue *queue, struct queue_event *event)
{
    if (queue->count == 0) {
        return false;
    }
    *event = queue->heap[0];
    const struct queue_event last = queue->heap[--queue->count];
    size_t at = 0;
    for (size_t child; (child = earliest_child(queue, at)) < queue->count; at = child) {
        if (!before(&queue->heap[child], &last)) {
            break;
        }
        queue->heap[at] = queue->heap[child];
    }
    if (queue->count > 0) {
        queue->heap[at] = last;
    }
    return true;
}

void queue_free(struct queue *queue)
{
    free(queue->heap);
    *queue = (struct queue){0};
}
