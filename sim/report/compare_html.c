/* Runs side by side as a page: courses in common axes, then the same tables as in a terminal. */
#include <math.h>

#include <mycel/error.h>

#include "sim/report/chart.h"
#include "sim/report/compare.h"
#include "sim/report/page.h"
#include "sim/report/spread.h"

#define TEXT_BYTES 256u
#define LABEL_BYTES 50u /* what fits above a bar */

/* The groups that are drawn, the most accurate first. */
struct shown {
    size_t groups[CHART_LINES_MAX];
    size_t count;
};

static void choose(const struct runs *runs, struct shown *shown)
{
    bool used[RUNS_GROUPS_MAX] = {false};
    *shown = (struct shown){0};
    if (runs->groups_count <= CHART_LINES_MAX) { /* nobody is left out: as they came */
        for (; shown->count < runs->groups_count; shown->count++) {
            shown->groups[shown->count] = shown->count;
        }
        return;
    }
    for (; shown->count < CHART_LINES_MAX; shown->count++) {
        size_t best = 0;
        double most = -2.0;
        for (size_t g = 0; g < runs->groups_count; g++) {
            double accuracy = spread_of_metric(runs, g, &metrics[0]).mean;
            accuracy = isfinite(accuracy) ? accuracy : -1.0;
            if (!used[g] && accuracy > most) {
                best = g;
                most = accuracy;
            }
        }
        used[best] = true;
        shown->groups[shown->count] = best;
    }
}

/* ---- courses ------------------------------------------------------------------------------ */

/* What is put on the axes of one chart. */
struct view {
    const char *id, *title;
    curve_pick x, y;
    struct chart_axis x_axis, y_axis;
};

static int course(FILE *out, const struct runs *runs, const struct shown *shown,
                  const struct view *view)
{
    struct chart_line lines[CHART_LINES_MAX] = {{0}};
    char description[TEXT_BYTES];
    int result = MYCEL_OK;
    for (size_t i = 0; i < shown->count && result == MYCEL_OK; i++) {
        result = spread_curve(runs, shown->groups[i], view->x, view->y, &lines[i]);
    }
    (void)snprintf(description, sizeof description,
                   "One line for each of %zu settings, the mean over its seeds.", shown->count);
    struct chart chart = {.id = view->id,
                          .title = view->title,
                          .description = description,
                          .x = view->x_axis,
                          .y = view->y_axis};
    if (result == MYCEL_OK) {
        page_card_open(out, chart.title, "", 0);
        chart_lines(out, &chart, lines, shown->count, false);
        page_card_close(out);
    }
    curve_free(lines, CHART_LINES_MAX);
    return result;
}

/* Where each of them ended, as bars from 0. */
static void finals(FILE *out, const struct runs *runs, const struct shown *shown)
{
    static const char *const parts[] = {"accuracy"};
    double values[CHART_LINES_MAX];
    struct figure labels[CHART_LINES_MAX];
    for (size_t i = 0; i < shown->count; i++) {
        double accuracy = spread_of_metric(runs, shown->groups[i], &metrics[0]).mean;
        values[i] = isfinite(accuracy) ? accuracy : 0.0;
        labels[i] = figure_label(runs->groups[shown->groups[i]].label, LABEL_BYTES);
    }
    struct chart_stack stack = {.parts = parts,
                                .parts_count = 1,
                                .values = values,
                                .labels = labels,
                                .count = shown->count,
                                .palette = 'f',
                                .by_bar = true};
    struct chart chart = {.id = "finals",
                          .title = metrics[0].title,
                          .description = "One bar for each setting, the mean over its seeds.",
                          .x = {SCALE_FRACTION, "accuracy"}};
    page_card_open(out, chart.title, "", 0);
    chart_rows(out, &chart, &stack);
    page_card_close(out);
}

static int views(FILE *out, const struct runs *runs, const struct shown *shown)
{
    static const struct view loss = {"loss",     "Loss over rounds",     curve_round,
                                     curve_loss, {SCALE_COUNT, "round"}, {SCALE_REAL, "loss"}};
    int result = MYCEL_OK;
    for (size_t n = 0; n < CURVE_AXES && result == MYCEL_OK; n++) {
        char id[32];
        (void)snprintf(id, sizeof id, "course-%zu", n);
        struct view view = {.id = id,
                            .title = curve_axes[n].title,
                            .x = curve_axes[n].pick,
                            .y = curve_accuracy,
                            .x_axis = curve_axes[n].axis,
                            .y_axis = {SCALE_FRACTION, "accuracy"}};
        result = course(out, runs, shown, &view);
    }
    finals(out, runs, shown);
    return result < 0 ? result : course(out, runs, shown, &loss);
}

static int courses(FILE *out, const struct runs *runs, const struct shown *shown)
{
    const char *names[CHART_LINES_MAX];
    char lead[TEXT_BYTES] = "Means over the seeds of a setting, at equal rounds; the bands are one "
                            "standard deviation wide to either side.";
    if (runs->count == runs->groups_count) {
        (void)snprintf(lead, sizeof lead, "One run of each.");
    } else if (shown->count < runs->groups_count) {
        (void)snprintf(lead, sizeof lead,
                       "The %zu most accurate of %zu settings; means over their seeds, with bands "
                       "of one standard deviation to either side.",
                       shown->count, runs->groups_count);
    }
    for (size_t i = 0; i < shown->count; i++) {
        names[i] = runs->groups[shown->groups[i]].label;
    }
    page_section_open(out, "Courses", lead);
    (void)fputs("<div class=\"wide\">", out);
    page_key(out, PAGE_KEY_LINES, names, shown->count);
    (void)fputs("</div>\n", out);
    int result = views(out, runs, shown);
    page_section_close(out);
    return result;
}

/* ---- tables ------------------------------------------------------------------------------- */

static void pair_cells(FILE *out, const struct runs *runs, const char *title, enum scale_kind kind,
                       struct spread a, struct spread b)
{
    page_row_open(out);
    page_cell(out, title);
    page_cell(out, spread_text(kind, a, runs->groups[0].count).text);
    page_cell(out, spread_text(kind, b, runs->groups[1].count).text);
    page_cell(out, spread_difference(kind, a, b).text);
    page_row_close(out);
}

static void pair_settings(FILE *out, const struct runs *runs)
{
    static const char *const heads[] = {"setting", "A", "B"};
    if (runs->keys_count == 0) {
        return;
    }
    page_card_open(out, "Settings that differ", "", 1);
    page_table_open(out, NULL, heads, 3);
    for (size_t i = 0; i < runs->keys_count; i++) {
        page_row_open(out);
        page_cell(out, runs->keys[i]);
        for (size_t g = 0; g < 2; g++) {
            const struct series *s = &runs->list[runs->groups[g].first].series;
            page_cell(out, runs_value(s, runs->keys[i]));
        }
        page_row_close(out);
    }
    page_table_close(out, NULL);
    page_card_close(out);
}

static void pair_ends(FILE *out, const struct runs *runs)
{
    static const char *const heads[] = {"", "A", "B", "B − A"};
    page_card_open(out, "In the end", "", 1);
    page_table_open(out, NULL, heads, 4);
    for (size_t m = 0; m < METRICS; m++) {
        pair_cells(out, runs, metrics[m].title, metrics[m].kind,
                   spread_of_metric(runs, 0, &metrics[m]), spread_of_metric(runs, 1, &metrics[m]));
    }
    page_table_close(out, NULL);
    page_card_close(out);
}

static void pair_rounds(FILE *out, const struct runs *runs)
{
    static const char *const heads[] = {"round", "A", "B", "B − A"};
    uint64_t rounds[SPREAD_ROUNDS_MAX];
    size_t count = spread_rounds(runs, rounds);
    page_card_open(out, "Accuracy at equal rounds", "", 1);
    page_table_open(out, NULL, heads, 4);
    for (size_t i = 0; i < count; i++) {
        pair_cells(out, runs, figure_count(rounds[i]).text, SCALE_FRACTION,
                   spread_at_round(runs, 0, rounds[i]), spread_at_round(runs, 1, rounds[i]));
    }
    page_table_close(out, NULL);
    page_card_close(out);
}

static void group_ends(FILE *out, const struct runs *runs)
{
    static const char *const heads[] = {
        "setting",      "runs",        "accuracy",        "best",         "rounds",
        "virtual time", "sent/device", "received/device", "energy/device"};
    page_card_open(out, "In the end", "", 1);
    page_table_open(out, NULL, heads, 9);
    for (size_t g = 0; g < runs->groups_count; g++) {
        page_row_open(out);
        page_cell(out, runs->groups[g].label);
        page_cell(out, figure_count(runs->groups[g].count).text);
        for (size_t m = 0; m < 7; m++) {
            struct spread s = spread_of_metric(runs, g, &metrics[m]);
            page_cell(out, spread_text(metrics[m].kind, s, runs->groups[g].count).text);
        }
        page_row_close(out);
    }
    page_table_close(out, NULL);
    page_card_close(out);
}

static void level_card(FILE *out, const struct runs *runs, double level)
{
    static const char *const heads[] = {"setting",      "reached by",       "rounds",
                                        "virtual time", "bytes per device", "energy per device"};
    char title[48], reached[48];
    (void)snprintf(title, sizeof title, "To reach %.4g %%", 100.0 * level);
    page_card_open(out, title, "", 1);
    page_table_open(out, NULL, heads, 6);
    for (size_t g = 0; g < runs->groups_count; g++) {
        struct spread rounds = spread_to_reach(runs, g, level, &curve_axes[0]);
        (void)snprintf(reached, sizeof reached, "%zu of %zu", rounds.count, runs->groups[g].count);
        page_row_open(out);
        page_cell(out, runs->groups[g].label);
        page_cell(out, reached);
        for (size_t n = 0; n < CURVE_AXES; n++) {
            struct spread s = spread_to_reach(runs, g, level, &curve_axes[n]);
            page_cell(out, spread_text(curve_axes[n].axis.kind, s, 0).text);
        }
        page_row_close(out);
    }
    page_table_close(out, NULL);
    page_card_close(out);
}

static void tables(FILE *out, const struct runs *runs)
{
    double levels[CURVE_LEVELS_MAX];
    size_t count = spread_levels(runs, levels);
    page_section_open(out, "Figures",
                      "Mean ± standard deviation where a setting ran more than once.");
    if (runs->groups_count == 2) {
        pair_settings(out, runs);
        pair_ends(out, runs);
        pair_rounds(out, runs);
    } else {
        group_ends(out, runs);
    }
    for (size_t i = count; i > 0; i--) {
        level_card(out, runs, levels[i - 1u]);
    }
    page_section_close(out);
}

/* ---- who is compared ---------------------------------------------------------------------- */

static void run_table(FILE *out, const struct runs *runs)
{
    static const char *const heads[] = {"run",      "setting", "seed",
                                        "accuracy", "commit",  "model SHA-256"};
    page_section_open(out, "Runs", "");
    page_card_open(out, "What was compared", "", 1);
    page_table_open(out, NULL, heads, 6);
    for (size_t i = 0; i < runs->count; i++) {
        const struct series *s = &runs->list[i].series;
        char hash[20] = "did not end";
        if (s->finished) {
            (void)snprintf(hash, sizeof hash, "%.12s…", s->model_sha256);
        }
        page_row_open(out);
        page_cell(out, runs->list[i].name);
        page_cell(out, runs->groups[runs->list[i].group].label);
        page_cell(out, figure_count(s->seed).text);
        page_cell(out, figure_percent(series_final_accuracy(s)).text);
        page_cell(out, s->commit);
        page_cell(out, hash);
        page_row_close(out);
    }
    page_table_close(out, NULL);
    page_card_close(out);
    page_section_close(out);
}

static void head(FILE *out, const struct runs *runs, const char *title)
{
    (void)fputs("<header>\n<h1>", out);
    page_text(out, title);
    (void)fputs("</h1>\n<ul class=\"facts\">\n", out);
    for (size_t g = 0; g < runs->groups_count && runs->groups_count == 2; g++) {
        (void)fprintf(out, "<li>%c <b>", g == 0 ? 'A' : 'B');
        page_text(out, runs->groups[g].label);
        (void)fputs("</b></li>\n", out);
    }
    (void)fputs("<li>runs <b>", out);
    page_text(out, figure_count(runs->count).text);
    (void)fputs("</b></li>\n<li>settings <b>", out);
    page_text(out, figure_count(runs->groups_count).text);
    (void)fputs("</b></li>\n</ul>\n</header>\n", out);
}

int compare_html(FILE *out, const struct runs *runs)
{
    const struct series *first = &runs->list[0].series;
    char title[SERIES_TEXT_BYTES + 64];
    struct shown shown;
    (void)snprintf(title, sizeof title, "%s, compared",
                   first->title[0] != '\0' ? first->title : first->scenario);
    choose(runs, &shown);
    page_open(out, title);
    head(out, runs, title);
    int result = courses(out, runs, &shown);
    tables(out, runs);
    run_table(out, runs);
    int closed = page_close(out);
    return result < 0 ? result : closed;
}
