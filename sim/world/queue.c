/* See queue.h. */
#include "sim/world/queue.h"

#include <mycel/error.h>
#include <stdlib.h>

#define ARITY 4u
#define CAPACITY_FIRST 1024u

static bool before(const struct queue_event *a, const struct queue_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->sequence < b->sequence;
}

/* Room for one more. */
static int reserve(struct queue_event **events, size_t count, size_t *capacity)
{
    if (count < *capacity) {
        return MYCEL_OK;
    }
    size_t wanted = *capacity == 0 ? CAPACITY_FIRST : *capacity * 2u;
    if (wanted > QUEUE_EVENTS_MAX) {
        return MYCEL_E_FULL;
    }
    struct queue_event *larger = realloc(*events, wanted * sizeof *larger);
    if (larger == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    *events = larger;
    *capacity = wanted;
    return MYCEL_OK;
}

static int push_soon(struct queue *queue, const struct queue_event *event)
{
    int rc = reserve(&queue->soon, queue->soon_end, &queue->soon_capacity);
    if (rc == 0) {
        queue->soon[queue->soon_end++] = *event;
    }
    return rc;
}

int queue_push(struct queue *queue, uint64_t at_us, uint32_t kind, uint32_t who)
{
    const struct queue_event event = {
        .at_us = at_us, .sequence = queue->sequence++, .kind = kind, .who = who};
    if (at_us == queue->now_us) {
        return push_soon(queue, &event);
    }
    int rc = reserve(&queue->heap, queue->count, &queue->capacity);
    if (rc < 0) {
        return rc;
    }
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

static void pop_soon(struct queue *queue, struct queue_event *event)
{
    *event = queue->soon[queue->soon_first++];
    if (queue->soon_first == queue->soon_end) {
        queue->soon_first = queue->soon_end = 0;
    }
}

static void pop_heap(struct queue *queue, struct queue_event *event)
{
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
    queue->now_us = event->at_us;
}

bool queue_pop(struct queue *queue, struct queue_event *event)
{
    bool soon = queue->soon_first < queue->soon_end;
    if (!soon && queue->count == 0) {
        return false;
    }
    /* What the heap has of this moment was announced before this moment came. */
    if (soon && (queue->count == 0 || queue->heap[0].at_us > queue->now_us)) {
        pop_soon(queue, event);
    } else {
        pop_heap(queue, event);
    }
    return true;
}

void queue_free(struct queue *queue)
{
    free(queue->heap);
    free(queue->soon);
    *queue = (struct queue){0};
}
