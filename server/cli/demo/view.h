/*
 * What the demo shows while it runs: one row for each round, and on a terminal a live panel below
 * them with the round under way, the devices that have reported, bytes, and the accuracy's curve.
 * Plain rows when stdout is no terminal, JSON lines on request. It decides nothing.
 */
#ifndef MYCEL_SERVER_CLI_DEMO_VIEW_H
#define MYCEL_SERVER_CLI_DEMO_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/cli/demo/progress.h"
#include "server/cli/demo/task.h"

struct view {
    const struct task *task;
    uint32_t rounds, devices;
    uint32_t cohort; /* devices of one round */
    bool json, terminal, color, unicode;
    int width;      /* of the terminal, characters */
    unsigned lines; /* of the live panel that stand on the screen */
    unsigned turns; /* of the spinner */
    size_t shown;   /* rounds that have their row */
};

/* What view_start() announces. */
struct view_start {
    const char *folder, *state;
    const char *partition;
    uint32_t params;
    uint64_t seed;
    unsigned port;
};

void view_init(struct view *v, const struct task *task, uint32_t rounds, uint32_t devices,
               uint32_t cohort, bool json);

/* Heading: what is about to happen. */
void view_begin(struct view *v, const struct view_start *start);

/* One remark in passing, e.g. that a device died. JSON: {"event": event, "text": …}. */
__attribute__((format(printf, 3, 4))) void view_note(struct view *v, const char *event,
                                                     const char *format, ...);

/* Rows for rounds that are new, then the live panel. Call it a few times a second. */
void view_update(struct view *v, const struct progress *p, uint64_t elapsed_ms);

/* Takes the live panel away; leaves the curve if there is one and curve is set. */
void view_finish(struct view *v, const struct progress *p, bool curve);

/* Colours: "" unless the terminal has them and NO_COLOR is not set. */
enum view_color { VIEW_PLAIN, VIEW_BOLD, VIEW_DIM, VIEW_GREEN, VIEW_RED, VIEW_CYAN };
const char *view_color(const struct view *v, enum view_color color);

#endif
