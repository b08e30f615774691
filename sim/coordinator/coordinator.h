/*
 * The simulated coordinator: the shipped engine with a shell in virtual time. Requests come from
 * trips, rows go to a ledger that is durable after disk_ms, sums and scores take their virtual
 * time. A crash loses everything but the ledger, and the next start restores the engine from it.
 */
#ifndef MYCEL_SIM_COORDINATOR_COORDINATOR_H
#define MYCEL_SIM_COORDINATOR_COORDINATOR_H

#include "server/engine/engine.h"
#include "sim/scenario/scenario.h"

#include <stdbool.h>
#include <stdint.h>

#define COORDINATOR_GRACE_MS 30000u /* what a lease has left at least after a restart */

struct blob;
struct coordinator;
struct ledger;
struct world;

/* What a version scored, when it was. */
struct coordinator_score {
    uint32_t version;
    float accuracy;
    float loss;
};

/* Told after each round that became durable. */
struct coordinator_round {
    uint32_t round;
    uint32_t version;
    uint32_t granted;
    uint32_t accepted;
    uint32_t rejected;
};

/* Creates the run of the scenario with its initial model, and starts. INVALID with words in `problem`
 * (SCENARIO_PROBLEM_BYTES); NO_MEMORY; what reading the held-out set says. */
int coordinator_open(struct coordinator **out, struct world *world, char *problem);
void coordinator_close(struct coordinator *coordinator);

/* Counts its starts: sessions of another epoch are unknown to it. 0: it is down. */
uint32_t coordinator_epoch(const struct coordinator *coordinator);

/* A request; answered by trip_answer, now or later. */
void coordinator_request(struct coordinator *coordinator, uint32_t trip);

/* The model of this content that devices are given, with one reference more; NULL: there is none. */
struct blob *coordinator_model(const struct coordinator *coordinator, const void *data,
                               size_t bytes);

/* Events of the queue; `epoch` is the one that they were announced in. */
void coordinator_stored(struct coordinator *coordinator, uint32_t epoch);
void coordinator_worked(struct coordinator *coordinator, uint32_t epoch);
void coordinator_ticked(struct coordinator *coordinator, uint32_t epoch);

/* The process dies; and starts again from what was durable. */
void coordinator_crash(struct coordinator *coordinator);
void coordinator_start(struct coordinator *coordinator);

/* The run has ended: all rounds are committed, or the target is reached. */
bool coordinator_done(const struct coordinator *coordinator);

/* Accuracy of each class with the newest version, and how well a backdoor works. Both as eval_classes;
 * UNSUPPORTED also where there is no backdoor. Blocks for the arithmetic. */
int coordinator_classes(const struct coordinator *coordinator, float *share, uint32_t capacity);
int coordinator_backdoor(const struct coordinator *coordinator, float *success);

const struct engine *coordinator_engine(const struct coordinator *coordinator);
const struct ledger *coordinator_ledger(const struct coordinator *coordinator);

#endif
