/*
 * The runs under way, as the loop needs them: what a lease says beyond the engine's part, and the
 * finished sum that waits to be published.
 */
#ifndef MYCEL_SERVER_DAEMON_RUN_TABLE_H
#define MYCEL_SERVER_DAEMON_RUN_TABLE_H

#include "server/desk/downlink.h"
#include "server/engine/types.h"
#include "server/store/store.h"

/* What devices will hold of a new version, from malloc. */
struct run_held {
    void *model; /* NULL: the version itself; as long as it */
    void *chain;
    struct downlink_chain known;
};

/* What a round's aggregation made: the next version and the rule's state after it, from malloc. */
struct run_sum {
    uint32_t round;
    uint32_t attempt;
    void *model; /* NULL: there is no sum */
    size_t model_bytes;
    void *state; /* NULL: the rule has none */
    size_t state_bytes;
    uint8_t state_sha256[PROTO_SHA256_BYTES];
    struct run_held held;
};

void run_sum_free(struct run_sum *sum);

struct run_entry {
    bool used;
    struct store_run run; /* as read from the store; `state` follows what the engine was told */
    struct run_sum sum;
    /* The rule's state after the newest version, which is what devices are sent with SCAFFOLD. */
    uint32_t state_version;
    uint8_t state_sha256[PROTO_SHA256_BYTES];           /* all zeros: as before the first round */
    struct downlink_chain chains[DOWNLINK_CHAINS_KEPT]; /* a ring; 0 frames: none */
    uint32_t chain_count;                               /* ever */
};

struct run_table {
    struct run_entry entries[ENGINE_RUNS_MAX];
};

/* NULL: not known. */
struct run_entry *run_table_find(struct run_table *table, uint32_t run);

/* Adds or updates what the store says of a run. NULL: the table is full. */
struct run_entry *run_table_put(struct run_table *table, const struct store_run *run);

/* What the store, or a round that has just been committed, says of the newest version's state. */
void run_entry_set_state(struct run_entry *entry, uint32_t version, const uint8_t *sha256);

/* Takes a sum in place of an older one, and owns it. */
void run_entry_set_sum(struct run_entry *entry, const struct run_sum *sum);

/* Moves the sum of that round and attempt to *out; false: there is none. */
bool run_entry_take_sum(struct run_entry *entry, uint32_t round, uint32_t attempt,
                        struct run_sum *out);

/* Adds the chain of the newest version. */
void run_entry_add_chain(struct run_entry *entry, const struct downlink_chain *chain);

/* The chain of that version; NULL: there is none, or it is too old to be offered. */
const struct downlink_chain *run_entry_chain(const struct run_entry *entry, uint32_t version);

/* A chain that was found in some run. */
struct run_chain {
    const struct run_entry *entry;
    const struct downlink_chain *chain;
    uint32_t step;
};

/* Finds the chain that a patch is the end of, from `step` on. */
bool run_table_patch(const struct run_table *table, const uint8_t sha256[PROTO_SHA256_BYTES],
                     struct run_chain *out);
/* Finds the chain that leads to what is held under that hash; `step` is its last. */
bool run_table_held(const struct run_table *table, const uint8_t sha256[PROTO_SHA256_BYTES],
                    struct run_chain *out);

void run_table_clear(struct run_table *table);

#endif
