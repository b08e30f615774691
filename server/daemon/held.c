/* A linked list in the order of the batches that are waited for, and of arrival where they are alike. */
#include "server/daemon/held.h"

#include <stdlib.h>

void held_init(struct held_queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
    queue->newest = 0;
}

/* Where an action goes: nearly always at the end, since few wait for an older batch than others do. */
static struct held_action **place_of(struct held_queue *queue, uint64_t after)
{
    if (after >= queue->newest) {
        return queue->last;
    }
    struct held_action **link = &queue->first;
    while (*link && (*link)->action.after <= after) {
        link = &(*link)->next;
    }
    return link;
}

int held_push(struct held_queue *queue, const struct engine_action *action)
{
    struct held_action *held = malloc(sizeof *held);
    if (!held) {
        return MYCEL_E_NO_MEMORY;
    }
    held->action = *action;
    struct held_action **link = place_of(queue, action->after);
    held->next = *link;
    *link = held;
    if (!held->next) {
        queue->last = &held->next;
        queue->newest = action->after;
    }
    return MYCEL_OK;
}

struct held_action *held_pop(struct held_queue *queue, uint64_t durable)
{
    struct held_action *held = queue->first;
    if (!held || held->action.after > durable) {
        return NULL;
    }
    queue->first = held->next;
    if (!queue->first) {
        held_init(queue);
    }
    return held;
}

void held_clear(struct held_queue *queue)
{
    struct held_action *held;
    while ((held = held_pop(queue, UINT64_MAX))) {
        free(held);
    }
}
