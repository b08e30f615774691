/* The commands under "Runs": what is trained. */
#include "server/cli/commands/groups.h"

#include "server/cli/run.h"

static const struct command rows[] = {
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
};

const struct command_group commands_runs = COMMAND_GROUP(rows);
