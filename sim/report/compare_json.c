/* Runs side by side as JSON. */
#include <math.h>

#include <jansson.h>
#include <mycel/error.h>

#include "sim/report/compare.h"
#include "sim/report/spread.h"

/* jansson takes no NaN: what does not exist is null. The new reference may be NULL without memory, which
 * the functions that take it over turn into an error of theirs. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *spread_json(struct spread s)
{
    return json_pack("{s:o, s:o, s:I}", "mean", number(s.mean), "deviation", number(s.deviation),
                     "runs", (json_int_t)s.count);
}

static json_t *end_json(const struct runs *runs, size_t group)
{
    json_t *out = json_object();
    for (size_t m = 0; m < METRICS; m++) {
        struct spread s = spread_of_metric(runs, group, &metrics[m]);
        if (json_object_set_new(out, metrics[m].id, spread_json(s)) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static json_t *rounds_json(const struct runs *runs, size_t group)
{
    uint64_t rounds[SPREAD_ROUNDS_MAX];
    size_t count = spread_rounds(runs, rounds);
    json_t *out = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *row = json_pack("{s:I, s:o}", "round", (json_int_t)rounds[i], "accuracy",
                                spread_json(spread_at_round(runs, group, rounds[i])));
        if (json_array_append_new(out, row) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static json_t *level_json(const struct runs *runs, size_t group, double level)
{
    json_t *out = json_pack("{s:f}", "accuracy", level);
    for (size_t n = 0; n < CURVE_AXES; n++) {
        struct spread s = spread_to_reach(runs, group, level, &curve_axes[n]);
        if (json_object_set_new(out, curve_axes[n].id, spread_json(s)) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static json_t *levels_json(const struct runs *runs, size_t group)
{
    double levels[CURVE_LEVELS_MAX];
    size_t count = spread_levels(runs, levels);
    json_t *out = json_array();
    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(out, level_json(runs, group, levels[i])) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static json_t *runs_json(const struct runs *runs, size_t group)
{
    json_t *out = json_array();
    for (size_t i = 0; i < runs->count; i++) {
        const struct series *s = &runs->list[i].series;
        if (runs->list[i].group != group) {
            continue;
        }
        json_t *row =
            json_pack("{s:s, s:I, s:s, s:b, s:o, s:s}", "file", runs->list[i].name, "seed",
                      (json_int_t)s->seed, "commit", s->commit, "finished", s->finished, "accuracy",
                      number(series_final_accuracy(s)), "model_sha256", s->model_sha256);
        if (json_array_append_new(out, row) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static json_t *settings_json(const struct runs *runs, size_t group)
{
    const struct series *s = &runs->list[runs->groups[group].first].series;
    json_t *out = json_object();
    for (size_t i = 0; i < runs->keys_count; i++) {
        json_t *value = json_string(runs_value(s, runs->keys[i]));
        if (json_object_set_new(out, runs->keys[i], value) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static json_t *group_json(const struct runs *runs, size_t group)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "setting", runs->groups[group].label,
                     "settings", settings_json(runs, group), "runs", runs_json(runs, group), "end",
                     end_json(runs, group), "accuracy_after", rounds_json(runs, group), "to_reach",
                     levels_json(runs, group));
}

/* Of the means, second minus first. */
static json_t *difference_json(const struct runs *runs)
{
    json_t *out = json_object();
    for (size_t m = 0; m < METRICS; m++) {
        double apart = spread_of_metric(runs, 1, &metrics[m]).mean -
                       spread_of_metric(runs, 0, &metrics[m]).mean;
        if (json_object_set_new(out, metrics[m].id, number(apart)) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static json_t *all_json(const struct runs *runs)
{
    json_t *groups = json_array();
    for (size_t g = 0; g < runs->groups_count; g++) {
        if (json_array_append_new(groups, group_json(runs, g)) != 0) {
            json_decref(groups);
            return NULL;
        }
    }
    if (runs->groups_count != 2) {
        return json_pack("{s:o}", "groups", groups);
    }
    return json_pack("{s:o, s:o}", "groups", groups, "difference", difference_json(runs));
}

int compare_json(FILE *out, const struct runs *runs)
{
    json_t *all = all_json(runs);
    if (all == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    bool failed = json_dumpf(all, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) != 0;
    json_decref(all);
    failed = failed || fputc('\n', out) == EOF || fflush(out) != 0;
    return failed ? MYCEL_E_IO : MYCEL_OK;
}
