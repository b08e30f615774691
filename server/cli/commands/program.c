/* The commands under "This program": the program itself. */
#include "server/cli/commands/groups.h"

#include "server/cli/config_check.h"
#include "server/cli/help.h"
#include "server/cli/version.h"

static const struct command rows[] = {
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

const struct command_group commands_program = COMMAND_GROUP(rows);
