/* See sweep.h. */
#include "server/cli/sim/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mycel/error.h>

#include "sim/report/spread.h"

void sweep_init(struct sweep *sweep, const struct scenario *base, uint64_t seeds)
{
    *sweep = (struct sweep){.base = *base, .seeds = seeds};
}

void sweep_free(struct sweep *sweep)
{
    free(sweep->results);
    sweep->results = NULL;
}

static int refuse(char *problem, const char *text, const char *why)
{
    (void)snprintf(problem, SCENARIO_PROBLEM_BYTES, "--sweep %.200s: %s", text, why);
    return MYCEL_E_INVALID;
}

/* Cuts the values apart and has each of them checked. */
static int take_values(struct sweep *sweep, struct sweep_key *key, const char *text, char *problem)
{
    struct scenario trial = sweep->base;
    char separator = strchr(key->text, '|') != NULL ? '|' : ',';
    for (char *at = key->text; at != NULL;) {
        char *end = strchr(at, separator);
        if (end != NULL) {
            *end = '\0';
        }
        if (key->count == SWEEP_VALUES_MAX) {
            return refuse(problem, text, "has too many values");
        }
        int rc = scenario_set(&trial, key->name, at, problem);
        if (rc < 0) {
            return rc;
        }
        key->values[key->count++] = at;
        at = end != NULL ? end + 1 : NULL;
    }
    return MYCEL_OK;
}

int sweep_add(struct sweep *sweep, const char *text, char *problem)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        return refuse(problem, text, "must be KEY=A,B");
    }
    if (sweep->key_count == SWEEP_KEYS_MAX) {
        return refuse(problem, text, "is one key too many");
    }
    struct sweep_key *key = &sweep->keys[sweep->key_count++];
    int name = snprintf(key->name, sizeof key->name, "%.*s", (int)(equals - text), text);
    int values = snprintf(key->text, sizeof key->text, "%s", equals + 1);
    if (name >= (int)sizeof key->name || values >= (int)sizeof key->text) {
        return refuse(problem, text, "is too long");
    }
    int rc = take_values(sweep, key, text, problem);
    if (rc == 0 && sweep_runs(sweep) > SWEEP_RUNS_MAX) {
        rc = refuse(problem, text, "makes too many runs");
    }
    return rc;
}

static uint64_t combinations(const struct sweep *sweep)
{
    uint64_t count = 1;
    for (uint32_t i = 0; i < sweep->key_count; i++) {
        count *= sweep->keys[i].count;
    }
    return count;
}

uint64_t sweep_runs(const struct sweep *sweep)
{
    return combinations(sweep) * sweep->seeds;
}

/* The value of a key in a combination; the last key changes fastest. */
static const char *value_in(const struct sweep *sweep, uint64_t combination, uint32_t key)
{
    for (uint32_t i = sweep->key_count; i-- > key + 1u;) {
        combination /= sweep->keys[i].count;
    }
    return sweep->keys[key].values[combination % sweep->keys[key].count];
}

bool sweep_next(struct sweep *sweep, struct scenario *scenario)
{
    char problem[SCENARIO_PROBLEM_BYTES];
    if (sweep->results == NULL) {
        sweep->results = calloc(sweep_runs(sweep), sizeof *sweep->results);
    }
    if (sweep->next == sweep_runs(sweep) || sweep->results == NULL) {
        return false;
    }
    uint64_t combination = sweep->next / sweep->seeds;
    *scenario = sweep->base;
    scenario->seed += sweep->next % sweep->seeds;
    for (uint32_t i = 0; i < sweep->key_count; i++) {
        (void)scenario_set(scenario, sweep->keys[i].name, value_in(sweep, combination, i), problem);
    }
    sweep->next++;
    return true;
}

void sweep_note(struct sweep *sweep, const struct run_figures *figures)
{
    sweep->results[sweep->next - 1u] = *figures;
}

/* ---- the table ---------------------------------------------------------------------------- */

static struct spread spread_over(const struct run_figures *runs, uint64_t count,
                                 double (*figure)(const struct run_figures *f))
{
    struct spread_sums sums = {0};
    for (uint64_t i = 0; i < count; i++) {
        spread_add(&sums, figure(&runs[i]));
    }
    return spread_finish(&sums);
}

static double accuracy_of(const struct run_figures *f)
{
    return f->accuracy;
}

static double hours_of(const struct run_figures *f)
{
    return f->virtual_s / 3600.0;
}

static double up_of(const struct run_figures *f)
{
    return (double)f->bytes_up * 1e-6;
}

static double energy_of(const struct run_figures *f)
{
    return f->energy_j;
}

static void print_combination(const struct sweep *sweep, uint64_t combination)
{
    const struct run_figures *runs = &sweep->results[combination * sweep->seeds];
    struct spread accuracy = spread_over(runs, sweep->seeds, accuracy_of);
    struct spread hours = spread_over(runs, sweep->seeds, hours_of);
    struct spread up = spread_over(runs, sweep->seeds, up_of);
    struct spread energy = spread_over(runs, sweep->seeds, energy_of);
    (void)printf("%8.4f ± %.4f  %9.2f h  %10.3f MB  %12.1f J ", accuracy.mean,
                 sweep->seeds > 1 ? accuracy.deviation : 0, hours.mean, up.mean, energy.mean);
    for (uint32_t i = 0; i < sweep->key_count; i++) {
        (void)printf(" %s=%s", sweep->keys[i].name, value_in(sweep, combination, i));
    }
    (void)printf("\n");
}

void sweep_print(const struct sweep *sweep)
{
    (void)printf("\n%17s  %11s  %13s  %14s  (mean of %llu seed%s)\n", "ACCURACY", "VIRTUAL", "UP",
                 "ENERGY", (unsigned long long)sweep->seeds, sweep->seeds == 1 ? "" : "s");
    for (uint64_t i = 0; i < combinations(sweep); i++) {
        print_combination(sweep, i);
    }
}
