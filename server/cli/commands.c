/* The table of subcommands: the only place that knows all of them. */
#include "server/cli/commands.h"

#include <string.h>

#include "common/assert.h"
#include "server/cli/backup.h"
#include "server/cli/client.h"
#include "server/cli/config_check.h"
#include "server/cli/demo/demo.h"
#include "server/cli/device.h"
#include "server/cli/help.h"
#include "server/cli/model.h"
#include "server/cli/model_plan.h"
#include "server/cli/registry.h"
#include "server/cli/replay.h"
#include "server/cli/run.h"
#include "server/cli/serve.h"
#include "server/cli/sim/report.h"
#include "server/cli/sim/sim.h"
#include "server/cli/strategy.h"
#include "server/cli/version.h"

static const struct command table[] = {
    {.name = "demo",
     .arguments = "",
     .group = "Start here",
     .summary = "Train a model now: a coordinator and ten devices on this machine",
     .help =
         "Enrols devices with fresh keys in a temporary folder, starts the coordinator and one "
         "process for each device, trains over CoAP and DTLS on loopback, and predicts with the "
         "result. Ends with 0 if the target accuracy was reached, with 6 if not.\n\n"
         "  mycel demo\n"
         "  mycel demo --partition dirichlet:0.5 --clients 20 --seed 7\n"
         "  mycel demo --task streetlight",
     .settings = &demo_settings,
     .run = demo_run},

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

    {.name = "serve",
     .arguments = "",
     .group = "Processes",
     .summary = "Run the coordinator",
     .help =
         "Answers enrolled devices until it gets SIGTERM or Ctrl-C; SIGHUP reads devices and "
         "runs anew. Killed at any moment and started again, it goes on where it was.\n\n"
         "  mycel serve --listen 0.0.0.0 --eval-data t10k-images.gz --eval-labels t10k-labels.gz",
     .config = CONFIG_GROUP_STATE | CONFIG_GROUP_LOG | CONFIG_GROUP_SERVE | CONFIG_GROUP_ROOT,
     .settings = &serve_settings,
     .run = serve_run},
    {.name = "client",
     .arguments = "",
     .group = "Processes",
     .summary = "Be a device: train on local data for a coordinator",
     .help =
         "Asks for work, trains, uploads what it has learned, sleeps; the data stays here. Killed "
         "at any moment and started again, it goes on where it was. Ends with SIGTERM or "
         "Ctrl-C.\n\n"
         "  mycel client --coordinator 192.0.2.1 --identity pump-17 --key-file pump-17.key "
         "--directory pump-17 --data measurements.csv",
     .config = CONFIG_GROUP_LOG | CONFIG_GROUP_CLIENT,
     .settings = &client_settings,
     .run = client_run},
    {.name = "replay",
     .arguments = "FILE",
     .words_min = 1,
     .words_max = 1,
     .group = "Processes",
     .summary = "Repeat what a coordinator was told, from its event log",
     .help =
         "FILE was written by 'mycel serve --record FILE'. Every event goes into a fresh engine, "
         "and its answers are compared, bit for bit, with those of the time: 0 if they are the "
         "same, 1 with the first event that differs if not. Needs neither store nor network; with "
         "--trace every event is a line.\n\n"
         "  mycel replay --trace incident.log",
     .settings = &replay_settings,
     .run = replay_run_command},

    {.name = "device enroll",
     .arguments = "NAME",
     .words_min = 1,
     .words_max = 1,
     .group = "Devices",
     .summary = "Let a device take part: make its key and remember it",
     .help = "Draws a fresh 128-bit key, writes it to a file that only you can read, and stores it "
             "with the device's name. Works while the coordinator runs. A name is used once: after "
             "a revocation, enrol the device under another.\n\n"
             "  mycel device enroll pump-17 --key-out pump-17.key",
     .config = CONFIG_GROUP_STATE,
     .settings = &device_enroll_settings,
     .run = device_enroll_run},
    {.name = "device token",
     .arguments = "NAME",
     .words_min = 1,
     .words_max = 1,
     .group = "Devices",
     .summary = "Print a one-time token with which a device enrols itself",
     .help =
         "A device that is started with the token ('mycel client --enroll-token-file FILE') makes "
         "a "
         "key of its own together with the coordinator; the token is spent when it comes with that "
         "key. Another token for the same name takes the place of the first. The token is a "
         "secret: "
         "rather than on the terminal it belongs into a file that only its owner reads.\n\n"
         "  mycel device token pump-17 --expires 24h --token-out pump-17.token",
     .config = CONFIG_GROUP_STATE,
     .settings = &device_token_settings,
     .run = device_token_run},
    {.name = "device tokens",
     .arguments = "",
     .group = "Devices",
     .summary = "List the enrolment tokens that are not spent",
     .help =
         "Open: nobody has come with it; used: its device has a key and has not checked in with it "
         "yet; expired. The tokens themselves are never shown: they are not stored. 'mycel device "
         "revoke NAME' takes one back.\n\n  mycel device tokens",
     .config = CONFIG_GROUP_STATE,
     .settings = &device_tokens_settings,
     .run = device_tokens_run},
    {.name = "device list",
     .arguments = "",
     .group = "Devices",
     .summary = "List devices, their state and what they contributed",
     .help = "Keys are never shown.\n\n  mycel device list --json",
     .config = CONFIG_GROUP_STATE,
     .settings = &device_list_settings,
     .run = device_list_run},
    {.name = "device revoke",
     .arguments = "NAME",
     .words_min = 1,
     .words_max = 1,
     .group = "Devices",
     .summary = "Shut a device out for good",
     .help = "A running coordinator ends its session and refuses it from then on. What it has "
             "contributed stays counted.\n\n  mycel device revoke pump-17",
     .config = CONFIG_GROUP_STATE,
     .run = device_revoke_run},

    {.name = "device why",
     .arguments = "NAME",
     .words_min = 1,
     .words_max = 1,
     .group = "Devices",
     .summary = "Say why a device gets no work, or why its updates do not count",
     .help = "Shows what the device was last told about each run, a quarantine, and the newest "
             "updates that did not count, with their reasons.\n\n  mycel device why pump-17",
     .config = CONFIG_GROUP_STATE,
     .settings = &device_why_settings,
     .run = device_why_run},

    {.name = "run create",
     .arguments = "",
     .group = "Runs",
     .summary = "Say what to train, on how many devices, for how many rounds",
     .help =
         "A running coordinator picks the run up by itself. Version 0 of the model is drawn from "
         "the seed, or read from a file.\n\n"
         "  mycel run create --model \"28x28x1 > dense 32 relu > dense 10 softmax\" "
         "--rounds 50 --goal 20",
     .config = CONFIG_GROUP_STATE | CONFIG_GROUP_ROOT,
     .settings = &run_create_settings,
     .run = run_create_run},
    {.name = "run list",
     .arguments = "",
     .group = "Runs",
     .summary = "List runs and how far they are",
     .help = "  mycel run list --json",
     .config = CONFIG_GROUP_STATE,
     .settings = &run_list_settings,
     .run = run_list_run},
    {.name = "run show",
     .arguments = "[RUN]",
     .words_max = 1,
     .group = "Runs",
     .summary = "Show a run's rounds: who was counted, who was refused and why",
     .help =
         "RUN is a name or an id; without it, the newest run. With --json every round lists the "
         "ids of the devices that were counted in it.\n\n  mycel run show --json run-1",
     .config = CONFIG_GROUP_STATE,
     .settings = &run_show_settings,
     .run = run_show_run},
    {.name = "run stop",
     .arguments = "RUN",
     .words_min = 1,
     .words_max = 1,
     .group = "Runs",
     .summary = "End a run for good; its versions stay",
     .help = "  mycel run stop run-1",
     .config = CONFIG_GROUP_STATE,
     .run = run_stop_run},

    {.name = "run pause",
     .arguments = "RUN",
     .words_min = 1,
     .words_max = 1,
     .group = "Runs",
     .summary = "Open no further round until the run is resumed",
     .help = "Devices that are training now may still report.\n\n  mycel run pause run-1",
     .config = CONFIG_GROUP_STATE,
     .run = run_pause_run},
    {.name = "run resume",
     .arguments = "RUN",
     .words_min = 1,
     .words_max = 1,
     .group = "Runs",
     .summary = "Go on with a paused run",
     .help = "  mycel run resume run-1",
     .config = CONFIG_GROUP_STATE,
     .run = run_resume_run},

    {.name = "strategy list",
     .arguments = "",
     .group = "Strategies",
     .summary = "List the rules that join updates",
     .help = "Streaming rules need memory for one model; gathering rules look at all updates of a "
             "round side by side, and withstand hostile ones.\n\n  mycel strategy list --json",
     .settings = &strategy_list_settings,
     .run = strategy_list_run},
    {.name = "strategy show",
     .arguments = "NAME",
     .words_min = 1,
     .words_max = 1,
     .group = "Strategies",
     .summary = "Show a rule's equation, source and parameters",
     .help =
         "'clip' shows the clip that can stand before any rule.\n\n  mycel strategy show fedadam",
     .settings = &strategy_show_settings,
     .run = strategy_show_run},

    {.name = "model list",
     .arguments = "[RUN]",
     .words_max = 1,
     .group = "Models",
     .summary = "List the versions of a run's model and how good they are",
     .help =
         "RUN is a name or an id; without it, the newest run.\n\n  mycel model list --json run-1",
     .config = CONFIG_GROUP_STATE,
     .settings = &model_list_settings,
     .run = model_list_run},
    {.name = "model show",
     .arguments = "[RUN[:VERSION]]",
     .words_max = 1,
     .group = "Models",
     .summary = "Show one version: where it came from, its metrics, its tensors",
     .help = "VERSION is a number, a tag or 'latest'; without it, the newest.\n\n"
             "  mycel model show run-1:7",
     .config = CONFIG_GROUP_STATE,
     .settings = &model_show_settings,
     .run = model_show_run},
    {.name = "model plan",
     .arguments = "MODEL",
     .words_min = 1,
     .words_max = 1,
     .group = "Models",
     .summary = "Say what a model takes on a device, to the byte, before any device runs it",
     .help = "A row a layer: shape, parameters, bytes, multiply-adds of a forward pass; then the "
             "arena class by class.\n\n"
             "  mycel model plan \"28x28x1 > dense 32 relu > dense 10 softmax\" --batch 32 "
             "--optimizer adam",
     .settings = &model_plan_settings,
     .run = model_plan_run},
    {.name = "model export",
     .arguments = "[RUN[:VERSION]]",
     .words_max = 1,
     .group = "Models",
     .summary = "Write a version's parameters to a file: raw, .npz or C header",
     .help = "Tensors are in PyTorch's shapes and order. In Python: "
             "m = numpy.load('run-1-20.npz'); m['dense1.weight'].\n\n"
             "  mycel model export run-1 --format c-header --out model.h",
     .config = CONFIG_GROUP_STATE,
     .settings = &model_export_settings,
     .run = model_export_run},

    {.name = "model tag",
     .arguments = "RUN[:VERSION] TAG",
     .words_min = 2,
     .words_max = 2,
     .group = "Models",
     .summary = "Give a version a name, or take it away",
     .help = "A tag stands for one version of its run and can be moved. The parameters of a tagged "
             "version are never dropped.\n\n"
             "  mycel model tag run-1:7 field-trial\n"
             "  mycel model tag run-1 field-trial --delete",
     .config = CONFIG_GROUP_STATE,
     .settings = &model_tag_settings,
     .run = model_tag_run},
    {.name = "model promote",
     .arguments = "RUN[:VERSION]",
     .words_min = 1,
     .words_max = 1,
     .group = "Models",
     .summary = "Tag a version as the one to use: 'promoted'",
     .help = "  mycel model promote run-1:7\n"
             "  mycel model export run-1:promoted --format c-header --out model.h",
     .config = CONFIG_GROUP_STATE,
     .run = model_promote_run},
    {.name = "model rollback",
     .arguments = "RUN:VERSION",
     .words_min = 1,
     .words_max = 1,
     .group = "Models",
     .summary = "Go back to an old version: a new number with its content",
     .help = "Nothing is taken back: the new version names the old content. A running coordinator "
             "goes on from it within a second; the round that is open then is given up, and what "
             "it has collected does not count.\n\n"
             "  mycel model rollback run-1:7",
     .config = CONFIG_GROUP_STATE,
     .run = model_rollback_run},
    {.name = "model diff",
     .arguments = "A B",
     .words_min = 2,
     .words_max = 2,
     .group = "Models",
     .summary = "Say how far two versions are apart, tensor by tensor",
     .help = "A and B are RUN[:VERSION]. Shows the norms of both and of their difference, the "
             "largest difference of a value, and the cosine of the angle between them.\n\n"
             "  mycel model diff run-1:7 run-1:8",
     .config = CONFIG_GROUP_STATE,
     .settings = &model_diff_settings,
     .run = model_diff_run},
    {.name = "model average",
     .arguments = "[RUN]",
     .words_max = 1,
     .group = "Models",
     .summary = "Average the newest versions into a new one",
     .help = "An exponential moving average: often a little better than the newest version, and "
             "steadier. It becomes the newest version, so a run under way would go on from it; "
             "that needs --adopt.\n\n"
             "  mycel model average run-1 --versions 10 --decay 0.5",
     .config = CONFIG_GROUP_STATE,
     .settings = &model_average_settings,
     .run = model_average_run},

    {.name = "sim report",
     .arguments = "FILE",
     .words_min = 1,
     .words_max = 1,
     .group = "Simulation",
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
     .group = "Simulation",
     .summary = "Set simulations side by side: accuracy, time, bytes, energy",
     .help = "Two runs get a column each and their difference. More, from any number of files, are "
             "grouped by settings: mean and standard deviation over the seeds of each.\n\n"
             "  mycel sim compare fedavg.jsonl fedadam.jsonl --html both.html\n"
             "  mycel sim compare sweep.jsonl --json",
     .settings = &sim_compare_settings,
     .run = sim_compare_run},

    {.name = "backup",
     .arguments = "FILE",
     .words_min = 1,
     .words_max = 1,
     .group = "State",
     .summary = "Copy the coordinator's state to a file, also while it runs",
     .help = "The copy is as of one moment, appears under its name only when it is complete, and "
             "holds every device's key. To restore it, put it into an empty private folder as "
             "mycel.db.\n\n"
             "  mycel backup mycel-2026-11-22.db",
     .config = CONFIG_GROUP_STATE,
     .run = backup_run},
    {.name = "check",
     .arguments = "",
     .group = "State",
     .summary = "Read the coordinator's state from end to end and say whether it is whole",
     .help = "Pages, references, the audit log's chain, and every stored content against its "
             "hash. Ends with 1 if something is damaged. Changes nothing; may run while the "
             "coordinator does.\n\n"
             "  mycel check --state /var/lib/mycel",
     .config = CONFIG_GROUP_STATE,
     .settings = &check_settings,
     .run = check_run},

    {.name = "config check",
     .arguments = "[FILE]",
     .words_max = 1,
     .group = "This program",
     .summary = "Check the configuration; show every value and its origin",
     .help = "Values come from flags, else from the environment, else from the file, else from the "
             "default. The file is FILE, or $MYCEL_CONFIG, or ~/.config/mycel/mycel.conf, or "
             "/etc/mycel/mycel.conf. An unknown key or a value out of bounds is an error with its "
             "file and line. "
             "The output is a valid configuration file.\n\n"
             "  mycel config check /etc/mycel/mycel.conf",
     .settings = &config_check_settings,
     .run = config_check_run},
    {.name = "help",
     .arguments = "[COMMAND]",
     .words_max = 2,
     .group = "This program",
     .summary = "Say what the commands do",
     .help = "The same as --help behind a command.\n\n  mycel help device enroll",
     .run = help_run},
    {.name = "version",
     .arguments = "",
     .group = "This program",
     .summary = "Print the version of this program and of its protocol",
     .help = "  mycel version --json",
     .settings = &version_settings,
     .run = version_run},
};

_Static_assert(sizeof table / sizeof table[0] <= COMMANDS_MAX, "raise COMMANDS_MAX");

const struct command *commands(size_t *count)
{
    *count = sizeof table / sizeof table[0];
    return table;
}

const struct command *command_find(const char *const *words, size_t count, size_t *used)
{
    for (size_t i = 0; count > 0 && i < sizeof table / sizeof table[0]; i++) {
        const char *space = strchr(table[i].name, ' ');
        size_t first = space ? (size_t)(space - table[i].name) : strlen(table[i].name);
        bool noun = strlen(words[0]) == first && strncmp(words[0], table[i].name, first) == 0;
        if (noun && (space == NULL || (count > 1u && strcmp(words[1], space + 1) == 0))) {
            *used = space ? 2u : 1u;
            return &table[i];
        }
    }
    return NULL;
}
