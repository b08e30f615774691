/*
 * Runs: their phases, and what ends them. Owns run.phase, evaluation and what a run has learned from
 * its scores.
 *
 *   RUNNING --run_pause--> PAUSED --run_unpause--> RUNNING
 *   RUNNING, PAUSED --run_stop--> STOPPED
 *   RUNNING, PAUSED --run_may_open_round--> FINISHED
 */
#ifndef MYCEL_ENGINE_RUN_H
#define MYCEL_ENGINE_RUN_H

#include "server/engine/internal.h"

/* The slot of a run, ended ones included until theirs is needed, or ENGINE_NO_SLOT. */
uint32_t run_find(const struct engine *e, uint32_t id);

/* Takes a run in. MYCEL_E_INVALID, MYCEL_E_EXISTS, MYCEL_E_FULL as engine_step(). */
int run_add(struct engine *e, const struct engine_event_run *event, uint32_t *run_slot);

/* MYCEL_E_STATE when the phase does not fit. */
int run_pause(struct engine *e, uint32_t run_slot);
int run_unpause(struct engine *e, uint32_t run_slot);
int run_stop(struct engine *e, uint32_t run_slot);

/* Whether the next round may begin. Finishes the run when its end has come. */
bool run_may_open_round(struct engine *e, uint32_t run_slot);

void run_ask_for_score(struct engine *e, struct run *run);
/* A worker's answer; ignored unless it was asked for. */
void run_scored(struct engine *e, const struct engine_event_evaluated *evaluated);

#endif
