/*
 * Chains between the store and server/desk/downlink.h: what is known of the versions' chains after a start, and
 * the next one after a round. It decides nothing; it must never write.
 */
#ifndef MYCEL_SERVER_DAEMON_CHAIN_H
#define MYCEL_SERVER_DAEMON_CHAIN_H

#include "server/daemon/blob_source.h"
#include "server/daemon/run_table.h"

/* Loads the chains of the newest versions into a run's entry. A version without one, or with a damaged one, is
 * sent as it is. 0; NO_MEMORY; the store's errors: nothing is known, since devices would then train from
 * another model than they would have without the error. Blocks. */
int chain_load_newest(struct store *reader, uint32_t newest, struct run_entry *entry);

/* The chain's frames, one behind the other, of a version whose chain is known. 0; NOT_FOUND, CORRUPT (the store has lost
 * one), NO_MEMORY, the store's errors. Blocks. */
int chain_frames(const struct blob_source *source, uint32_t run, const struct downlink_chain *chain,
                 struct blob_content *out);

/* What they lead to, `params` floats. Errors as above. Blocks. */
int chain_held(const struct blob_source *source, uint32_t run, const struct downlink_chain *chain,
               uint32_t params, struct blob_content *out);

struct chain_from {
    const struct blob_source *source;
    const struct store_run_config *config;
    const struct downlink_chain
        *known; /* of version `base`; no frames, or NULL: the store is asked */
    uint32_t run;
    uint32_t base;
};

/* Makes what devices will hold of version `base` + 1, whose exact parameters are `exact`. 0, also when they
 * will be sent the version itself; NO_MEMORY; the store's errors. Blocks. */
int chain_next(const struct chain_from *from, const float *exact, struct run_held *out);

#endif
