/* What was learned: accuracy and loss over rounds, the classes side by side, and what accuracy cost in
 * time, bytes and energy. */
#include <math.h>

#include <mycel/error.h>

#include "sim/report/chart.h"
#include "sim/report/curve.h"
#include "sim/report/html_parts.h"
#include "sim/report/page.h"

/* ---- over rounds -------------------------------------------------------------------------- */

static int accuracy_chart(FILE *out, const struct series *s)
{
    char take[HTML_TAKEAWAY_BYTES] = "";
    const struct series_round *newest = series_newest_accuracy(s);
    const struct series_round *best = series_best_accuracy(s);
    struct chart_line line;
    if (curve_of(s, curve_round, curve_accuracy, "accuracy", &line) < 0) {
        return MYCEL_E_NO_MEMORY;
    }
    if (newest != NULL) {
        (void)snprintf(take, sizeof take, "%s in round %s; best %s in round %s.",
                       figure_percent(newest->accuracy).text, figure_count(newest->round).text,
                       figure_percent(best->accuracy).text, figure_count(best->round).text);
    }
    struct chart chart = {.id = "accuracy",
                          .title = curve_axes[0].title,
                          .description = take,
                          .x = curve_axes[0].axis,
                          .y = {SCALE_FRACTION, "accuracy"}};
    page_card_open(out, chart.title, take, 0);
    chart_lines(out, &chart, &line, 1, false);
    page_card_close(out);
    curve_free(&line, 1);
    return MYCEL_OK;
}

static int loss_chart(FILE *out, const struct series *s)
{
    char take[HTML_TAKEAWAY_BYTES] = "";
    struct chart_line line;
    if (curve_of(s, curve_round, curve_loss, "loss", &line) < 0) {
        return MYCEL_E_NO_MEMORY;
    }
    if (line.count > 0) {
        const struct chart_point *lowest = &line.points[0];
        for (size_t i = 1; i < line.count; i++) {
            lowest = line.points[i].y < lowest->y ? &line.points[i] : lowest;
        }
        (void)snprintf(take, sizeof take, "%.3f at the end; lowest %.3f in round %.0f.",
                       line.points[line.count - 1u].y, lowest->y, lowest->x);
    }
    struct chart chart = {.id = "loss",
                          .title = "Loss over rounds",
                          .description = take,
                          .x = curve_axes[0].axis,
                          .y = {SCALE_REAL, "loss"}};
    page_card_open(out, chart.title, take, 0);
    chart_lines(out, &chart, &line, 1, false);
    page_card_close(out);
    curve_free(&line, 1);
    return MYCEL_OK;
}

/* ---- classes ------------------------------------------------------------------------------ */

static void class_table(FILE *out, const struct series *s, const struct figure *labels)
{
    static const char *const heads[] = {"class", "accuracy"};
    page_table_open(out, "Figures as a table", heads, 2);
    for (size_t i = 0; i < s->classes_count; i++) {
        page_row_open(out);
        page_cell(out, labels[i].text);
        page_cell(out, figure_percent(s->class_accuracy[i]).text);
        page_row_close(out);
    }
    page_table_close(out, "");
}

static void class_takeaway(const struct series *s, char take[HTML_TAKEAWAY_BYTES])
{
    size_t lowest = 0, highest = 0;
    for (size_t i = 1; i < s->classes_count; i++) { /* written so that a NaN loses */
        lowest = s->class_accuracy[lowest] <= s->class_accuracy[i] ? lowest : i;
        highest = s->class_accuracy[highest] >= s->class_accuracy[i] ? highest : i;
    }
    (void)snprintf(take, HTML_TAKEAWAY_BYTES, "Weakest: class %zu, %s; strongest: class %zu, %s.",
                   lowest, figure_percent(s->class_accuracy[lowest]).text, highest,
                   figure_percent(s->class_accuracy[highest]).text);
}

static void class_chart(FILE *out, const struct series *s)
{
    struct figure labels[SERIES_CLASSES_MAX];
    double values[SERIES_CLASSES_MAX];
    char take[HTML_TAKEAWAY_BYTES];
    char title[96];
    class_takeaway(s, take);
    (void)snprintf(title, sizeof title, "Accuracy of each class, round %s",
                   figure_count(s->class_accuracy_round).text);
    for (size_t i = 0; i < s->classes_count; i++) {
        labels[i] = figure_count(i);
        values[i] = isfinite(s->class_accuracy[i]) ? s->class_accuracy[i] : 0.0;
    }
    struct chart chart = {.id = "classes",
                          .title = title,
                          .description = take,
                          .x = {SCALE_COUNT, "class"},
                          .y = {SCALE_FRACTION, "accuracy"}};
    struct chart_stack stack = {.parts = NULL,
                                .parts_count = 1,
                                .values = values,
                                .labels = labels,
                                .count = s->classes_count,
                                .palette = 'f'};
    page_card_open(out, title, take, 0);
    chart_bars(out, &chart, &stack, 1.0);
    class_table(out, s, labels);
    page_card_close(out);
}

int html_learning(FILE *out, const struct series *s)
{
    page_section_open(out, "What was learned", "Measured by the coordinator on its test data.");
    int result = accuracy_chart(out, s);
    if (result == MYCEL_OK) {
        result = loss_chart(out, s);
    }
    if (s->classes_count > 0) {
        class_chart(out, s);
    }
    page_section_close(out);
    return result;
}

/* ---- cost --------------------------------------------------------------------------------- */

static int cost_chart(FILE *out, const struct series *s, size_t n, double level)
{
    const struct curve_axis *axis = &curve_axes[n];
    const struct series_round *reached = series_reaches(s, level);
    char take[HTML_TAKEAWAY_BYTES] = "";
    char id[64];
    struct chart_line line;
    if (curve_of(s, axis->pick, curve_accuracy, "accuracy", &line) < 0) {
        return MYCEL_E_NO_MEMORY;
    }
    if (reached != NULL) {
        (void)snprintf(take, sizeof take, "%.3g %% after %s%s.", 100.0 * level,
                       scale_value(axis->axis.kind, axis->pick(s, reached)).text,
                       n == 1 ? "" : " on average");
    }
    (void)snprintf(id, sizeof id, "accuracy-%zu", n);
    struct chart chart = {.id = id,
                          .title = axis->title,
                          .description = take,
                          .x = axis->axis,
                          .y = {SCALE_FRACTION, "accuracy"}};
    page_card_open(out, axis->title, take, 0);
    chart_lines(out, &chart, &line, 1, false);
    page_card_close(out);
    curve_free(&line, 1);
    return MYCEL_OK;
}

static void level_table(FILE *out, const struct series *s, const double *levels, size_t count)
{
    static const char *const heads[] = {"accuracy reached", "round", "virtual time",
                                        "bytes per device", "energy per device"};
    page_card_open(out, "What it takes to reach an accuracy",
                   "The first round in which it was measured at or above it, and all that had been "
                   "spent by then.",
                   1);
    page_table_open(out, NULL, heads, 1u + CURVE_AXES);
    for (size_t i = 0; i < count; i++) {
        const struct series_round *r = series_reaches(s, levels[i]);
        page_row_open(out);
        page_cell(out, figure_percent(levels[i]).text);
        for (size_t n = 0; n < CURVE_AXES && r != NULL; n++) {
            page_cell(out, scale_value(curve_axes[n].axis.kind, curve_axes[n].pick(s, r)).text);
        }
        page_row_close(out);
    }
    page_table_close(out, NULL);
    page_card_close(out);
}

int html_cost(FILE *out, const struct series *s)
{
    const struct series_round *best = series_best_accuracy(s);
    double levels[CURVE_LEVELS_MAX] = {2.0}; /* beyond reach */
    size_t count = best == NULL ? 0 : curve_levels(best->accuracy, levels);
    int result = MYCEL_OK;
    page_section_open(out, "What accuracy cost",
                      "Bytes are those on the radio, with all headers and repeats; energy is "
                      "computing and radio, which also sleeps and polls. Both per device of the "
                      "fleet, idle ones included.");
    for (size_t n = 1; n < CURVE_AXES && result == MYCEL_OK; n++) {
        result = cost_chart(out, s, n, levels[count > 0 ? count - 1u : 0]);
    }
    if (count > 0) {
        level_table(out, s, levels, count);
    }
    page_section_close(out);
    return result;
}
