/*
 * One device's local training as a piece of work: what to start from, what to do, what came out. Pieces
 * are independent, so threads and processes may do them in any order; the result is the same to the bit.
 */
#ifndef MYCEL_SIM_TRAINING_TRAINING_H
#define MYCEL_SIM_TRAINING_TRAINING_H

#include "sim/fleet/attack.h"
#include "sim/fleet/fleet.h"

#include <mycel/port.h>
#include <stdbool.h>

enum training_state { TRAINING_IDLE, TRAINING_QUEUED, TRAINING_RUNNING, TRAINING_DONE };

struct training {
    struct training *next;
    uint32_t device;
    enum training_state state;
    struct mycel_plan plan; /* plan.model points to `model` */
    char model[SCENARIO_TEXT_BYTES + 1u];
    uint32_t params;
    float *values;            /* before: the base; after: what training made of it */
    float *correction;        /* SCAFFOLD: added to every gradient; NULL: nothing is */
    struct attacker attacker; /* attacker.spec NULL: honest */
    struct mycel_train_result result;
    int status;
};

/* NULL: no memory. */
struct training *training_new(const struct mycel_plan *plan);
void training_free(struct training *training);

/* Does the work on this thread: the device's trainer over its samples. Sets status and result. */
void training_run(struct training *training, const struct fleet *fleet);

/* ---- who does the work ------------------------------------------------------------------------ */

struct trainers;

/* `threads` that train at the same time, the caller's included. NO_MEMORY, or what threads say. */
int trainers_open(struct trainers **out, const struct fleet *fleet, uint32_t threads);
void trainers_close(struct trainers *trainers);

/* Announces a piece of work; it may start at once. It must stay where it is until it was waited for. */
void trainers_start(struct trainers *trainers, struct training *training);

/* Returns when the piece is done; does it itself if nobody has begun, and others while somebody is at it. A
 * piece that was never started is left alone. */
void trainers_wait(struct trainers *trainers, struct training *training);

/* For who has pieces done elsewhere (sim/training/workers.h): takes the oldest one that nobody has begun, NULL:
 * there is none; and says that it is done. */
struct training *trainers_take(struct trainers *trainers);
void trainers_finish(struct trainers *trainers, struct training *training);

/* Whether the piece, which was started, is done. */
bool trainers_done(struct trainers *trainers, struct training *training);

/* Counts the pieces that were queued and those that are done. */
uint64_t trainers_news(struct trainers *trainers);
/* Sleeps for so long, or until that count is another than `news`. */
void trainers_nap(struct trainers *trainers, uint64_t news, uint32_t us);

#endif
