/* A run on the screen: one line a round, and one that moves while a round is under way. */
#ifndef MYCEL_SERVER_CLI_SIM_SCREEN_H
#define MYCEL_SERVER_CLI_SIM_SCREEN_H

#include "sim/run.h"

#include <stdbool.h>

struct screen {
    const struct scenario *scenario;
    bool quiet;
    bool terminal; /* progress is only for a person */
    bool headed;
    double started_s;
    double shown_s;
};

void screen_init(struct screen *screen, const struct scenario *scenario, bool quiet);
void screen_round(struct screen *screen, const struct run_figures *figures);
void screen_progress(struct screen *screen, const struct run_figures *figures);
void screen_ended(struct screen *screen, const struct run_figures *figures);

#endif
