/*
 * `mycel sim check`: thousands of small, hostile scenarios under the checks of sim/check/; a failure is told
 * with its seed, and as the shortest scenario that still fails.
 */
#include <stdio.h>
#include <unistd.h>

#include <mycel/error.h>

#include "server/cli/exits.h"
#include "server/cli/outfile.h"
#include "server/cli/say.h"
#include "server/cli/sim/given.h"
#include "server/cli/sim/interrupt.h"
#include "server/cli/sim/sim.h"
#include "sim/check/jobs.h"
#include "sim/check/scenario.h"
#include "sim/check/shrink.h"
#include "sim/wall.h"

#define SHRINK_RUNS_MAX 400u
#define SHOW_EVERY_S 0.5
#define PATH_BYTES 256u

struct check_options {
    uint64_t seeds;
    uint64_t first;
    uint64_t jobs;
    const char *scenario;
    const struct setting_texts *set;
    const char *output;
    bool json;
};

#define AT(field) .offset = offsetof(struct check_options, field)

static const struct setting rows[] = {
    {.name = "seeds",
     .type = SETTING_COUNT,
     .argument = "N",
     .fallback = "2000",
     .min = 1,
     .max = 1e12,
     AT(seeds),
     .help = "So many scenarios, one from each seed"},
    {.name = "first",
     .type = SETTING_COUNT,
     .argument = "N",
     .fallback = "1",
     AT(first),
     .help = "The first seed"},
    {.name = "jobs",
     .type = SETTING_COUNT,
     .argument = "N",
     .min = 0,
     .max = CHECK_JOBS_MAX,
     AT(jobs),
     .help = "Processes at the same time; default: one for each processor"},
    {.name = "scenario",
     .type = SETTING_TEXT,
     .argument = "FILE",
     AT(scenario),
     .help = "Check this scenario instead, once"},
    {.name = "set",
     .letter = 's',
     .type = SETTING_TEXTS,
     .argument = "KEY=VALUE",
     AT(set),
     .help = "Change a key of that scenario; may be repeated"},
    {.name = "output",
     .letter = 'o',
     .type = SETTING_TEXT,
     .argument = "FILE",
     AT(output),
     .help = "Where the shortest failing scenario goes; default: sim-check-SEED.ini"},
    {.name = "json", .letter = 'j', .type = SETTING_SWITCH, AT(json), .help = "Print JSON lines"},
};

const struct setting_list sim_check_settings = SETTING_LIST(rows, struct check_options);

/* ---- the screen --------------------------------------------------------------------------- */

struct screen_state {
    const struct check_options *options;
    double started_s;
    double shown_s;
};

static bool show_progress(void *user, uint64_t done, const struct check_figures *sum)
{
    struct screen_state *s = user;
    double now = wall_s();
    if (isatty(STDERR_FILENO) == 1 && now - s->shown_s >= SHOW_EVERY_S) {
        double rate = (double)done / (now - s->started_s);
        double left = rate > 0 ? (double)(s->options->seeds - done) / rate : 0;
        (void)fprintf(stderr, "\r\033[K%llu of %llu seeds, %llu events, %.0f s left",
                      (unsigned long long)done, (unsigned long long)s->options->seeds,
                      (unsigned long long)sum->events, left);
        s->shown_s = now;
    }
    return !interrupt_came();
}

static void end_progress(const struct screen_state *s)
{
    if (s->shown_s > 0) {
        (void)fprintf(stderr, "\r\033[K");
    }
}

static json_t *figures_json(const struct check_figures *f, uint64_t seeds, double took_s,
                            bool failed)
{
    return json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:i}", "event",
        "check", "seeds", (json_int_t)seeds, "events", (json_int_t)f->events, "steps",
        (json_int_t)f->steps, "datagrams", (json_int_t)f->datagrams, "lost", (json_int_t)f->lost,
        "crashes", (json_int_t)f->crashes, "reboots", (json_int_t)f->reboots, "vanished",
        (json_int_t)f->vanished, "versions", (json_int_t)f->versions, "counted",
        (json_int_t)f->counted, "rejected", (json_int_t)f->rejected, "late", (json_int_t)f->late,
        "expired", (json_int_t)f->expired, "wall_s", took_s, "violations", failed ? 1 : 0);
}

static void say_sum(const struct check_options *options, const struct check_outcome *outcome,
                    double took_s)
{
    const struct check_figures *f = &outcome->sum;
    if (options->json) {
        (void)say_json_line(figures_json(f, outcome->done, took_s, outcome->failed));
        return;
    }
    (void)printf(
        "%llu scenarios in %.1f s: %llu events, %llu datagrams (%llu lost), %llu versions of "
        "%llu updates,\n%llu crashes, %llu reboots, %llu devices vanished, %llu updates "
        "late, %llu rejected, %llu leases expired: %s\n",
        (unsigned long long)outcome->done, took_s, (unsigned long long)f->events,
        (unsigned long long)f->datagrams, (unsigned long long)f->lost,
        (unsigned long long)f->versions, (unsigned long long)f->counted,
        (unsigned long long)f->crashes, (unsigned long long)f->reboots,
        (unsigned long long)f->vanished, (unsigned long long)f->late,
        (unsigned long long)f->rejected, (unsigned long long)f->expired,
        outcome->failed ? "one check failed" : "all checks held");
}

/* ---- a failure ---------------------------------------------------------------------------- */

static bool try_it(void *user, const struct scenario *scenario, struct check_result *result)
{
    (void)user;
    return interrupt_came() || check_isolated(scenario, result);
}

static int write_scenario(FILE *out, void *context)
{
    return check_scenario_write(context, out);
}

static void say_finding(const struct check_options *options, const struct scenario *scenario,
                        const struct check_finding *finding, const char *path)
{
    double at_s = (double)finding->at_us * 1e-6;
    if (options->json) {
        (void)say_json_line(json_pack(
            "{s:s, s:I, s:s, s:s, s:I, s:f, s:s}", "event", "finding", "seed",
            (json_int_t)scenario->seed, "check", finding->check, "words", finding->words,
            "after_event", (json_int_t)finding->event, "virtual_s", at_s, "scenario", path));
        return;
    }
    (void)printf("%s: %s\n(seed %llu, event %llu, %.6f s)\n", finding->check, finding->words,
                 (unsigned long long)scenario->seed, (unsigned long long)finding->event, at_s);
}

/* Tells what failed, makes it short, and writes it where it can be repeated. */
static int report(const struct check_options *options, struct scenario *scenario,
                  struct check_result *result)
{
    char standard[PATH_BYTES];
    (void)snprintf(standard, sizeof standard, "sim-check-%llu.ini",
                   (unsigned long long)scenario->seed);
    const char *path = options->output != NULL ? options->output : standard;
    say_finding(options, scenario, &result->finding, path);
    uint32_t runs = check_shrink(scenario, result, SHRINK_RUNS_MAX, try_it, NULL);
    if (!options->json) {
        (void)printf("\nThe shortest scenario that still fails, after %u more runs:\n\n", runs);
        say_finding(options, scenario, &result->finding, path);
        (void)printf("\n");
        (void)check_scenario_write(scenario, stdout);
        (void)printf("\nIt is in %s: mycel sim check --scenario %s\n", path, path);
    }
    (void)outfile_write(path, true, write_scenario, scenario); /* says itself if that fails */
    return EXIT_CODE_FAILED;
}

/* ---- the command -------------------------------------------------------------------------- */

static int check_file(const struct check_options *options)
{
    struct scenario scenario;
    struct check_outcome outcome = {.done = 1};
    double started_s = wall_s();
    int code = given_scenario(&scenario, options->scenario, options->set);
    if (code != EXIT_CODE_OK) {
        return code;
    }
    outcome.failed = !check_isolated(&scenario, &outcome.result);
    outcome.sum = outcome.result.figures;
    if (outcome.failed) {
        say_finding(options, &scenario, &outcome.result.finding, options->scenario);
    }
    say_sum(options, &outcome, wall_s() - started_s);
    return outcome.failed ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

static int check_many(const struct check_options *options)
{
    struct screen_state screen = {.options = options, .started_s = wall_s()};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const struct check_seeds seeds = {.first = options->first,
                                      .count = options->seeds,
                                      .jobs = options->jobs > 0
                                                  ? (uint32_t)options->jobs
                                                  : (uint32_t)(processors > 0 ? processors : 1),
                                      .user = &screen,
                                      .progress = show_progress};
    struct check_outcome outcome;
    int rc = check_seeds_run(&seeds, &outcome);
    end_progress(&screen);
    int code = rc == MYCEL_E_CLOSED ? EXIT_CODE_INTERRUPTED
               : rc < 0             ? exit_of_error(rc)
                                    : EXIT_CODE_OK;
    double took_s = wall_s() - screen.started_s;
    if (rc < 0 && rc != MYCEL_E_CLOSED) {
        say_error("%s", mycel_error_text(rc));
    }
    if (outcome.failed) {
        struct scenario scenario;
        check_scenario_draw(&scenario, outcome.seed);
        code = report(options, &scenario, &outcome.result);
    }
    say_sum(options, &outcome, took_s);
    return code;
}

int sim_check_run(const struct invocation *call)
{
    const struct check_options *options = call->options;
    interrupt_catch();
    return options->scenario != NULL ? check_file(options) : check_many(options);
}
