/* A fixed array of tickets with a free list. Tag: generation in the upper half, index + 1 below. */
#include "server/daemon/ticket.h"

#include <mycel/error.h>
#include <stdlib.h>
#include <string.h>

int ticket_table_init(struct ticket_table *table)
{
    memset(table, 0, sizeof *table);
    table->tickets = calloc(TICKETS_MAX, sizeof *table->tickets);
    if (!table->tickets) {
        return MYCEL_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < TICKETS_MAX; i++) {
        table->tickets[i].next_free = i + 1;
    }
    return MYCEL_OK;
}

void ticket_table_deinit(struct ticket_table *table)
{
    for (uint32_t i = 0; table->tickets && i < TICKETS_MAX; i++) {
        free(table->tickets[i].body);
    }
    free(table->tickets);
    memset(table, 0, sizeof *table);
}

static uint64_t tag_of(const struct ticket_table *table, const struct ticket *ticket)
{
    return (uint64_t)ticket->generation << 32 | (uint64_t)(ticket - table->tickets + 1);
}

struct ticket *ticket_take(struct ticket_table *table, uint64_t *tag)
{
    if (table->first_free == TICKETS_MAX) {
        return NULL;
    }
    struct ticket *ticket = &table->tickets[table->first_free];
    table->first_free = ticket->next_free;
    uint32_t generation = ticket->generation + 1;
    memset(ticket, 0, sizeof *ticket);
    ticket->generation = generation;
    ticket->used = true;
    *tag = tag_of(table, ticket);
    return ticket;
}

struct ticket *ticket_get(struct ticket_table *table, uint64_t tag)
{
    uint32_t position = (uint32_t)tag;
    if (position == 0 || position > TICKETS_MAX) {
        return NULL;
    }
    struct ticket *ticket = &table->tickets[position - 1];
    return ticket->used && ticket->generation == (uint32_t)(tag >> 32) ? ticket : NULL;
}

void ticket_set_body(struct ticket_table *table, struct ticket *ticket, uint8_t *body, size_t bytes)
{
    ticket->body = body;
    ticket->body_bytes = bytes;
    table->bodies++;
}

uint8_t *ticket_move_body(struct ticket_table *table, struct ticket *ticket, size_t *bytes)
{
    uint8_t *body = ticket->body;
    *bytes = ticket->body_bytes;
    if (body) {
        table->bodies--;
    }
    ticket->body = NULL;
    ticket->body_bytes = 0;
    return body;
}

uint8_t *ticket_end(struct ticket_table *table, uint64_t tag)
{
    struct ticket *ticket = ticket_get(table, tag);
    if (!ticket) {
        return NULL;
    }
    size_t bytes;
    uint8_t *body = ticket_move_body(table, ticket, &bytes);
    ticket->used = false;
    ticket->next_free = table->first_free;
    table->first_free = (uint32_t)(ticket - table->tickets);
    return body;
}

void ticket_drop(struct ticket_table *table, uint64_t tag)
{
    free(ticket_end(table, tag));
}

bool ticket_has_body(const struct ticket_table *table, uint32_t device,
                     const uint8_t key[PROTO_KEY_BYTES])
{
    uint32_t left = table->bodies;
    for (uint32_t i = 0; left > 0 && i < TICKETS_MAX; i++) {
        const struct ticket *ticket = &table->tickets[i];
        if (!ticket->body) {
            continue;
        }
        if (ticket->device == device && memcmp(ticket->key, key, PROTO_KEY_BYTES) == 0) {
            return true;
        }
        left--;
    }
    return false;
}

void ticket_each(struct ticket_table *table,
                 void (*each)(void *user, uint64_t tag, const struct ticket *ticket), void *user)
{
    for (uint32_t i = 0; i < TICKETS_MAX; i++) {
        const struct ticket *ticket = &table->tickets[i];
        if (ticket->used) {
            each(user, tag_of(table, ticket), ticket);
        }
    }
}
