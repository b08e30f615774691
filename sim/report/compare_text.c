/* Runs side by side for a terminal. Widths count characters, not bytes. */
#include <inttypes.h>
#include <math.h>

#include <mycel/error.h>

#include "sim/report/compare.h"
#include "sim/report/spread.h"

#define TITLE_WIDTH 24
#define SIDE_WIDTH 26
#define SETTINGS_SHOWN_MAX 40u

static int width_of(const char *text)
{
    int width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0u) != 0x80u;
    }
    return width;
}

/* width < 0: to the left; 0: as it is, at the end of a line. */
static void cell(FILE *out, const char *text, int width)
{
    int blank = (width < 0 ? -width : width) - width_of(text);
    blank = blank > 0 ? blank : 0;
    (void)fprintf(out, "%*s%s%*s", width > 0 ? blank : 0, "", text, width < 0 ? blank : 0, "");
    (void)fputs(width == 0 ? "\n" : "  ", out);
}

/* ---- who is compared ---------------------------------------------------------------------- */

static void list_runs(FILE *out, const struct runs *runs)
{
    bool pair = runs->groups_count == 2;
    for (size_t g = 0; g < runs->groups_count; g++) {
        const struct run *run = &runs->list[runs->groups[g].first];
        const struct series *s = &run->series;
        if (pair) {
            (void)fprintf(out, "%c  %s: ", g == 0 ? 'A' : 'B', run->name);
        } else {
            (void)fprintf(out, "%2zu  ", g + 1u);
        }
        if (runs->keys_count > 0) {
            (void)fprintf(out, "%s; ", runs->groups[g].label);
        }
        if (runs->groups[g].count > 1) {
            (void)fprintf(out, "%zu runs; ", runs->groups[g].count);
        } else {
            (void)fprintf(out, "seed %" PRIu64 "; ", s->seed);
        }
        (void)fprintf(out, "%s devices; commit %s%s\n", figure_count(s->devices).text,
                      s->commit[0] != '\0' ? s->commit : "unknown",
                      s->finished ? "" : "; did not end");
    }
}

static void list_settings(FILE *out, const struct runs *runs)
{
    if (runs->keys_count == 0) {
        return;
    }
    (void)fputc('\n', out);
    cell(out, "SETTINGS THAT DIFFER", -TITLE_WIDTH);
    cell(out, "A", -SIDE_WIDTH);
    cell(out, "B", 0);
    for (size_t i = 0; i < runs->keys_count && i < SETTINGS_SHOWN_MAX; i++) {
        cell(out, runs->keys[i], -TITLE_WIDTH);
        for (size_t g = 0; g < 2; g++) {
            const struct series *s = &runs->list[runs->groups[g].first].series;
            const char *value = runs_value(s, runs->keys[i]);
            cell(out, value[0] != '\0' ? value : "–", g == 0 ? -SIDE_WIDTH : 0);
        }
    }
}

/* ---- two groups --------------------------------------------------------------------------- */

static void pair_row(FILE *out, const struct runs *runs, const char *title, enum scale_kind kind,
                     const struct spread s[2])
{
    cell(out, title, -TITLE_WIDTH);
    for (size_t g = 0; g < 2; g++) {
        cell(out, spread_text(kind, s[g], runs->groups[g].count).text, SIDE_WIDTH);
    }
    cell(out, spread_difference(kind, s[0], s[1]).text, 0);
}

static void pair_head(FILE *out, const char *title)
{
    (void)fputc('\n', out);
    cell(out, title, -TITLE_WIDTH);
    cell(out, "A", SIDE_WIDTH);
    cell(out, "B", SIDE_WIDTH);
    cell(out, "B − A", 0);
}

static void pair_levels(FILE *out, const struct runs *runs)
{
    double levels[CURVE_LEVELS_MAX];
    size_t count = spread_levels(runs, levels);
    for (size_t i = 0; i < count; i++) {
        char title[48];
        (void)snprintf(title, sizeof title, "TO REACH %.4g %%", 100.0 * levels[i]);
        pair_head(out, title);
        for (size_t n = 0; n < CURVE_AXES; n++) {
            const struct spread both[2] = {spread_to_reach(runs, 0, levels[i], &curve_axes[n]),
                                           spread_to_reach(runs, 1, levels[i], &curve_axes[n])};
            pair_row(out, runs, curve_axes[n].axis.name, curve_axes[n].axis.kind, both);
        }
    }
}

static void pair(FILE *out, const struct runs *runs)
{
    uint64_t rounds[SPREAD_ROUNDS_MAX];
    list_settings(out, runs);
    pair_head(out, "IN THE END");
    for (size_t m = 0; m < METRICS; m++) {
        const struct spread both[2] = {spread_of_metric(runs, 0, &metrics[m]),
                                       spread_of_metric(runs, 1, &metrics[m])};
        pair_row(out, runs, metrics[m].title, metrics[m].kind, both);
    }
    size_t count = spread_rounds(runs, rounds);
    if (count > 0) {
        pair_head(out, "ACCURACY AFTER ROUND");
    }
    for (size_t i = 0; i < count; i++) {
        const struct spread both[2] = {spread_at_round(runs, 0, rounds[i]),
                                       spread_at_round(runs, 1, rounds[i])};
        pair_row(out, runs, figure_count(rounds[i]).text, SCALE_FRACTION, both);
    }
    pair_levels(out, runs);
}

/* ---- many groups -------------------------------------------------------------------------- */

#define CELL_WIDTH 22
#define LEVELS_SHOWN_MAX 3u /* the highest; all are in JSON and on the page */

static int label_width(const struct runs *runs)
{
    int width = 7;
    for (size_t g = 0; g < runs->groups_count; g++) {
        int own = width_of(runs->groups[g].label);
        width = own > width ? own : width;
    }
    return width < 60 ? width : 60;
}

static void many_heads(FILE *out, int width, const char *accuracy)
{
    static const char *const heads[] = {"ROUNDS", "VIRTUAL TIME", "BYTES/DEVICE", "ENERGY/DEVICE"};
    (void)fputc('\n', out);
    cell(out, "SETTING", -width);
    cell(out, "RUNS", 4);
    cell(out, accuracy, 14);
    for (size_t i = 0; i < 4; i++) {
        cell(out, heads[i], i == 3 ? 0 : CELL_WIDTH);
    }
}

/* What each group ended with: the metrics behind accuracy are those of the four columns. */
static void many_ends(FILE *out, const struct runs *runs, int width)
{
    many_heads(out, width, "FINAL ACCURACY");
    for (size_t g = 0; g < runs->groups_count; g++) {
        size_t whole = runs->groups[g].count;
        cell(out, runs->groups[g].label, -width);
        cell(out, figure_count(whole).text, 4);
        cell(out, spread_text(SCALE_FRACTION, spread_of_metric(runs, g, &metrics[0]), whole).text,
             14);
        for (size_t n = 0; n < CURVE_AXES; n++) {
            struct spread end = spread_at_end(runs, g, &curve_axes[n]);
            cell(out, spread_text(curve_axes[n].axis.kind, end, whole).text,
                 n + 1u == CURVE_AXES ? 0 : CELL_WIDTH);
        }
    }
}

static void many_level(FILE *out, const struct runs *runs, int width, double level)
{
    char head[48];
    (void)snprintf(head, sizeof head, "TO %.4g %%", 100.0 * level);
    many_heads(out, width, head);
    for (size_t g = 0; g < runs->groups_count; g++) {
        size_t whole = runs->groups[g].count;
        struct spread rounds = spread_to_reach(runs, g, level, &curve_axes[0]);
        char reached[48];
        (void)snprintf(reached, sizeof reached, "%zu of %zu", rounds.count, whole);
        cell(out, runs->groups[g].label, -width);
        cell(out, figure_count(whole).text, 4);
        cell(out, reached, 14);
        for (size_t n = 0; n < CURVE_AXES; n++) {
            struct spread s = spread_to_reach(runs, g, level, &curve_axes[n]);
            cell(out, spread_text(curve_axes[n].axis.kind, s, 0).text,
                 n + 1u == CURVE_AXES ? 0 : CELL_WIDTH);
        }
    }
}

static void many(FILE *out, const struct runs *runs)
{
    double levels[CURVE_LEVELS_MAX];
    size_t count = spread_levels(runs, levels);
    int width = label_width(runs);
    many_ends(out, runs, width);
    for (size_t i = count > LEVELS_SHOWN_MAX ? count - LEVELS_SHOWN_MAX : 0; i < count; i++) {
        many_level(out, runs, width, levels[i]);
    }
}

int compare_text(FILE *out, const struct runs *runs)
{
    list_runs(out, runs);
    if (runs->groups_count == 2) {
        pair(out, runs);
    } else {
        many(out, runs);
    }
    return fflush(out) != 0 || ferror(out) ? MYCEL_E_IO : MYCEL_OK;
}
