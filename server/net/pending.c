/* Implementation of pending.h. Indices instead of pointers, plus one so that zeroed memory is empty. */
#include "server/net/pending.h"

#include <stdlib.h>
#include <string.h>

#include <mycel/error.h>

#include "common/assert.h"

static struct pending_queue *queue_of(struct pending_table *table, const struct pending *pending)
{
    MYCEL_ASSERT(pending->state != PENDING_FREE);
    return pending->state == PENDING_WAITING ? &table->waiting : &table->expired;
}

static uint32_t index_of(const struct pending_table *table, const struct pending *pending)
{
    return (uint32_t)(pending - table->slot);
}

static void queue_append(struct pending_table *table, struct pending *pending)
{
    struct pending_queue *queue = queue_of(table, pending);
    uint32_t self = index_of(table, pending) + 1;
    pending->next = 0;
    pending->previous = queue->last;
    if (queue->last != 0) {
        table->slot[queue->last - 1].next = self;
    } else {
        queue->first = self;
    }
    queue->last = self;
    queue->count++;
}

static void queue_take(struct pending_table *table, struct pending *pending)
{
    struct pending_queue *queue = queue_of(table, pending);
    if (pending->previous != 0) {
        table->slot[pending->previous - 1].next = pending->next;
    } else {
        queue->first = pending->next;
    }
    if (pending->next != 0) {
        table->slot[pending->next - 1].previous = pending->previous;
    } else {
        queue->last = pending->previous;
    }
    queue->count--;
}

int pending_table_init(struct pending_table *table)
{
    memset(table, 0, sizeof *table);
    table->slot = calloc(NET_PENDING_MAX, sizeof *table->slot);
    return table->slot != NULL ? 0 : MYCEL_E_NO_MEMORY;
}

void pending_table_deinit(struct pending_table *table)
{
    for (uint32_t i = 0; i < table->used; i++) {
        free(table->slot[i].block);
    }
    free(table->slot);
    memset(table, 0, sizeof *table);
}

struct pending *pending_add(struct pending_table *table, const struct exchange *exchange,
                            uint64_t now_ms)
{
    struct pending *pending;
    if (table->free_slot != 0) {
        pending = &table->slot[table->free_slot - 1];
        table->free_slot = pending->next;
    } else if (table->used < NET_PENDING_MAX) {
        pending = &table->slot[table->used++];
    } else {
        return NULL;
    }
    pending->generation++;
    if (pending->generation == 0) {
        pending->generation = 1; /* an id is never 0 */
    }
    pending->exchange = *exchange;
    pending->body = NULL;
    pending->block = NULL;
    pending->since_ms = now_ms;
    pending->state = PENDING_WAITING;
    queue_append(table, pending);
    return pending;
}

net_reply_id pending_id(const struct pending_table *table, const struct pending *pending)
{
    return (net_reply_id)pending->generation << 32 | index_of(table, pending);
}

struct pending *pending_find(const struct pending_table *table, net_reply_id id)
{
    uint32_t index = (uint32_t)id;
    if (index >= table->used) {
        return NULL;
    }
    struct pending *pending = &table->slot[index];
    bool match = pending->generation == (uint32_t)(id >> 32);
    return match && pending->state != PENDING_FREE ? pending : NULL;
}

struct pending *pending_oldest(const struct pending_table *table, enum pending_state state,
                               uint64_t now_ms, uint64_t age_ms)
{
    uint32_t first = state == PENDING_WAITING ? table->waiting.first : table->expired.first;
    if (first == 0) {
        return NULL;
    }
    struct pending *pending = &table->slot[first - 1];
    return now_ms - pending->since_ms >= age_ms ? pending : NULL;
}

void pending_expire(struct pending_table *table, struct pending *pending, uint64_t now_ms)
{
    MYCEL_ASSERT(pending->state == PENDING_WAITING);
    queue_take(table, pending);
    pending->state = PENDING_EXPIRED;
    pending->since_ms = now_ms;
    queue_append(table, pending);
}

void pending_remove(struct pending_table *table, struct pending *pending)
{
    queue_take(table, pending);
    free(pending->block);
    pending->block = NULL;
    pending->state = PENDING_FREE;
    pending->next = table->free_slot;
    table->free_slot = index_of(table, pending) + 1;
}
