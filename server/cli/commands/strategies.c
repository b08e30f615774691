/* The commands under "Strategies": the rules that join updates. */
#include "server/cli/commands/groups.h"

#include "server/cli/strategy.h"

static const struct command rows[] = {
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
};

const struct command_group commands_strategies = COMMAND_GROUP(rows);
