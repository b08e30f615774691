/*
 * Does `mycel sim check` find a bug that was put in on purpose? This program is linked with a copy of one
 * source of the engine that has one (plant.py); without, it expects that all checks hold. Arguments:
 * the first seed, how many, and the check that has to fail ("-": none). An assertion of the engine that
 * notices the bug before the check does (a trap) has found it as well. Prints one JSON line.
 */
#include "sim/check/jobs.h"
#include "sim/check/scenario.h"
#include "sim/check/shrink.h"

#include <mycel/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHRINK_RUNS_MAX 8u /* a candidate that stands still takes a second; the command does 400 */

static bool try_it(void *user, const struct scenario *scenario, struct check_result *result)
{
    (void)user;
    return check_isolated(scenario, result);
}

/* The shortest scenario fails as well, and its text means the same. */
static bool shrinks(uint64_t seed, struct check_result *result, uint32_t *runs)
{
    struct scenario scenario;
    struct check_result again;
    check_scenario_draw(&scenario, seed);
    *runs = check_shrink(&scenario, result, SHRINK_RUNS_MAX, try_it, NULL);
    (void)check_scenario_write(&scenario, stderr);
    return !check_isolated(&scenario, &again) &&
           strcmp(again.finding.check, result->finding.check) == 0 &&
           again.finding.event == result->finding.event;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        return 2;
    }
    const struct check_seeds seeds = {
        .first = strtoull(argv[1], NULL, 10), .count = strtoull(argv[2], NULL, 10), .jobs = 1};
    struct check_outcome outcome;
    uint32_t runs = 0;
    int rc = check_seeds_run(&seeds, &outcome);
    const char *found = outcome.failed ? outcome.result.finding.check : "-";
    bool wanted = strcmp(argv[3], "-") != 0;
    bool good = rc == 0 && (strcmp(found, argv[3]) == 0 || (wanted && strcmp(found, "trap") == 0));
    (void)fprintf(stderr, "%s %s\n", outcome.result.finding.words, mycel_error_text(rc));
    if (good && outcome.failed) {
        good = shrinks(outcome.seed, &outcome.result, &runs);
    }
    (void)printf("{\"found\":\"%s\",\"seed\":%llu,\"after_event\":%llu,\"shrink_runs\":%u,"
                 "\"seeds\":%llu,\"events\":%llu}\n",
                 found, (unsigned long long)(outcome.failed ? outcome.seed : 0),
                 (unsigned long long)outcome.result.finding.event, runs,
                 (unsigned long long)outcome.done, (unsigned long long)outcome.sum.events);
    return good ? 0 : 1;
}
