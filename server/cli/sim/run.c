/*
 * `mycel sim run`: one scenario, or a sweep of it over keys and seeds; live progress for a person, JSON
 * lines for a program, a report for a colleague.
 */
#include <limits.h>
#include <stdio.h>

#include <mycel/error.h>

#include "server/cli/commit.h"
#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "server/cli/sim/files.h"
#include "server/cli/sim/given.h"
#include "server/cli/sim/interrupt.h"
#include "server/cli/sim/ranks.h"
#include "server/cli/sim/screen.h"
#include "server/cli/sim/sim.h"
#include "server/cli/sim/sweep.h"
#include "sim/lines.h"

struct run_options {
    const struct setting_texts *set;
    const struct setting_texts *sweep;
    uint64_t seed;
    uint64_t seeds;
    bool json;
    bool quiet;
    struct files_wanted files;
};

#define AT(field) .offset = offsetof(struct run_options, field)

static const struct setting rows[] = {
    {.name = "set",
     .letter = 's',
     .type = SETTING_TEXTS,
     .argument = "KEY=VALUE",
     AT(set),
     .help = "Change a key of the scenario; may be repeated (`mycel sim keys` lists them)"},
    {.name = "sweep",
     .type = SETTING_TEXTS,
     .argument = "KEY=A,B",
     AT(sweep),
     .help = "Run every combination; more KEY=A,B may follow (A|B where values have commas)"},
    {.name = "seed",
     .type = SETTING_COUNT,
     .argument = "N",
     AT(seed),
     .help = "Seed of everything random; default: the scenario's"},
    {.name = "seeds",
     .type = SETTING_COUNT,
     .argument = "N",
     .fallback = "1",
     .min = 1,
     .max = 10000,
     AT(seeds),
     .help = "Repeat with so many seeds, and show mean and spread"},
    {.name = "json",
     .letter = 'j',
     .type = SETTING_SWITCH,
     AT(json),
     .help = "Print JSON lines: every round, then the result"},
    {.name = "quiet", .letter = 'q', .type = SETTING_SWITCH, AT(quiet), .help = "No progress"},
    {.name = "output",
     .letter = 'o',
     .type = SETTING_TEXT,
     .argument = "FILE",
     AT(files.lines),
     .help = "Also write the JSON lines to a file"},
    {.name = "report",
     .letter = 'r',
     .type = SETTING_TEXT,
     .argument = "FILE",
     .min = 1,
     .max = PATH_MAX - 16,
     AT(files.report),
     .help = "Write the HTML report"},
    {.name = "csv",
     .type = SETTING_TEXT,
     .argument = "FILE",
     .min = 1,
     .max = PATH_MAX - 16,
     AT(files.csv),
     .help = "Write the rounds as CSV"},
};

const struct setting_list sim_run_settings = SETTING_LIST(rows, struct run_options);

/* What the observer of one run needs. */
struct watch {
    struct lines lines;
    struct screen screen;
    struct run_figures last;
};

static void on_started(void *user, const struct world *world)
{
    struct watch *w = user;
    lines_started(&w->lines, world);
}

static void on_round(void *user, const struct world *world, const struct run_figures *figures)
{
    struct watch *w = user;
    lines_round(&w->lines, world, figures);
    screen_round(&w->screen, figures);
}

static void on_progress(void *user, const struct run_figures *figures)
{
    struct watch *w = user;
    screen_progress(&w->screen, figures);
}

static void on_ended(void *user, const struct world *world, const struct run_figures *figures)
{
    struct watch *w = user;
    lines_ended(&w->lines, world, figures);
    screen_ended(&w->screen, figures);
    w->last = *figures;
}

static bool on_stop(void *user)
{
    (void)user;
    return interrupt_came();
}

static int say_result(int rc, const char *problem, const struct scenario *scenario)
{
    if (rc == MYCEL_E_CLOSED) {
        say_error("interrupted; what was simulated until then is complete as far as it goes");
        return EXIT_CODE_INTERRUPTED;
    }
    if (rc == MYCEL_E_TIMEOUT) {
        say_error("virtual_max_s = %g passed before the training had ended",
                  scenario->virtual_max_s);
        return EXIT_CODE_TARGET;
    }
    if (rc < 0) {
        say_error("%s", problem[0] != '\0' ? problem : mycel_error_text(rc));
        return rc == MYCEL_E_INVALID ? EXIT_CODE_USAGE : exit_of_error(rc);
    }
    return EXIT_CODE_OK;
}

/* One run of the sweep; its figures go to the table. */
static int run_one(const struct run_options *options, struct peers *peers,
                   const struct scenario *scenario, struct files *files, struct run_figures *last)
{
    char problem[SCENARIO_PROBLEM_BYTES];
    struct watch watch = {
        .lines = {.out = {options->json ? stdout : NULL, files->lines}, .commit = mycel_commit}};
    screen_init(&watch.screen, scenario, options->json || options->quiet);
    const struct run_observer observer = {.user = &watch,
                                          .started = on_started,
                                          .round = on_round,
                                          .progress = on_progress,
                                          .ended = on_ended,
                                          .stop = on_stop,
                                          .peers = peers};
    int rc = sim_run(scenario, &observer, problem);
    int code = say_result(rc, problem, scenario);
    if (code == EXIT_CODE_OK && lines_status(&watch.lines) < 0) {
        say_error("the results cannot be written");
        code = EXIT_CODE_FAILED;
    }
    *last = watch.last;
    return code;
}

static int run_all(const struct run_options *options, struct peers *peers, struct sweep *sweep,
                   struct files *files)
{
    int code = EXIT_CODE_OK;
    struct scenario scenario;
    while (code == EXIT_CODE_OK && sweep_next(sweep, &scenario)) {
        struct run_figures last = {0};
        code = run_one(options, peers, &scenario, files, &last);
        sweep_note(sweep, &last);
    }
    if (code == EXIT_CODE_OK && sweep_runs(sweep) > 1 && !options->json) {
        sweep_print(sweep);
    }
    return code;
}

static int make_sweep(const struct invocation *call, const struct scenario *scenario,
                      struct sweep *sweep)
{
    const struct run_options *options = call->options;
    char problem[SCENARIO_PROBLEM_BYTES];
    int rc = MYCEL_OK;
    sweep_init(sweep, scenario, options->seeds);
    for (size_t i = 0; rc == 0 && i < options->sweep->count; i++) {
        rc = sweep_add(sweep, options->sweep->text[i], problem);
    }
    for (size_t i = 1; rc == 0 && i < call->words_count; i++) {
        rc = sweep_add(sweep, call->words[i], problem);
    }
    if (rc < 0) {
        say_error("%s", problem);
    }
    return rc < 0 ? EXIT_CODE_USAGE : EXIT_CODE_OK;
}

static int run_as_told(const struct invocation *call, struct peers *peers)
{
    const struct run_options *options = call->options;
    struct scenario scenario;
    struct sweep sweep;
    struct files files;
    int code = given_scenario(&scenario, call->words[0], options->set);
    if (code == EXIT_CODE_OK && options->seed > 0) {
        scenario.seed = options->seed;
    }
    if (code == EXIT_CODE_OK) {
        code = make_sweep(call, &scenario, &sweep);
    }
    if (code != EXIT_CODE_OK) {
        return code;
    }
    code = files_open(&files, &options->files, sweep_runs(&sweep));
    if (code == EXIT_CODE_OK) {
        interrupt_catch();
        code = run_all(options, peers, &sweep, &files);
        code = files_close(&files, &options->files, code);
    }
    sweep_free(&sweep);
    return code;
}

int sim_run_run(const struct invocation *call)
{
    struct peers *peers;
    int code;
    if (ranks_enter(&peers, &code)) {
        code = run_as_told(call, peers);
        ranks_leave(peers);
    }
    return code;
}
