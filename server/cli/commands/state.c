/* The commands under "State": the coordinator's database as a whole. */
#include "server/cli/commands/groups.h"

#include "server/cli/backup.h"

static const struct command rows[] = {
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
};

const struct command_group commands_state = COMMAND_GROUP(rows);
