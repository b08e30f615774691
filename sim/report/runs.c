/* Collecting runs and grouping them. */
#include "sim/report/runs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <mycel/error.h>

#define ROOM_FIRST 8u

static const char *const named[] = {"scenario", "model", "strategy", "codec", "commit"};
#define NAMED (sizeof named / sizeof named[0])

const char *runs_value(const struct series *s, const char *key)
{
    const char *const values[NAMED] = {s->scenario, s->model, s->strategy, s->codec, s->commit};
    for (size_t i = 0; i < s->settings_count; i++) {
        if (strcmp(s->settings[i].key, key) == 0) {
            return s->settings[i].value;
        }
    }
    for (size_t i = 0; i < NAMED; i++) {
        if (strcmp(named[i], key) == 0) {
            return values[i];
        }
    }
    return "";
}

/* ---- collecting --------------------------------------------------------------------------- */

static int make_room(struct runs *runs, char *problem)
{
    if (runs->count == RUNS_MAX) {
        (void)snprintf(problem, REPORT_PROBLEM_BYTES, "more than %u runs", RUNS_MAX);
        return MYCEL_E_TOO_LARGE;
    }
    if (runs->count == runs->room) {
        size_t room = runs->room == 0 ? ROOM_FIRST : runs->room * 2u;
        struct run *grown = realloc(runs->list, room * sizeof *grown);
        if (grown == NULL) {
            (void)snprintf(problem, REPORT_PROBLEM_BYTES, "out of memory");
            return MYCEL_E_NO_MEMORY;
        }
        runs->list = grown;
        runs->room = room;
    }
    return MYCEL_OK;
}

static void keep_name(char out[SERIES_NAME_BYTES], const char *name)
{
    size_t length = strlen(name);
    const char *end = length < SERIES_NAME_BYTES ? name : name + length - SERIES_NAME_BYTES + 1u;
    (void)snprintf(out, SERIES_NAME_BYTES, "%s", end);
    for (char *p = out; *p != '\0'; p++) { /* a file's name may hold anything */
        if ((unsigned char)*p < 0x20u || (unsigned char)*p >= 0x7fu) {
            *p = '?';
        }
    }
}

static int add_all(struct runs *runs, struct series_reader *reader, const char *name, char *problem)
{
    size_t before = runs->count;
    for (;;) {
        int result = make_room(runs, problem);
        struct run *run = &runs->list[runs->count];
        if (result == MYCEL_OK) {
            result = series_next(reader, &run->series, problem);
        }
        if (result <= 0) {
            bool none = result == 0 && runs->count == before;
            if (none) {
                (void)snprintf(problem, REPORT_PROBLEM_BYTES, "no run in it");
            }
            return none ? MYCEL_E_NOT_FOUND : result;
        }
        keep_name(run->name, name);
        runs->count++;
    }
}

int runs_add(struct runs *runs, FILE *in, const char *name, char problem[REPORT_PROBLEM_BYTES])
{
    struct series_reader reader;
    char reason[REPORT_PROBLEM_BYTES] = "out of memory";
    char shown[SERIES_NAME_BYTES];
    int result = series_reader_init(&reader, in);
    if (result == MYCEL_OK) {
        result = add_all(runs, &reader, name, reason);
        series_reader_deinit(&reader);
    }
    keep_name(shown, name);
    (void)snprintf(problem, REPORT_PROBLEM_BYTES, "%s: %.180s", shown, reason);
    return result;
}

/* ---- telling apart ------------------------------------------------------------------------ */

static bool differs(const struct runs *runs, const char *key)
{
    const char *first = runs_value(&runs->list[0].series, key);
    for (size_t i = 1; i < runs->count; i++) {
        if (strcmp(first, runs_value(&runs->list[i].series, key)) != 0) {
            return true;
        }
    }
    return false;
}

static int add_key(struct runs *runs, const char *key, char *problem)
{
    for (size_t i = 0; i < runs->keys_count; i++) {
        if (strcmp(runs->keys[i], key) == 0) {
            return MYCEL_OK;
        }
    }
    if (strcmp(key, "seed") == 0 || strcmp(key, "title") == 0 || !differs(runs, key)) {
        return MYCEL_OK;
    }
    if (runs->keys_count == RUNS_KEYS_MAX) {
        (void)snprintf(problem, REPORT_PROBLEM_BYTES, "more than %u settings differ",
                       RUNS_KEYS_MAX);
        return MYCEL_E_TOO_LARGE;
    }
    runs->keys[runs->keys_count++] = key;
    return MYCEL_OK;
}

static int find_keys(struct runs *runs, char *problem)
{
    int result = MYCEL_OK;
    for (size_t i = 0; i < NAMED && result == MYCEL_OK; i++) {
        result = add_key(runs, named[i], problem);
    }
    for (size_t r = 0; r < runs->count; r++) {
        const struct series *s = &runs->list[r].series;
        for (size_t i = 0; i < s->settings_count && result == MYCEL_OK; i++) {
            result = add_key(runs, s->settings[i].key, problem);
        }
    }
    return result;
}

static bool same_settings(const struct runs *runs, const struct series *a, const struct series *b)
{
    for (size_t i = 0; i < runs->keys_count; i++) {
        if (strcmp(runs_value(a, runs->keys[i]), runs_value(b, runs->keys[i])) != 0) {
            return false;
        }
    }
    return true;
}

/* Cuts a text that was too long for the label in front of a character, not within one. */
static void end_label(char label[RUNS_LABEL_BYTES], size_t wanted)
{
    static const char dots[] = "…";
    size_t at = RUNS_LABEL_BYTES - sizeof dots;
    if (wanted >= RUNS_LABEL_BYTES) {
        while (at > 0 && ((unsigned char)label[at] & 0xc0u) == 0x80u) {
            at--;
        }
        memcpy(label + at, dots, sizeof dots);
    }
}

static void write_label(const struct runs *runs, struct run_group *group, bool alone)
{
    const struct run *run = &runs->list[group->first];
    size_t used = 0;
    group->label[0] = '\0';
    for (size_t i = 0; i < runs->keys_count && used < RUNS_LABEL_BYTES; i++) {
        used += (size_t)snprintf(group->label + used, RUNS_LABEL_BYTES - used, "%s%s=%s",
                                 i > 0 ? ", " : "", runs->keys[i],
                                 runs_value(&run->series, runs->keys[i]));
    }
    if (runs->keys_count == 0 && alone) {
        used = (size_t)snprintf(group->label, RUNS_LABEL_BYTES, "%s, seed %" PRIu64, run->name,
                                run->series.seed);
    } else if (runs->keys_count == 0) {
        used = (size_t)snprintf(group->label, RUNS_LABEL_BYTES, "%s", run->series.scenario);
    }
    end_label(group->label, used);
}

/* The group that a run belongs to, or one past the last. */
static size_t group_of(const struct runs *runs, size_t run, bool alone)
{
    size_t g = alone ? runs->groups_count : 0;
    while (g < runs->groups_count && !same_settings(runs, &runs->list[runs->groups[g].first].series,
                                                    &runs->list[run].series)) {
        g++;
    }
    return g;
}

int runs_group(struct runs *runs, char problem[REPORT_PROBLEM_BYTES])
{
    bool alone = runs->count == 2;
    if (runs->count < 2) {
        (void)snprintf(problem, REPORT_PROBLEM_BYTES, "nothing to compare: one run only");
        return MYCEL_E_NOT_FOUND;
    }
    runs->groups = calloc(RUNS_GROUPS_MAX, sizeof *runs->groups);
    if (runs->groups == NULL) {
        (void)snprintf(problem, REPORT_PROBLEM_BYTES, "out of memory");
        return MYCEL_E_NO_MEMORY;
    }
    int result = find_keys(runs, problem);
    for (size_t i = 0; i < runs->count && result == MYCEL_OK; i++) {
        size_t g = group_of(runs, i, alone);
        if (g == RUNS_GROUPS_MAX) {
            (void)snprintf(problem, REPORT_PROBLEM_BYTES, "more than %u different settings",
                           RUNS_GROUPS_MAX);
            return MYCEL_E_TOO_LARGE;
        }
        if (g == runs->groups_count) {
            runs->groups[g].first = i;
            runs->groups_count++;
            write_label(runs, &runs->groups[g], alone);
        }
        runs->groups[g].count++;
        runs->list[i].group = g;
    }
    return result;
}

void runs_free(struct runs *runs)
{
    for (size_t i = 0; i < runs->count; i++) {
        series_free(&runs->list[i].series);
    }
    free(runs->list);
    free(runs->groups);
    *runs = (struct runs){0};
}
