/* Every combination of some keys' values, each with some seeds; and what came of them. */
#ifndef MYCEL_SERVER_CLI_SIM_SWEEP_H
#define MYCEL_SERVER_CLI_SIM_SWEEP_H

#include "sim/run.h"

#define SWEEP_KEYS_MAX 8u
#define SWEEP_VALUES_MAX 64u
#define SWEEP_RUNS_MAX 100000u

struct sweep_key {
    char name[32];
    char text[1024]; /* the values, each with its NUL */
    const char *values[SWEEP_VALUES_MAX];
    uint32_t count;
};

struct sweep {
    struct scenario base;
    struct sweep_key keys[SWEEP_KEYS_MAX];
    uint32_t key_count;
    uint64_t seeds;
    uint64_t next;
    struct run_figures *results; /* by run: combination × seeds + seed */
};

/* One run a seed, until keys are added. Takes no memory yet. */
void sweep_init(struct sweep *sweep, const struct scenario *base, uint64_t seeds);
/* "key=a,b" or "key=a|b". INVALID and words in `problem` (SCENARIO_PROBLEM_BYTES) where the key, a value or
 * the number of runs is wrong. */
int sweep_add(struct sweep *sweep, const char *text, char *problem);
void sweep_free(struct sweep *sweep);

uint64_t sweep_runs(const struct sweep *sweep);

/* The next run's scenario; false after the last. */
bool sweep_next(struct sweep *sweep, struct scenario *scenario);
/* What the run that sweep_next gave has come to. */
void sweep_note(struct sweep *sweep, const struct run_figures *figures);

/* Mean and standard deviation over the seeds, one line a combination. */
void sweep_print(const struct sweep *sweep);

#endif
