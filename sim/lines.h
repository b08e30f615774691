/*
 * A run as JSON lines: one object a line, as docs/SIMULATION.md lists them. It owns the format; the
 * figures are the run's. Same seed, same lines (wall_s and commit aside).
 */
#ifndef MYCEL_SIM_LINES_H
#define MYCEL_SIM_LINES_H

#include "sim/run.h"

#include <stdio.h>

struct world;

struct lines {
    FILE *out[2];              /* where to; NULL: not used */
    const char *commit;        /* of the program, for the report */
    double started_s;          /* wall clock */
    struct run_figures before; /* of the round before: rounds tell what was new */
};

void lines_started(struct lines *lines, const struct world *world);
void lines_round(struct lines *lines, const struct world *world, const struct run_figures *figures);
void lines_ended(struct lines *lines, const struct world *world, const struct run_figures *figures);

/* Whether everything could be written: 0 or IO. */
int lines_status(const struct lines *lines);

#endif
