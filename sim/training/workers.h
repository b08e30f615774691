/*
 * Rank 0's side of a simulation in several processes: hands pieces of training to whoever has the least to
 * do, and takes the results. It is one more who takes pieces off the trainers' queue, on a thread of its
 * own; it owns the parameters that the others were sent. It must never decide anything of the run: who
 * did a piece changes no result.
 */
#ifndef MYCEL_SIM_TRAINING_WORKERS_H
#define MYCEL_SIM_TRAINING_WORKERS_H

#include "sim/scenario/scenario.h"
#include "sim/training/peers.h"
#include "sim/training/training.h"

struct workers;

/* Tells all peers to build the scenario's fleet; does not wait for them. NO_MEMORY. */
int workers_begin(struct workers **out, struct peers *peers, const struct scenario *scenario);

/* Waits for the peers' fleets; from then on they do pieces of these trainers. STATE: one of them cannot,
 * and says why in `problem` (SCENARIO_PROBLEM_BYTES); NO_MEMORY; what threads say. */
int workers_join(struct workers *workers, struct trainers *trainers, const struct fleet *fleet,
                 char *problem);

/* How many pieces a rank has done in this run, and how many ranks there are, this one included. */
uint32_t workers_pieces(struct workers *workers, uint32_t rank);
uint32_t workers_ranks(const struct workers *workers);

/* The run is over; no piece may be under way. NULL is allowed. */
void workers_end(struct workers *workers);

/* Sends the peers home: there will be no other run. */
void workers_dismiss(struct peers *peers);

/* The other ranks: does what rank 0 says until it is sent home. <0: it cannot go on, with words in
 * `problem` (SCENARIO_PROBLEM_BYTES); the process has to end then, without closing the peers. Blocks. */
int worker_serve(struct peers *peers, char *problem);

#endif
