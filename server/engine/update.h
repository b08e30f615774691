/*
 * Uploads: may one come in, and does it count? Owns the order of the checks and the verdict's record;
 * what a round does with a counted one is round.c's.
 */
#ifndef MYCEL_ENGINE_UPDATE_H
#define MYCEL_ENGINE_UPDATE_H

#include "server/engine/internal.h"

/* Exactly one reply (or lookup) for each; an update may also end the round. */
void update_query(struct engine *e, const struct engine_event_query *query);
void update_take(struct engine *e, const struct engine_event_update *update);

/* The weight of an update in its sum. */
uint64_t update_weight(const struct engine_spec *spec, const struct engine_report *report);

/* Remembers that the lease of this round and attempt has its verdict; an older one changes nothing. */
void update_mark(struct share *share, uint32_t round, uint32_t attempt);

/* Books what one counted update says of device and run: norm, utility, share. Also on restart. */
void update_learn(struct engine *e, uint32_t device_slot, uint32_t run_slot,
                  const struct engine_receipt *receipt, const struct engine_report *report,
                  float norm);

#endif
