/*
 * Many runs side by side: read from any number of streams, put into groups of equal settings (a group
 * is one setting repeated over seeds), and told apart by the settings in which they differ. It must
 * never compute a figure.
 */
#ifndef MYCEL_SIM_REPORT_RUNS_H
#define MYCEL_SIM_REPORT_RUNS_H

#include "sim/report/series.h"

#define RUNS_MAX 1024u
#define RUNS_GROUPS_MAX 128u
#define RUNS_KEYS_MAX 512u
#define RUNS_LABEL_BYTES 256u

struct run {
    struct series series;
    char name[SERIES_NAME_BYTES]; /* where it came from, the end of it if that is long */
    size_t group;
};

struct run_group {
    char label[RUNS_LABEL_BYTES]; /* "strategy=fedadam, codec=int8", or its scenario or file */
    size_t first;                 /* index of a run of it */
    size_t count;
};

/* Zero it first; runs_free() at the end, also after failures. */
struct runs {
    struct run *list;
    size_t count;
    size_t room;
    struct run_group *groups;
    size_t groups_count;
    const char *keys[RUNS_KEYS_MAX]; /* in which runs differ; they point into the runs */
    size_t keys_count;
};

/* Adds every run of the stream. 0, or an error of series_next() with "name: line N: …" in problem;
 * MYCEL_E_NOT_FOUND without any run; MYCEL_E_TOO_LARGE beyond RUNS_MAX. Blocks on the stream. */
int runs_add(struct runs *runs, FILE *in, const char *name, char problem[REPORT_PROBLEM_BYTES]);

/* Makes the groups, in order of appearance. Exactly two runs are always compared with each other,
 * even if only their seeds differ. 0; MYCEL_E_NOT_FOUND with fewer than two runs; MYCEL_E_TOO_LARGE
 * beyond RUNS_GROUPS_MAX or RUNS_KEYS_MAX; MYCEL_E_NO_MEMORY. */
int runs_group(struct runs *runs, char problem[REPORT_PROBLEM_BYTES]);

/* What a run was started with: a setting, or else scenario, model, strategy, codec or commit. "" if
 * it does not say. */
const char *runs_value(const struct series *s, const char *key);

void runs_free(struct runs *runs);

#endif
