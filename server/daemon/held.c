/* A linked list in order of arrival. */
#include "server/daemon/held.h"

#include <stdlib.h>

void held_init(struct held_queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

int held_push(struct held_queue *queue, const struct engine_action *action)
{
    struct held_action *held = malloc(sizeof *held);
    if (!held) {
        return MYCEL_E_NO_MEMORY;
    }
    held->next = NULL;
    held->action = *action;
    *queue->last = held;
    queue->last = &held->next;
    return MYCEL_OK;
}

struct held_action *held_pop(struct held_queue *queue, uint64_t durable)
{
    for (struct held_action **link = &queue->first; *link; link = &(*link)->next) {
        struct held_action *held = *link;
        if (held->action.after <= durable) {
            *link = held->next;
            if (!held->next) {
                queue->last = link;
            }
            return held;
        }
    }
    return NULL;
}

void held_clear(struct held_queue *queue)
{
    struct held_action *held;
    while ((held = held_pop(queue, UINT64_MAX))) {
        free(held);
    }
}
