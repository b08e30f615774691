/* The frame of a chart: its element, its axes, its measures. */
#include "sim/report/chart_frame.h"

#include "sim/report/page.h"

/* For the read-out: "lo|hi|decimals|unit|name", in units of the labels. */
static void axis_attribute(FILE *out, char letter, const struct scale *s,
                           const struct chart_axis *axis)
{
    int more = s->kind == SCALE_COUNT ? 0 : s->kind == SCALE_FRACTION ? 1 : 2;
    int decimals = s->kind == SCALE_FRACTION ? 1 : s->decimals + more;
    (void)fprintf(out, " data-%c=\"", letter);
    page_print(out, "%.9g|%.9g|%d|%s|%s", s->lo / s->unit, s->hi / s->unit, decimals, s->name,
               axis->name);
    (void)fputc('"', out);
}

void frame_open(FILE *out, const struct chart *c, double height, const struct scale *x,
                const struct scale *y)
{
    (void)fprintf(out,
                  "<svg class=\"chart\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
                  "aria-labelledby=\"%s-t %s-d\"",
                  FRAME_WIDTH, height, c->id, c->id);
    if (x != NULL && y != NULL) {
        (void)fprintf(out, " data-box=\"%.0f %.0f %.0f %.0f\"", FRAME_LEFT, FRAME_TOP, FRAME_RIGHT,
                      FRAME_BOTTOM);
        axis_attribute(out, 'x', x, &c->x);
        axis_attribute(out, 'y', y, &c->y);
    }
    (void)fprintf(out, ">\n<title id=\"%s-t\">", c->id);
    page_text(out, c->title);
    (void)fprintf(out, "</title><desc id=\"%s-d\">", c->id);
    page_text(out, c->description);
    (void)fputs("</desc>\n", out);
}

void frame_close(FILE *out)
{
    (void)fputs("</svg>\n", out);
}

double frame_x(const struct scale *x, double value)
{
    return FRAME_LEFT + scale_place(x, value) * (FRAME_RIGHT - FRAME_LEFT);
}

double frame_y(const struct scale *y, double value)
{
    return FRAME_BOTTOM - scale_place(y, value) * (FRAME_BOTTOM - FRAME_TOP);
}

void frame_y_axis(FILE *out, const struct chart *c, const struct scale *y)
{
    double ticks[SCALE_TICKS_MAX];
    size_t count = scale_ticks(y, ticks);
    for (size_t i = 0; i < count; i++) {
        double at = frame_y(y, ticks[i]);
        (void)fprintf(out,
                      "<path class=\"%s\" d=\"M%.0f %.1fH%.0f\"/>"
                      "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                      i == 0 ? "base" : "grid", FRAME_LEFT, at, FRAME_RIGHT, FRAME_LEFT - 6.0,
                      at + 4.0, scale_label(y, ticks[i]).text);
    }
    (void)fprintf(out, "<text x=\"0\" y=\"11\">");
    page_print(out, y->name[0] != '\0' ? "%s, %s" : "%s%s", c->y.name, y->name);
    (void)fputs("</text>\n", out);
}

void frame_x_name(FILE *out, const char *name, const char *unit)
{
    (void)fprintf(out, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">",
                  (FRAME_LEFT + FRAME_RIGHT) / 2.0, FRAME_HEIGHT - 4.0);
    page_print(out, unit[0] != '\0' ? "%s, %s" : "%s%s", name, unit);
    (void)fputs("</text>\n", out);
}

void frame_x_axis(FILE *out, const struct chart *c, const struct scale *x)
{
    double ticks[SCALE_TICKS_MAX];
    size_t count = scale_ticks(x, ticks);
    for (size_t i = 0; i < count; i++) {
        double at = frame_x(x, ticks[i]);
        (void)fprintf(out,
                      "<path class=\"base\" d=\"M%.1f %.0fv4\"/>"
                      "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">%s</text>\n",
                      at, FRAME_BOTTOM, at, FRAME_BOTTOM + 17.0, scale_label(x, ticks[i]).text);
    }
    frame_x_name(out, c->x.name, x->name);
}
