/*
 * One round of one run: the state machine. Owns round.state and everything that follows from time and
 * counts; it must not know how an update is checked.
 *
 *   IDLE ------open------> SELECT        COMMITTED --open--> SELECT      ABANDONED --open, retry--> SELECT
 *   SELECT --seats taken or selection over (collect)--> REPORT --a seat is free (collect)--> SELECT
 *   SELECT, REPORT --goal, or deadline with the minimum (freeze)--> AGGREGATE
 *   SELECT, REPORT --hard deadline below the minimum (retry), stop--> ABANDONED
 *   AGGREGATE --sum is there, last version is scored (publish)--> PUBLISH
 *   AGGREGATE --no sum can be made, stop--> ABANDONED
 *   PUBLISH --transaction is durable (commit)--> COMMITTED
 */
#ifndef MYCEL_ENGINE_ROUND_H
#define MYCEL_ENGINE_ROUND_H

#include "server/engine/internal.h"

/* Takes every transition that is due. After each event that touched the run, and when time passes. */
void round_poll(struct engine *e, uint32_t run_slot);

/* Starts the clock of the attempt, if it does not run yet: the first lease or update is there. */
void round_start(struct engine *e, struct run *run);

/* An update of this round was refused for good, for this reason. */
void round_reject(struct run *run, int32_t status);

/* The round whose sum an update that comes in now would be part of. */
uint32_t round_counting(const struct run *run);

/* The versions that an update of this base lags behind, if it is counted now. */
uint32_t round_staleness(const struct run *run, uint32_t base_version);

/* Counts an accepted update: into this round, or for the next one while this one is frozen. */
void round_count(struct engine *e, struct run *run, uint64_t weight);

/* The worker's answer. Ignored unless it is for the frozen set. */
void round_summed(struct engine *e, const struct engine_event_aggregated *aggregated);

/* The operator's stop. A version that is being published still appears. */
void round_stop(struct engine *e, struct run *run);

/* Puts the newest stored round back; its clock keeps at least config.grace_ms.
 * MYCEL_E_INVALID: a state that is never stored, or round or attempt 0. */
int round_restore(struct engine *e, struct run *run, const struct engine_event_round *row);

/* Asks once more for what a restart has cut off. */
void round_resume(struct engine *e, uint32_t run_slot);

/* Before this no round of the run opens. After a restart the interval counts from there: a round that is
 * late costs less than one that comes twice. */
uint64_t round_opens_ms(const struct run *run);

/* When round_poll() has to be called next, ENGINE_NEVER: not by time. */
uint64_t round_wake_ms(const struct engine *e, const struct run *run);

#endif
