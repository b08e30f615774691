/* Line charts. A long line is thinned to the lowest and the highest value of each stretch, so that a
 * dip or a peak of a single round stays visible. */
#include <math.h>

#include "common/assert.h"
#include "sim/report/chart_frame.h"
#include "sim/report/page.h"

#define STRETCHES (CHART_POINTS_MAX / 2u - 1u)

struct extent {
    double x_lo, x_hi, y_lo, y_hi;
    size_t points;
};

static struct extent extent_of(const struct chart_line *lines, size_t count)
{
    struct extent e = {HUGE_VAL, -HUGE_VAL, HUGE_VAL, -HUGE_VAL, 0};
    for (size_t n = 0; n < count; n++) {
        for (size_t i = 0; i < lines[n].count; i++) {
            const struct chart_point *p = &lines[n].points[i];
            e.x_lo = fmin(e.x_lo, p->x);
            e.x_hi = fmax(e.x_hi, p->x);
            e.y_lo = fmin(e.y_lo, p->low);
            e.y_hi = fmax(e.y_hi, p->high);
            e.points++;
        }
    }
    return e;
}

/* Which points of a line are drawn; calls for i = 0 … count - 1 in order say yes or no. */
static bool is_drawn(const struct chart_line *line, size_t i)
{
    if (line->count <= CHART_POINTS_MAX || i == 0 || i + 1u == line->count) {
        return true;
    }
    size_t stretch = i * STRETCHES / line->count;
    size_t from = (stretch * line->count + STRETCHES - 1u) / STRETCHES;
    size_t to = ((stretch + 1u) * line->count + STRETCHES - 1u) / STRETCHES;
    size_t lowest = from, highest = from;
    for (size_t k = from; k < to; k++) {
        lowest = line->points[k].y < line->points[lowest].y ? k : lowest;
        highest = line->points[k].y > line->points[highest].y ? k : highest;
    }
    return i == lowest || i == highest;
}

static void draw_band(FILE *out, const struct chart_line *line, size_t n, const struct scale *x,
                      const struct scale *y)
{
    bool any = false;
    for (size_t i = 0; i < line->count && !any; i++) {
        any = line->points[i].low < line->points[i].high;
    }
    if (!any) {
        return;
    }
    (void)fprintf(out, "<polygon class=\"band f%zu\" points=\"", n);
    for (size_t i = 0; i < line->count; i++) {
        if (is_drawn(line, i)) {
            const struct chart_point *p = &line->points[i];
            (void)fprintf(out, "%.2f,%.2f ", frame_x(x, p->x), frame_y(y, p->high));
        }
    }
    for (size_t i = line->count; i > 0; i--) {
        if (is_drawn(line, i - 1u)) {
            const struct chart_point *p = &line->points[i - 1u];
            (void)fprintf(out, "%.2f,%.2f ", frame_x(x, p->x), frame_y(y, p->low));
        }
    }
    (void)fputs("\"/>\n", out);
}

static void draw_line(FILE *out, const struct chart_line *line, size_t n, const struct scale *x,
                      const struct scale *y)
{
    (void)fprintf(out, "<polyline class=\"l s%zu\" data-n=\"%zu\" data-name=\"", n, n);
    page_text(out, line->name);
    (void)fputs("\" points=\"", out);
    for (size_t i = 0; i < line->count; i++) {
        if (is_drawn(line, i)) {
            (void)fprintf(out, "%.2f,%.2f ", frame_x(x, line->points[i].x),
                          frame_y(y, line->points[i].y));
        }
    }
    (void)fputs("\"/>\n", out);
}

/* A dot at the end; with one line, its value beside it. */
static void draw_end(FILE *out, const struct chart *c, const struct chart_line *line, size_t n,
                     bool alone, const struct scale *x, const struct scale *y)
{
    const struct chart_point *p = &line->points[line->count - 1u];
    double at_x = frame_x(x, p->x), at_y = frame_y(y, p->y);
    (void)fprintf(out, "<circle class=\"f%zu\" cx=\"%.2f\" cy=\"%.2f\" r=\"3.5\"/>\n", n, at_x,
                  at_y);
    if (alone) {
        bool above = at_y > FRAME_TOP + 24.0;
        (void)fprintf(
            out, "<text class=\"end\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n",
            at_x + 4.0, above ? at_y - 10.0 : at_y + 20.0,
            at_x > FRAME_LEFT + 60.0 ? "end" : "start", scale_value(c->y.kind, p->y).text);
    }
}

void chart_lines(FILE *out, const struct chart *c, const struct chart_line *lines, size_t count,
                 bool from_zero)
{
    MYCEL_ASSERT(count <= CHART_LINES_MAX);
    struct extent e = extent_of(lines, count);
    if (e.points == 0) {
        (void)fputs("<p class=\"none\">Not measured in this run.</p>\n", out);
        return;
    }
    bool costs = c->x.kind != SCALE_COUNT;
    struct scale x = scale_fit(c->x.kind, costs ? 0.0 : e.x_lo, e.x_hi, 5, costs);
    struct scale y = scale_fit(c->y.kind, from_zero ? 0.0 : e.y_lo, e.y_hi, 5, 1);
    frame_open(out, c, FRAME_HEIGHT, &x, &y);
    frame_y_axis(out, c, &y);
    frame_x_axis(out, c, &x);
    for (size_t n = 0; n < count; n++) {
        draw_band(out, &lines[n], n, &x, &y);
    }
    for (size_t n = 0; n < count; n++) {
        if (lines[n].count > 0) {
            draw_line(out, &lines[n], n, &x, &y);
            draw_end(out, c, &lines[n], n, count == 1, &x, &y);
        }
    }
    frame_close(out);
}
