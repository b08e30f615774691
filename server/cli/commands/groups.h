/*
 * The rows of the table of commands, a file for each heading of the general help. They hold no behaviour:
 * what a command does is in the file that its row names.
 */
#ifndef MYCEL_SERVER_CLI_COMMANDS_GROUPS_H
#define MYCEL_SERVER_CLI_COMMANDS_GROUPS_H

#include "server/cli/commands.h"

struct command_group {
    const struct command *rows;
    size_t count;
};

#define COMMAND_GROUP(table)                                                                       \
    {                                                                                              \
        (table), sizeof(table) / sizeof((table)[0])                                                \
    }

extern const struct command_group commands_start;
extern const struct command_group commands_simulate;
extern const struct command_group commands_processes;
extern const struct command_group commands_devices;
extern const struct command_group commands_runs;
extern const struct command_group commands_strategies;
extern const struct command_group commands_models;
extern const struct command_group commands_state;
extern const struct command_group commands_program;

#endif
