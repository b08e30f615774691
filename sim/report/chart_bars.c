/* Bar charts: upright for sequences, lying for lists of names. Each bar carries its figures as a
 * title, which browsers show without any script. */
#include <math.h>

#include "common/assert.h"
#include "sim/report/chart_frame.h"
#include "sim/report/page.h"

#define X_LABELS_MAX 7u
#define VALUED_BARS_MAX 12u
#define ROW_HEIGHT 44.0
#define ROW_BAR 14.0

static double sum_of(const struct chart_stack *stack, size_t bar)
{
    double sum = 0.0;
    for (size_t part = 0; part < stack->parts_count; part++) {
        sum += stack->values[bar * stack->parts_count + part];
    }
    return sum;
}

static double largest_of(const struct chart_stack *stack)
{
    double largest = 0.0;
    for (size_t i = 0; i < stack->count; i++) {
        largest = fmax(largest, sum_of(stack, i));
    }
    return largest;
}

/* "round 12: accepted 10, expired 2" */
static void bar_title(FILE *out, const char *name, enum scale_kind kind,
                      const struct chart_stack *stack, size_t bar)
{
    (void)fputs("<g class=\"bar\"><title>", out);
    page_print(out, name[0] != '\0' ? "%s %s: " : "%s%s: ", name, stack->labels[bar].text);
    for (size_t part = 0; part < stack->parts_count; part++) {
        struct figure value = scale_value(kind, stack->values[bar * stack->parts_count + part]);
        page_print(out, stack->parts_count > 1 ? "%s%s %s" : "%s%s%s", part > 0 ? ", " : "",
                   stack->parts_count > 1 ? stack->parts[part] : "", value.text);
    }
    (void)fputs("</title>", out);
}

static void upright(FILE *out, const struct chart *c, const struct chart_stack *stack, size_t bar,
                    double slot, const struct scale *y)
{
    double gap = slot > 6.0 ? fmin(slot * 0.22, 10.0) : slot > 2.5 ? 0.8 : 0.0;
    double left = FRAME_LEFT + (double)bar * slot + gap / 2.0;
    double from = 0.0;
    bar_title(out, c->x.name, c->y.kind, stack, bar);
    /* Something to point at where the bar is low. */
    (void)fprintf(out,
                  "<rect fill=\"transparent\" x=\"%.2f\" y=\"%.0f\" width=\"%.2f\" "
                  "height=\"%.0f\"/>",
                  left, FRAME_TOP, slot - gap, FRAME_BOTTOM - FRAME_TOP);
    for (size_t part = 0; part < stack->parts_count; part++) {
        double value = stack->values[bar * stack->parts_count + part];
        double top = frame_y(y, from + value);
        if (value > 0.0) {
            (void)fprintf(out,
                          "<rect class=\"%c%zu\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" "
                          "height=\"%.2f\"/>",
                          stack->palette, part, left, top, slot - gap, frame_y(y, from) - top);
        }
        from += value;
    }
    (void)fputs("</g>\n", out);
    if (stack->count <= VALUED_BARS_MAX && stack->parts_count == 1) {
        double shown = c->y.kind == SCALE_FRACTION ? 100.0 * from : from;
        (void)fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
                      left + (slot - gap) / 2.0, frame_y(y, from) - 4.0,
                      scale_value(SCALE_COUNT, shown).text);
    }
}

void chart_bars(FILE *out, const struct chart *c, const struct chart_stack *stack, double top)
{
    MYCEL_ASSERT(stack->count > 0 && stack->parts_count <= CHART_PARTS_MAX);
    struct scale y = scale_fit(c->y.kind, 0.0, top > 0.0 ? top : largest_of(stack), 5, 1);
    double slot = (FRAME_RIGHT - FRAME_LEFT) / (double)stack->count;
    size_t every = (stack->count + X_LABELS_MAX - 1u) / X_LABELS_MAX;
    if (stack->count <= VALUED_BARS_MAX) {
        every = 1;
    }
    frame_open(out, c, FRAME_HEIGHT, NULL, NULL);
    frame_y_axis(out, c, &y);
    for (size_t i = 0; i < stack->count; i++) {
        upright(out, c, stack, i, slot, &y);
        if (i % every == 0) {
            (void)fprintf(out, "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">",
                          FRAME_LEFT + ((double)i + 0.5) * slot, FRAME_BOTTOM + 17.0);
            page_text(out, stack->labels[i].text);
            (void)fputs("</text>\n", out);
        }
    }
    frame_x_name(out, c->x.name, "");
    frame_close(out);
}

static void lying(FILE *out, const struct chart *c, const struct chart_stack *stack, size_t row,
                  double largest)
{
    double top = (double)row * ROW_HEIGHT;
    double left = 0.0;
    double sum = sum_of(stack, row);
    (void)fprintf(out, "<text class=\"name\" x=\"0\" y=\"%.0f\">", top + 15.0);
    page_text(out, stack->labels[row].text);
    (void)fprintf(out, "</text><text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">%s</text>\n",
                  FRAME_WIDTH, top + 15.0, scale_value(c->x.kind, sum).text);
    bar_title(out, "", c->x.kind, stack, row);
    (void)fprintf(out,
                  "<rect fill=\"transparent\" x=\"0\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\"/>",
                  top, FRAME_WIDTH, ROW_HEIGHT);
    for (size_t part = 0; part < stack->parts_count; part++) {
        double value = stack->values[row * stack->parts_count + part];
        double width = largest > 0.0 ? value / largest * FRAME_WIDTH : 0.0;
        (void)fprintf(out,
                      "<rect class=\"%c%zu\" x=\"%.2f\" y=\"%.0f\" width=\"%.2f\" "
                      "height=\"%.0f\"/>",
                      stack->palette, stack->by_bar ? row : part, left, top + 22.0, width, ROW_BAR);
        left += width;
    }
    (void)fputs("</g>\n", out);
}

void chart_rows(FILE *out, const struct chart *c, const struct chart_stack *stack)
{
    MYCEL_ASSERT(stack->count > 0 && stack->parts_count <= CHART_PARTS_MAX);
    MYCEL_ASSERT(!stack->by_bar || (stack->parts_count == 1 && stack->count <= CHART_LINES_MAX));
    double largest = largest_of(stack);
    frame_open(out, c, (double)stack->count * ROW_HEIGHT, NULL, NULL);
    for (size_t i = 0; i < stack->count; i++) {
        lying(out, c, stack, i, largest);
    }
    frame_close(out);
}
