/*
 * An axis: from data to a drawing's coordinates, with round tick marks in a fitting unit (seconds or
 * days, kB or GB). It must never draw.
 */
#ifndef MYCEL_SIM_REPORT_SCALE_H
#define MYCEL_SIM_REPORT_SCALE_H

#include <stddef.h>

#include "sim/report/figure.h"

#define SCALE_TICKS_MAX 12u

enum scale_kind {
    SCALE_COUNT,
    SCALE_REAL,
    SCALE_FRACTION,
    SCALE_SECONDS,
    SCALE_BYTES,
    SCALE_JOULES
};

struct scale {
    enum scale_kind kind;
    double lo, hi;    /* of the axis, in the data's unit; hi > lo */
    double step;      /* between ticks, in the data's unit */
    double unit;      /* how many of the data's unit one unit of the labels is */
    const char *name; /* of the labels' unit: "h", "MB", "%"; "" for plain numbers */
    int decimals;     /* of the labels */
};

/* An axis over lo … hi (finite, in any relation) with about `ticks` (2 … 8) intervals. With `whole`,
 * both ends are moved outwards to ticks; without, they stay. */
struct scale scale_fit(enum scale_kind kind, double lo, double hi, unsigned ticks, int whole);

/* value's place, from 0 at lo to 1 at hi. */
double scale_place(const struct scale *s, double value);

/* The ticks within the axis; returns how many (1 … SCALE_TICKS_MAX). */
size_t scale_ticks(const struct scale *s, double out[SCALE_TICKS_MAX]);

/* A tick's label, without the unit. */
struct figure scale_label(const struct scale *s, double value);

/* A value in full, as figure.h writes its kind. */
struct figure scale_value(enum scale_kind kind, double value);

#endif
