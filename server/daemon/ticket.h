/*
 * Requests that wait for an answer. A ticket's tag goes into the engine with the event and comes back
 * in actions; it is generation-tagged, so an old tag is refused and never mistaken for another
 * request. The table owns the bodies that hang on tickets.
 */
#ifndef MYCEL_SERVER_DAEMON_TICKET_H
#define MYCEL_SERVER_DAEMON_TICKET_H

#include "proto/limits.h"
#include "server/desk/desk.h"
#include "server/net/net.h"

#include <stddef.h>
#include <stdint.h>

#define TICKETS_MAX NET_PENDING_MAX
#define TICKET_NONE 0u

struct ticket {
    net_reply_id reply;
    uint32_t device;
    uint32_t generation;
    uint32_t next_free;
    bool used;
    struct desk_hello hello;      /* of a check-in */
    uint8_t key[PROTO_KEY_BYTES]; /* of an upload */
    uint8_t *body;                /* of an upload, from malloc; NULL: check-in, or moved on */
    size_t body_bytes;
};

struct ticket_table {
    struct ticket *tickets;
    uint32_t first_free;
    uint32_t bodies; /* tickets with a body */
};

/* NO_MEMORY. */
int ticket_table_init(struct ticket_table *table);

/* Frees the table and all bodies in it. */
void ticket_table_deinit(struct ticket_table *table);

/* A new ticket and its tag; NULL when all are in use. */
struct ticket *ticket_take(struct ticket_table *table, uint64_t *tag);

/* The ticket of a tag; NULL when it was dropped. */
struct ticket *ticket_get(struct ticket_table *table, uint64_t tag);

/* Hangs a body on the ticket, which owns it from now on. */
void ticket_set_body(struct ticket_table *table, struct ticket *ticket, uint8_t *body,
                     size_t bytes);

/* Takes the body away; the caller owns it. NULL: there is none. */
uint8_t *ticket_move_body(struct ticket_table *table, struct ticket *ticket, size_t *bytes);

/* Gives the ticket back and frees its body. An old tag is harmless. */
void ticket_drop(struct ticket_table *table, uint64_t tag);

/* Gives the ticket back. Its body is the caller's; NULL: there is none, or the tag is old. */
uint8_t *ticket_end(struct ticket_table *table, uint64_t tag);

/* Whether a body with this key is being looked at. */
bool ticket_has_body(const struct ticket_table *table, uint32_t device,
                     const uint8_t key[PROTO_KEY_BYTES]);

/* Calls `each` for every ticket in use. */
void ticket_each(struct ticket_table *table,
                 void (*each)(void *user, uint64_t tag, const struct ticket *ticket), void *user);

#endif
