/*
 * Views of a run's rounds: what is put on which axis, as points for a chart, and the accuracies worth
 * naming. It must never draw.
 */
#ifndef MYCEL_SIM_REPORT_CURVE_H
#define MYCEL_SIM_REPORT_CURVE_H

#include <stddef.h>

#include "sim/report/chart.h"
#include "sim/report/series.h"

#define CURVE_LEVELS_MAX 6u

/* One quantity of a round; bytes and energy are per device of the fleet, bytes in both directions. */
typedef double (*curve_pick)(const struct series *s, const struct series_round *r);
double curve_round(const struct series *s, const struct series_round *r);
double curve_time(const struct series *s, const struct series_round *r);
double curve_bytes(const struct series *s, const struct series_round *r);
double curve_energy(const struct series *s, const struct series_round *r);
double curve_accuracy(const struct series *s, const struct series_round *r);
double curve_loss(const struct series *s, const struct series_round *r);

/* The axes over which accuracy is shown, the first of which is the rounds. */
#define CURVE_AXES 4u
struct curve_axis {
    curve_pick pick;
    struct chart_axis axis;
    const char *id;    /* part of element ids and of JSON keys */
    const char *title; /* "Accuracy over virtual time" */
};
extern const struct curve_axis curve_axes[CURVE_AXES];

/* The rounds in which y was measured. The caller frees line->points; 0 or MYCEL_E_NO_MEMORY. */
int curve_of(const struct series *s, curve_pick x, curve_pick y, const char *name,
             struct chart_line *line);

/* Frees the points of lines made by curve_of(). */
void curve_free(struct chart_line *lines, size_t count);

/* Round accuracies up to `best`, rising: the highest few that say something. Returns how many. */
size_t curve_levels(double best, double out[CURVE_LEVELS_MAX]);

#endif
