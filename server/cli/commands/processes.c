/* The commands under "Processes": what runs until it is told to stop, and the repetition of what one of them did. */
#include "server/cli/commands/groups.h"

#include "server/cli/client.h"
#include "server/cli/replay.h"
#include "server/cli/serve.h"

static const struct command rows[] = {
    {.name = "serve",
     .arguments = "",
     .group = "Processes",
     .summary = "Run the coordinator",
     .help =
         "Answers enrolled devices until it gets SIGTERM or Ctrl-C; SIGHUP reads devices, "
         "runs and certificates anew. Killed at any moment and started again, it goes on where it "
         "was.\n\n"
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
};

const struct command_group commands_processes = COMMAND_GROUP(rows);
