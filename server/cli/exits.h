/*
 * The exit codes of every `mycel` command, in one table. Scripts rely on the numbers: they are only
 * ever added to. It must hold nothing but the codes and what they mean.
 */
#ifndef MYCEL_SERVER_CLI_EXITS_H
#define MYCEL_SERVER_CLI_EXITS_H

#include <stddef.h>

/* X(name, value, text) */
#define EXIT_TABLE(X)                                                                              \
    X(OK, 0, "it worked")                                                                          \
    X(FAILED, 1, "it was tried and failed")                                                        \
    X(USAGE, 2, "the command line or the configuration is wrong; nothing was done")                \
    X(NOT_FOUND, 3, "a named device, run, model, file or data set does not exist")                 \
    X(REFUSED, 4, "permission is missing, or it exists already, or its state forbids it")          \
    X(UNREACHABLE, 5, "the coordinator cannot be reached")                                         \
    X(TARGET, 6, "training ended below the target accuracy")                                       \
    X(INTERRUPTED, 130, "ended by Ctrl-C")

enum exit_code {
#define EXIT_ENUM(name, value, text) EXIT_CODE_##name = value,
    EXIT_TABLE(EXIT_ENUM)
#undef EXIT_ENUM
};

struct exit_row {
    int code;
    const char *text;
};

/* All rows in order of code; *count says how many. Static storage. */
const struct exit_row *exit_rows(size_t *count);

/* The exit code that fits a result of the MYCEL_E_* kind; OK for 0 and above. */
int exit_of_error(int error);

#endif
