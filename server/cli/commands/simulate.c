/* The commands under "Simulate": a fleet in virtual time, and what is made of the results. */
#include "server/cli/commands/groups.h"

#include "server/cli/sim/report.h"
#include "server/cli/sim/sim.h"

static const struct command rows[] = {
    {.name = "sim run",
     .arguments = "SCENARIO [KEY=A,B…]",
     .words_min = 1,
     .words_max = COMMAND_WORDS_MAX,
     .group = "Simulate",
     .summary = "Simulate a fleet: the real coordinator and client in virtual time",
     .help = "Will it converge, how long will it take, what will it cost in airtime and energy? "
             "Runs the "
             "scenario of a file; every update in it is really trained. Same seed, same result, to "
             "the byte.\n\n"
             "  mycel sim run fashion\n"
             "  mycel sim run fashion --set partition=dirichlet:0.5 --seed 3 "
             "--json\n"
             "  mycel sim run fashion --seeds 3 --sweep codec=f32,drive1",
     .settings = &sim_run_settings,
     .run = sim_run_run},

    {.name = "sim list",
     .arguments = "",
     .group = "Simulate",
     .summary = "List the scenarios that come with the program",
     .help = "  mycel sim list",
     .settings = &sim_list_settings,
     .run = sim_list_run},

    {.name = "sim show",
     .arguments = "NAME",
     .words_min = 1,
     .words_max = 1,
     .group = "Simulate",
     .summary = "Print a shipped scenario, to start one of your own from",
     .help = "  mycel sim show streetlights > mine.ini",
     .run = sim_show_run},

    {.name = "sim check",
     .arguments = "",
     .group = "Simulate",
     .summary = "Try coordinator and clients on thousands of small, hostile simulations",
     .help = "One scenario from each seed: small fleets, three modes, loss, duplicates, crashes, "
             "reboots, attackers, clocks that go wrong. After every event, books of its own are "
             "compared with what engine, store and radio have. A failure is told with its seed and "
             "written as the shortest scenario that still fails; the exit code is 1 then.\n\n"
             "  mycel sim check\n"
             "  mycel sim check --seeds 100000 --json\n"
             "  mycel sim check --scenario sim-check-17.ini",
     .settings = &sim_check_settings,
     .run = sim_check_run},

    {.name = "sim keys",
     .arguments = "",
     .group = "Simulate",
     .summary = "List the keys of a scenario with their defaults",
     .help = "  mycel sim keys --json",
     .settings = &sim_list_settings,
     .run = sim_keys_run},

    {.name = "sim classes",
     .arguments = "",
     .group = "Simulate",
     .summary = "List the device classes that a fleet can be made of",
     .help = "  mycel sim classes --json",
     .settings = &sim_list_settings,
     .run = sim_classes_run},

    {.name = "sim report",
     .arguments = "FILE",
     .words_min = 1,
     .words_max = 1,
     .group = "Simulate",
     .summary = "Turn what a simulation printed into a page that can be mailed",
     .help =
         "FILE has the JSON lines of 'mycel sim run --json'; - is stdin. The page needs no network "
         "and no scripts.\n\n"
         "  mycel sim report run.jsonl --out run.html\n"
         "  mycel sim report run.jsonl --format csv --out rounds.csv",
     .settings = &sim_report_settings,
     .run = sim_report_run},

    {.name = "sim compare",
     .arguments = "FILE...",
     .words_min = 1,
     .words_max = COMMAND_WORDS_MAX,
     .group = "Simulate",
     .summary = "Set simulations side by side: accuracy, time, bytes, energy",
     .help = "Two runs get a column each and their difference. More, from any number of files, are "
             "grouped by settings: mean and standard deviation over the seeds of each.\n\n"
             "  mycel sim compare fedavg.jsonl fedadam.jsonl --html both.html\n"
             "  mycel sim compare sweep.jsonl --json",
     .settings = &sim_compare_settings,
     .run = sim_compare_run},
};

const struct command_group commands_simulate = COMMAND_GROUP(rows);
