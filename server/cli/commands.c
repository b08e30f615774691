/* The order of the groups, and the search for a command: the only place that knows all of them. */
#include "server/cli/commands.h"

#include <string.h>

#include "server/cli/commands/groups.h"

static const struct command_group *const groups[] = {
    &commands_start,   &commands_simulate, &commands_processes,
    &commands_devices, &commands_runs,     &commands_strategies,
    &commands_models,  &commands_state,    &commands_program,
};

const struct command *command_at(size_t index)
{
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (index < groups[i]->count) {
            return &groups[i]->rows[index];
        }
        index -= groups[i]->count;
    }
    return NULL;
}

static bool is_named(const struct command *c, const char *const *words, size_t count)
{
    const char *space = strchr(c->name, ' ');
    size_t first = space ? (size_t)(space - c->name) : strlen(c->name);
    bool noun = strlen(words[0]) == first && strncmp(words[0], c->name, first) == 0;
    return noun && (space == NULL || (count > 1u && strcmp(words[1], space + 1) == 0));
}

const struct command *command_find(const char *const *words, size_t count, size_t *used)
{
    const struct command *c = NULL;
    for (size_t i = 0; count > 0 && (c = command_at(i)) != NULL; i++) {
        if (is_named(c, words, count)) {
            *used = strchr(c->name, ' ') != NULL ? 2u : 1u;
            return c;
        }
    }
    return NULL;
}
