/*
 * Joins the table of commands, arguments and configuration. The configuration is read for commands
 * that use it, before they run, so that an error in it ends every one of them the same way.
 */
#include "server/cli/dispatch.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/assert.h"
#include "server/cli/args.h"
#include "server/cli/exits.h"
#include "server/cli/help.h"
#include "server/cli/say.h"

static bool is_any(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

static int run_with(const struct command *command, const struct args *args, struct config *config)
{
    alignas(max_align_t) unsigned char options[COMMAND_OPTIONS_BYTES_MAX] = {0};
    MYCEL_ASSERT(command->settings == NULL || command->settings->bytes <= sizeof options);
    if (args_assign(args, command, options) < 0) {
        return EXIT_CODE_USAGE;
    }
    int error =
        command->config != 0 ? config_load(config, args->config_path, args->config_flags) : 0;
    if (error < 0) {
        say_error("%s", config->message);
        return exit_of_error(error);
    }
    struct invocation call = {.command = command,
                              .config = config,
                              .options = command->settings ? options : NULL,
                              .words = args->words,
                              .words_count = args->words_count};
    return command->run(&call);
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct args args;
    if (args_parse(&args, command, argc, argv) < 0) {
        return EXIT_CODE_USAGE;
    }
    struct config *config = calloc(1, sizeof *config);
    if (config == NULL) {
        say_error("out of memory");
        return EXIT_CODE_FAILED;
    }
    int code = run_with(command, &args, config);
    free(config);
    return code;
}

/* No command was found: a group's name, a request for help, or a mistake. */
static int run_nothing(size_t count, const char *const *words)
{
    bool asks = count > 1u && is_any(words[1], "--help", "-h");
    if (count == 0) {
        help_general(stderr);
        return EXIT_CODE_USAGE;
    }
    if ((count == 1u || asks) && help_noun(words[0], asks ? stdout : stderr)) {
        return asks ? EXIT_CODE_OK : EXIT_CODE_USAGE;
    }
    help_unknown(words, asks ? 1u : count);
    return EXIT_CODE_USAGE;
}

int dispatch(int argc, char **argv)
{
    size_t count = argc > 0 ? (size_t)argc - 1u : 0u;
    const char *const *words = (const char *const *)argv + 1;
    if (count > 0 && is_any(words[0], "--help", "-h")) {
        help_general(stdout);
        return EXIT_CODE_OK;
    }
    static const char *const version[] = {"version"};
    if (count > 0 && is_any(words[0], "--version", "-V")) {
        words = version;
    }
    size_t used = 0;
    const struct command *command = command_find(words, words == version ? 1u : count, &used);
    if (command == NULL) {
        return run_nothing(count, words);
    }
    return run_command(command, argc - (int)used, argv + used);
}
