/* The commands under "Start here": the first command that anybody types. */
#include "server/cli/commands/groups.h"

#include "server/cli/demo/demo.h"

static const struct command rows[] = {
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
};

const struct command_group commands_start = COMMAND_GROUP(rows);
