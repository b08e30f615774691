/*
 * One simulation from its first event to its last: builds the world of a scenario, runs it until the
 * training has ended, and tells what happens. It owns the end conditions and the figures.
 */
#ifndef MYCEL_SIM_RUN_H
#define MYCEL_SIM_RUN_H

#include "proto/limits.h"
#include "sim/scenario/scenario.h"

#include <stdbool.h>
#include <stdint.h>

/* Cumulative figures at one moment. */
struct run_figures {
    uint32_t round;
    uint32_t version;
    bool scored;
    double accuracy;
    double loss;
    double virtual_s;
    uint64_t selected; /* leases */
    uint64_t accepted;
    uint64_t rejected;
    uint64_t late;
    uint64_t expired;
    uint64_t bytes_up; /* on the radio, all headers */
    uint64_t bytes_down;
    double energy_j;
    uint64_t trained;       /* local trainings that were done for real */
    uint64_t protocol_only; /* check-ins that ended without work */
    uint64_t discarded;     /* trainings whose result is in no version */
    uint64_t events;
    uint8_t model_sha256[PROTO_SHA256_BYTES];
};

struct peers;
struct world;
struct world_watch;

/* What a run tells, and who helps. Each may be NULL. */
struct run_observer {
    void *user;
    void (*started)(void *user, const struct world *world);
    void (*round)(void *user, const struct world *world, const struct run_figures *figures);
    void (*progress)(void *user, const struct run_figures *figures); /* now and then */
    void (*ended)(void *user, const struct world *world, const struct run_figures *figures);
    bool (*stop)(void *user); /* true: end now; the run returns MYCEL_E_CLOSED */
    const struct world_watch *watch;
    struct peers *peers; /* other processes, which train as well; they are in worker_serve() */
};

/* Runs the scenario. 0: the training has ended; TIMEOUT: virtual_max_s passed before; CLOSED: the
 * observer wanted an end; else what went wrong, in words in `problem` (SCENARIO_PROBLEM_BYTES). Blocks. */
int sim_run(const struct scenario *scenario, const struct run_observer *observer, char *problem);

#endif
