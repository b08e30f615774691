/* Implementation of delay_queue.h: a binary heap. */
#include "delay_queue.h"

#include <stdlib.h>
#include <string.h>

bool delay_queue_init(struct delay_queue *queue)
{
    *queue = (struct delay_queue){.heap = calloc(DELAY_QUEUE_MAX, sizeof *queue->heap)};
    return queue->heap != NULL;
}

void delay_queue_deinit(struct delay_queue *queue)
{
    for (size_t i = 0; i < queue->count; i++) {
        free(queue->heap[i].data);
    }
    free(queue->heap);
    *queue = (struct delay_queue){0};
}

static bool is_before(const struct delayed *a, const struct delayed *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->sequence < b->sequence;
}

static void swap(struct delayed *a, struct delayed *b)
{
    struct delayed kept = *a;
    *a = *b;
    *b = kept;
}

bool delay_queue_put(struct delay_queue *queue, const struct delayed *datagram)
{
    uint8_t *copy = queue->count < DELAY_QUEUE_MAX ? malloc(datagram->bytes + 1u) : NULL;
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, datagram->data, datagram->bytes);
    size_t at = queue->count++;
    queue->heap[at] = *datagram;
    queue->heap[at].data = copy;
    queue->heap[at].sequence = queue->sequence++;
    while (at > 0 && is_before(&queue->heap[at], &queue->heap[(at - 1) / 2])) {
        swap(&queue->heap[at], &queue->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    return true;
}

bool delay_queue_take(struct delay_queue *queue, uint64_t now_us, struct delayed *out)
{
    if (queue->count == 0 || queue->heap[0].due_us > now_us) {
        return false;
    }
    *out = queue->heap[0];
    queue->heap[0] = queue->heap[--queue->count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < queue->count; child++) {
            least = is_before(&queue->heap[child], &queue->heap[least]) ? child : least;
        }
        if (least == at) {
            return true;
        }
        swap(&queue->heap[at], &queue->heap[least]);
        at = least;
    }
}

uint64_t delay_queue_due_us(const struct delay_queue *queue)
{
    return queue->count > 0 ? queue->heap[0].due_us : UINT64_MAX;
}
