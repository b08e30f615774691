/* What the charts share: measures, the opening of an SVG, axes. Only chart_*.c use it. */
#ifndef MYCEL_SIM_REPORT_CHART_FRAME_H
#define MYCEL_SIM_REPORT_CHART_FRAME_H

#include "sim/report/chart.h"

#define FRAME_WIDTH 400.0
#define FRAME_HEIGHT 236.0
#define FRAME_LEFT 42.0
#define FRAME_RIGHT 390.0
#define FRAME_TOP 24.0
#define FRAME_BOTTOM 196.0

/* <svg …>, title and description. With axes, what the read-out needs to turn places into values. */
void frame_open(FILE *out, const struct chart *c, double height, const struct scale *x,
                const struct scale *y);
void frame_close(FILE *out);

/* Horizontal grid lines with labels, and the unit above them. */
void frame_y_axis(FILE *out, const struct chart *c, const struct scale *y);

/* Tick marks with labels, and the axis' name under them. */
void frame_x_axis(FILE *out, const struct chart *c, const struct scale *x);

/* "name, unit" centred under the drawing. */
void frame_x_name(FILE *out, const char *name, const char *unit);

/* Places in the drawing. */
double frame_x(const struct scale *x, double value);
double frame_y(const struct scale *y, double value);

#endif
