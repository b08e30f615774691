/*
 * The rows of one step of the engine, written into the store. Everything that ends up on the disk while
 * the coordinator runs goes through here; nothing is decided here.
 */
#ifndef MYCEL_SERVER_DAEMON_ROWS_H
#define MYCEL_SERVER_DAEMON_ROWS_H

#include "server/daemon/run_table.h"
#include "server/engine/action.h"

/* One step's rows with what belongs to them; all of it is the caller's. */
struct rows {
    const struct engine_action *list; /* STORE_… and PUBLISH only, in the engine's order */
    uint32_t count;
    uint64_t wall_ms;
    const uint8_t *body; /* of the update among them; NULL: none is counted */
    size_t body_bytes;
    const struct run_sum *sum; /* of the version among them; NULL: there is none */
};

/* Whether an action is a row. */
bool rows_is_row(const struct engine_action *action);

/* Writes all of them inside the caller's transaction, which the caller undoes on an error: STATE (a
 * version without its sum), DIGEST (a sum that is not what the engine was told), or the store's. */
int rows_write(struct store *store, const struct rows *rows);

#endif
