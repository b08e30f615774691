/*
 * Figures of a group of runs: mean and standard deviation over its seeds, for what a run ended with,
 * for its accuracy at a given round, and for what it took to reach an accuracy. It must never format
 * for one kind of output only.
 */
#ifndef MYCEL_SIM_REPORT_SPREAD_H
#define MYCEL_SIM_REPORT_SPREAD_H

#include "sim/report/curve.h"
#include "sim/report/runs.h"

#define SPREAD_ROUNDS_MAX 24u

/* Over the runs in which the figure exists. */
struct spread {
    double mean;      /* NaN if in none */
    double deviation; /* of the sample (n - 1); NaN for fewer than two */
    size_t count;
};

/* Running mean and sum of squares (Welford 1962); start from {0}. */
struct spread_sums {
    double mean, squares;
    size_t count;
};

/* A value that is not finite is left out. */
void spread_add(struct spread_sums *sums, double value);
struct spread spread_finish(const struct spread_sums *sums);

struct metric {
    const char *id; /* key in JSON, with its unit */
    const char *title;
    enum scale_kind kind;
    double (*of)(const struct series *s); /* NaN: unknown */
};

/* What a run ended with, in the order in which one asks. */
#define METRICS 11u
extern const struct metric metrics[METRICS];

struct spread spread_of_metric(const struct runs *runs, size_t group, const struct metric *metric);

/* What the runs had spent at their ends, on the given axis. */
struct spread spread_at_end(const struct runs *runs, size_t group, const struct curve_axis *axis);

/* Accuracy after round `round`: as last measured at or before it, in runs that came that far. */
struct spread spread_at_round(const struct runs *runs, size_t group, uint64_t round);

/* What the runs that reach the accuracy had spent by then, on the given axis. */
struct spread spread_to_reach(const struct runs *runs, size_t group, double accuracy,
                              const struct curve_axis *axis);

/* Round numbers worth a row (1, 2, 5, 10, …) up to the shortest run's last one, which ends them.
 * Returns how many. */
size_t spread_rounds(const struct runs *runs, uint64_t out[SPREAD_ROUNDS_MAX]);

/* Accuracies worth a row: curve_levels() of the best that any run reached. */
size_t spread_levels(const struct runs *runs, double out[CURVE_LEVELS_MAX]);

/* "85.9 ± 0.3 %", "31", "–". `whole`: runs that could have had the figure; fewer are told:
 * "31 (2 of 3)". */
struct figure spread_text(enum scale_kind kind, struct spread s, size_t whole);

/* "+1.20 points", "−26 min 0 s (−17.0 %)", "–" if one is missing. */
struct figure spread_difference(enum scale_kind kind, struct spread a, struct spread b);

/* The mean course of a group at equal rounds, with a band of one deviation of y. Caller frees the
 * points with curve_free(). 0 or MYCEL_E_NO_MEMORY. */
int spread_curve(const struct runs *runs, size_t group, curve_pick x, curve_pick y,
                 struct chart_line *line);

#endif
