/* Statistics over the runs of a group. */
#include "sim/report/spread.h"

#include <math.h>
#include <stdlib.h>

#include <mycel/error.h>

/* ---- figures of one run ------------------------------------------------------------------- */

static double best_accuracy(const struct series *s)
{
    const struct series_round *best = series_best_accuracy(s);
    return best == NULL ? series_final_accuracy(s) : best->accuracy;
}

static double rounds_of(const struct series *s)
{
    return (double)s->end_rounds;
}

static double time_of(const struct series *s)
{
    return s->end.virtual_s;
}

static double up_of(const struct series *s)
{
    return (double)s->end.cost.bytes_up / (double)s->devices;
}

static double down_of(const struct series *s)
{
    return (double)s->end.cost.bytes_down / (double)s->devices;
}

static double energy_of(const struct series *s)
{
    return s->end.cost.energy_j / (double)s->devices;
}

static double trained_of(const struct series *s)
{
    return (double)s->end.cost.trained;
}

static double protocol_only_of(const struct series *s)
{
    return (double)s->end.cost.protocol_only;
}

static double discarded_of(const struct series *s)
{
    return figure_share((double)s->end.cost.discarded, (double)s->end.cost.trained);
}

static double wall_of(const struct series *s)
{
    return s->wall_s;
}

const struct metric metrics[METRICS] = {
    {"accuracy", "Final accuracy", SCALE_FRACTION, series_final_accuracy},
    {"best_accuracy", "Best accuracy", SCALE_FRACTION, best_accuracy},
    {"rounds", "Rounds", SCALE_COUNT, rounds_of},
    {"virtual_s", "Virtual time", SCALE_SECONDS, time_of},
    {"bytes_up_per_device", "Sent per device", SCALE_BYTES, up_of},
    {"bytes_down_per_device", "Received per device", SCALE_BYTES, down_of},
    {"energy_j_per_device", "Energy per device", SCALE_JOULES, energy_of},
    {"trained", "Updates trained", SCALE_COUNT, trained_of},
    {"protocol_only", "Protocol only", SCALE_COUNT, protocol_only_of},
    {"discarded_share", "Discarded work", SCALE_FRACTION, discarded_of},
    {"wall_s", "Time to simulate", SCALE_SECONDS, wall_of},
};

/* ---- over a group ------------------------------------------------------------------------- */

void spread_add(struct spread_sums *sums, double value)
{
    if (!isfinite(value)) {
        return;
    }
    double before = value - sums->mean;
    sums->count++;
    sums->mean += before / (double)sums->count;
    sums->squares += before * (value - sums->mean);
}

struct spread spread_finish(const struct spread_sums *sums)
{
    struct spread out = {(double)NAN, (double)NAN, sums->count};
    if (sums->count > 0) {
        out.mean = sums->mean;
    }
    if (sums->count > 1) {
        out.deviation = sqrt(sums->squares / (double)(sums->count - 1u));
    }
    return out;
}

struct spread spread_of_metric(const struct runs *runs, size_t group, const struct metric *metric)
{
    struct spread_sums sums = {0};
    for (size_t i = 0; i < runs->count; i++) {
        if (runs->list[i].group == group) {
            spread_add(&sums, metric->of(&runs->list[i].series));
        }
    }
    return spread_finish(&sums);
}

static double accuracy_at(const struct series *s, uint64_t round)
{
    double newest = (double)NAN;
    if (s->rounds_count == 0 || s->rounds[s->rounds_count - 1u].round < round) {
        return newest;
    }
    for (size_t i = 0; i < s->rounds_count && s->rounds[i].round <= round; i++) {
        newest = isfinite(s->rounds[i].accuracy) ? s->rounds[i].accuracy : newest;
    }
    return newest;
}

struct spread spread_at_round(const struct runs *runs, size_t group, uint64_t round)
{
    struct spread_sums sums = {0};
    for (size_t i = 0; i < runs->count; i++) {
        if (runs->list[i].group == group) {
            spread_add(&sums, accuracy_at(&runs->list[i].series, round));
        }
    }
    return spread_finish(&sums);
}

struct spread spread_to_reach(const struct runs *runs, size_t group, double accuracy,
                              const struct curve_axis *axis)
{
    struct spread_sums sums = {0};
    for (size_t i = 0; i < runs->count; i++) {
        const struct series *s = &runs->list[i].series;
        const struct series_round *r = series_reaches(s, accuracy);
        if (runs->list[i].group == group && r != NULL) {
            spread_add(&sums, axis->pick(s, r));
        }
    }
    return spread_finish(&sums);
}

struct spread spread_at_end(const struct runs *runs, size_t group, const struct curve_axis *axis)
{
    struct spread_sums sums = {0};
    for (size_t i = 0; i < runs->count; i++) {
        const struct series *s = &runs->list[i].series;
        struct series_round end = s->end;
        end.round = s->end_rounds;
        if (runs->list[i].group == group) {
            spread_add(&sums, axis->pick(s, &end));
        }
    }
    return spread_finish(&sums);
}

size_t spread_rounds(const struct runs *runs, uint64_t out[SPREAD_ROUNDS_MAX])
{
    static const uint64_t factors[] = {2, 5, 10};
    uint64_t last = UINT64_MAX;
    size_t count = 0;
    for (size_t i = 0; i < runs->count; i++) {
        const struct series *s = &runs->list[i].series;
        uint64_t end = s->rounds_count > 0 ? s->rounds[s->rounds_count - 1u].round : 0;
        last = end < last ? end : last;
    }
    uint64_t power = 1, next = 1;
    for (size_t step = 0; next < last && count + 1u < SPREAD_ROUNDS_MAX; step++) {
        out[count++] = next;
        next = power * factors[step % 3u];
        power = step % 3u == 2u ? next : power;
    }
    if (last > 0) {
        out[count++] = last;
    }
    return count;
}

size_t spread_levels(const struct runs *runs, double out[CURVE_LEVELS_MAX])
{
    double best = 0.0;
    for (size_t i = 0; i < runs->count; i++) {
        const struct series_round *r = series_best_accuracy(&runs->list[i].series);
        best = r != NULL ? fmax(best, r->accuracy) : best;
    }
    return curve_levels(best, out);
}

/* ---- as text ------------------------------------------------------------------------------ */

static struct figure mean_text(enum scale_kind kind, struct spread s)
{
    struct figure out;
    if (s.count < 2) {
        return scale_value(kind, s.mean);
    }
    if (kind == SCALE_FRACTION) {
        (void)snprintf(out.text, FIGURE_BYTES, "%.1f ± %.1f %%", 100.0 * s.mean,
                       100.0 * s.deviation);
    } else if (kind == SCALE_COUNT) {
        (void)snprintf(out.text, FIGURE_BYTES, "%.1f ± %.1f", s.mean, s.deviation);
    } else {
        (void)snprintf(out.text, FIGURE_BYTES, "%.20s ± %.20s", scale_value(kind, s.mean).text,
                       scale_value(kind, s.deviation).text);
    }
    return out;
}

struct figure spread_text(enum scale_kind kind, struct spread s, size_t whole)
{
    struct figure mean = mean_text(kind, s);
    struct figure out = mean;
    if (s.count > 0 && s.count < whole) {
        (void)snprintf(out.text, FIGURE_BYTES, "%.36s (%u of %u)", mean.text, (unsigned)s.count,
                       (unsigned)whole);
    }
    return out;
}

static struct figure unsigned_count(double value)
{
    return value == floor(value) ? scale_value(SCALE_COUNT, value) : figure_real(value, 1);
}

struct figure spread_difference(enum scale_kind kind, struct spread a, struct spread b)
{
    struct figure (*const formats[])(double) = {[SCALE_COUNT] = unsigned_count,
                                                [SCALE_SECONDS] = figure_duration,
                                                [SCALE_BYTES] = figure_bytes,
                                                [SCALE_JOULES] = figure_joules};
    double apart = b.mean - a.mean;
    struct figure out;
    if (kind == SCALE_FRACTION || kind == SCALE_REAL) {
        (void)snprintf(out.text, FIGURE_BYTES, isfinite(apart) ? "%.30s points" : "%.30s",
                       figure_points(apart).text);
        return out;
    }
    struct figure amount = figure_signed(formats[kind], apart);
    double share = figure_share(apart, a.mean);
    if (!isfinite(share) || apart == 0.0) {
        return amount;
    }
    (void)snprintf(out.text, FIGURE_BYTES, "%.30s (%.20s)", amount.text,
                   figure_signed(figure_percent, share).text);
    return out;
}

/* ---- as a course -------------------------------------------------------------------------- */

/* Where each run of a group is; all are walked together, round by round. */
struct cursor {
    const struct series *s;
    size_t at;
};

/* The given round of the run, NULL if it has none. */
static const struct series_round *seek(struct cursor *c, uint64_t round)
{
    while (c->at < c->s->rounds_count && c->s->rounds[c->at].round < round) {
        c->at++;
    }
    bool found = c->at < c->s->rounds_count && c->s->rounds[c->at].round == round;
    return found ? &c->s->rounds[c->at] : NULL;
}

/* False if y was not measured in this round of every run. */
static bool point_at(struct cursor *cursors, size_t count, uint64_t round, curve_pick pick_x,
                     curve_pick pick_y, struct chart_point *out)
{
    struct spread_sums x = {0}, y = {0};
    for (size_t i = 0; i < count; i++) {
        const struct series_round *r = seek(&cursors[i], round);
        if (r == NULL) {
            return false;
        }
        spread_add(&x, pick_x(cursors[i].s, r));
        spread_add(&y, pick_y(cursors[i].s, r));
    }
    struct spread s = spread_finish(&y);
    double deviation = isfinite(s.deviation) ? s.deviation : 0.0;
    *out = (struct chart_point){x.mean, s.mean, s.mean - deviation, s.mean + deviation};
    return s.count == count;
}

int spread_curve(const struct runs *runs, size_t group, curve_pick x, curve_pick y,
                 struct chart_line *line)
{
    const struct series *first = &runs->list[runs->groups[group].first].series;
    struct chart_point *points = malloc((first->rounds_count + 1u) * sizeof *points);
    struct cursor *cursors = calloc(runs->groups[group].count, sizeof *cursors);
    size_t count = 0;
    *line = (struct chart_line){.name = runs->groups[group].label, .points = points};
    if (points == NULL || cursors == NULL) {
        curve_free(line, 1);
        free(cursors);
        return MYCEL_E_NO_MEMORY;
    }
    for (size_t i = 0; i < runs->count; i++) {
        if (runs->list[i].group == group) {
            cursors[count++].s = &runs->list[i].series;
        }
    }
    for (size_t i = 0; i < first->rounds_count; i++) {
        line->count += point_at(cursors, count, first->rounds[i].round, x, y, &points[line->count]);
    }
    free(cursors);
    return MYCEL_OK;
}
