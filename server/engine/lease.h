/*
 * Leases: one per device at most. Owns their states, the index by key, the seats they hold (run.live)
 * and their expiry.
 *
 *   NONE --lease_grant--> LIVE --lease_end (deadline, stale base, run over, revoked)--> OVER
 *   LIVE, OVER --lease_drop (receipt given, new lease)--> NONE      OVER --lease_grant--> LIVE
 */
#ifndef MYCEL_ENGINE_LEASE_H
#define MYCEL_ENGINE_LEASE_H

#include "server/engine/internal.h"

/* The device slot whose lease (LIVE or OVER) has this key, or ENGINE_NO_SLOT. */
uint32_t lease_find(const struct engine *e, const uint8_t key[PROTO_KEY_BYTES]);

/* Gives the device a seat in the run's round; an older lease of it is forgotten. The caller stores
 * it. The same round and attempt give the same key and seed again. */
void lease_grant(struct engine *e, uint32_t device_slot, uint32_t run_slot, uint8_t codec);

/* Puts a lease back as the store has it, LIVE if left_ms > 0 and else OVER. */
void lease_restore(struct engine *e, uint32_t device_slot, uint32_t run_slot,
                   const struct engine_lease *what, uint64_t left_ms);

/* The seat of a LIVE lease is free again. */
void lease_end(struct engine *e, uint32_t device_slot);

/* Forgets a lease, if there is one. */
void lease_drop(struct engine *e, uint32_t device_slot);

/* Ends those whose deadline has come, and counts them as drop-outs. */
void lease_expire(struct engine *e);

/* Ends the LIVE ones of a run that lag more than `staleness` versions behind its base; with
 * LEASE_END_ALL every one. O(live leases). */
#define LEASE_END_ALL UINT32_MAX
void lease_end_of_run(struct engine *e, uint32_t run_slot, uint32_t staleness);

#endif
