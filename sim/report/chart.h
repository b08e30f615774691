/*
 * Charts as inline SVG: lines with an optional band, stacked bars, and rows of stacked bars. Each is
 * complete without scripts, has a title and a description for those who cannot see it, and is 400
 * units wide, so that its type is as large as the page's in a column and on a telephone. Names are
 * escaped here. It must never know what a simulation is.
 */
#ifndef MYCEL_SIM_REPORT_CHART_H
#define MYCEL_SIM_REPORT_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "sim/report/scale.h"

#define CHART_LINES_MAX 6u
#define CHART_PARTS_MAX 6u
#define CHART_POINTS_MAX 400u /* longer lines are thinned; their extremes stay */

struct chart_axis {
    enum scale_kind kind;
    const char *name;
};

/* low … high is drawn as a band around y where it differs from it. All finite, x never falling. */
struct chart_point {
    double x, y;
    double low, high;
};

struct chart_line {
    const char *name;
    const struct chart_point *points;
    size_t count;
};

/* What all kinds have. `id` is unique on the page: letters, digits and dashes. */
struct chart {
    const char *id;
    const char *title;
    const char *description;
    struct chart_axis x, y;
};

/* Lines over a common pair of axes, y from 0 if `from_zero`. Up to CHART_LINES_MAX. Without any point
 * it says so instead. */
void chart_lines(FILE *out, const struct chart *c, const struct chart_line *lines, size_t count,
                 bool from_zero);

/* Stacked parts in one bar, or in one of many: values[bar * parts + part] >= 0. */
struct chart_stack {
    const char *const *parts; /* names; one part has no name of its own */
    size_t parts_count;       /* 1 … CHART_PARTS_MAX */
    const double *values;
    const struct figure *labels; /* one a bar */
    size_t count;
    char palette; /* 'f': like lines; 'o': outcomes of work */
    bool by_bar;  /* one part: each bar has the colour of the line with its number */
};

/* Upright bars; y from 0, up to `top` where that is not 0. With few bars each is labelled with its
 * value. x.name stands under them, labels are thinned. */
void chart_bars(FILE *out, const struct chart *c, const struct chart_stack *stack, double top);

/* Lying bars, one a row under its label, with their sums. x.kind is theirs; y is not used. */
void chart_rows(FILE *out, const struct chart *c, const struct chart_stack *stack);

#endif
