/*
 * What the coordinator has made durable: the store's tables as far as a run needs them, in memory. It
 * owns the rows and what must hold for them; it must never hold anything that was not committed.
 */
#ifndef MYCEL_SIM_COORDINATOR_LEDGER_H
#define MYCEL_SIM_COORDINATOR_LEDGER_H

#include "server/desk/downlink.h"
#include "server/engine/engine.h"
#include "sim/world/blob.h"

#include <stdbool.h>
#include <stdint.h>

#define LEDGER_RECEIPTS 65536u /* kept for devices that ask again late; older ones are forgotten */

/* One update row; `body` while its sum is not published. */
struct ledger_update {
    struct engine_action_update row;
    uint8_t *body;
    uint32_t body_bytes;
};

struct ledger_lease {
    struct engine_lease lease;
    uint64_t deadline_us;
};

/* Of one device in the run. */
struct ledger_share {
    uint32_t accepted;
    uint32_t last_round;
};

/* What devices hold after a version, and how they came there; blob NULL: the version itself. */
struct ledger_held {
    struct blob *blob;
    struct blob *chain; /* the key frame and the deltas since */
    struct downlink_chain known;
};

/* One more who has them; one less. */
void ledger_held_ref(const struct ledger_held *held);
void ledger_held_unref(const struct ledger_held *held);

struct ledger {
    uint32_t devices;
    struct engine_spec spec;
    struct engine_progress progress;
    bool has_round;
    struct engine_action_round round;     /* the newest */
    uint64_t round_us;                    /* when that was stored */
    struct ledger_share *shares;          /* by device - 1 */
    struct engine_action_device *strikes; /* by device - 1; device 0: none */
    uint64_t *strikes_us;                 /* when that was stored */
    struct ledger_lease *leases;          /* without a receipt, in the order of the grants */
    uint32_t lease_count, lease_capacity;
    struct ledger_update *updates; /* the newest, in order */
    uint32_t update_count, update_capacity;
    struct engine_receipt *receipts; /* a ring of LEDGER_RECEIPTS */
    uint64_t receipt_count;          /* ever */
    struct blob *model;              /* of progress.base */
    struct ledger_held held;         /* of progress.base */
    float *state;                    /* the rule's, after progress.base */
    uint64_t counted;                /* updates with counted_round > 0, ever */
    uint64_t rejected;
    uint64_t late;
    uint64_t expired; /* leases that nothing can come of any more */
};

/* NO_MEMORY. */
int ledger_init(struct ledger *ledger, uint32_t devices);
void ledger_free(struct ledger *ledger);

/* Writes one row of a committed batch. `body` (of STORE_UPDATE, from malloc, taken over) may be NULL.
 * 0; EXISTS: the row would count a device twice in a round; NO_MEMORY. */
int ledger_write(struct ledger *ledger, const struct engine_action *action, uint8_t *body,
                 uint32_t body_bytes, uint64_t now_us);

/* The new version of a PUBLISH row: takes references to the model and to what devices hold, and the state
 * over. Bodies that went into it are dropped. */
void ledger_publish(struct ledger *ledger, const struct engine_action_publish *publish,
                    struct blob *model, const struct ledger_held *held, float *state);

/* The updates counted in a round whose bodies wait for its sum: the one behind `previous` (NULL: the first),
 * or NULL. */
const struct ledger_update *ledger_waiting(const struct ledger *ledger, uint32_t round,
                                           const struct ledger_update *previous);

/* Leases that have ended without an update. */
uint64_t ledger_expired(const struct ledger *ledger, uint64_t now_us);

/* The receipt of that key and device, or NULL. */
const struct engine_receipt *ledger_receipt(const struct ledger *ledger, uint32_t device,
                                            const uint8_t key[PROTO_KEY_BYTES]);

/* Feeds the rows to a new engine, in the order of server/engine/event.h, RESTORED excluded. */
int ledger_restore(const struct ledger *ledger, struct engine *engine, uint64_t now_us);

#endif
