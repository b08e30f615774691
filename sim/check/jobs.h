/*
 * Checked runs in processes of their own, because a failed assertion ends the process that it is in, and
 * that is a finding as well. Owns the processes and their shared memory.
 */
#ifndef MYCEL_SIM_CHECK_JOBS_H
#define MYCEL_SIM_CHECK_JOBS_H

#include "sim/check/check.h"

#define CHECK_JOBS_MAX 64u
#define CHECK_HANG_S 120u /* of wall clock: nothing takes nearly so long */

/* checked_run() in a process of its own. True: all checks held. A trap or a hang is a finding; so is a
 * process that cannot be started ("run"). Blocks. */
bool check_isolated(const struct scenario *scenario, struct check_result *result);

struct check_seeds {
    uint64_t first;
    uint64_t count;
    uint32_t jobs; /* 1 … CHECK_JOBS_MAX */
    void *user;
    /* Now and then: how far it is. False: stop. May be NULL. */
    bool (*progress)(void *user, uint64_t done, const struct check_figures *sum);
};

struct check_outcome {
    uint64_t done;            /* seeds that were run to their end */
    struct check_figures sum; /* over these */
    bool failed;
    uint64_t seed;              /* the lowest of those that failed */
    struct check_result result; /* of that seed */
};

/* Runs the scenarios of seeds until all are done or one has failed. 0, NO_MEMORY (no shared memory, no
 * processes), CLOSED (`progress` wanted an end). Blocks. */
int check_seeds_run(const struct check_seeds *seeds, struct check_outcome *outcome);

#endif
