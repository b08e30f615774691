/* The table of subcommands: the only place that knows all of them. */
#include "server/cli/commands.h"

#include <string.h>

#include "common/assert.h"
#include "server/cli/config_check.h"
#include "server/cli/help.h"
#include "server/cli/version.h"

static const struct command table[] = {
    {.name = "config check",
     .arguments = "[FILE]",
     .words_max = 1,
     .group = "This program",
     .summary = "Check the configuration and show every value and where it comes from",
     .help = "Values come from flags, else from the environment, else from the file, else from the "
             "default. An unknown key or a value out of bounds is an error with its file and line. "
             "The output is a valid configuration file.\n\n"
             "  mycel config check /etc/mycel/mycel.conf",
     .config = CONFIG_GROUP_STATE,
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
