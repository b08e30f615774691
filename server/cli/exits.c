/* Lists the exit codes and maps error codes to them. Owns no state. */
#include "server/cli/exits.h"

#include <mycel/error.h>

static const struct exit_row rows[] = {
#define EXIT_ROW(name, value, text) {value, text},
    EXIT_TABLE(EXIT_ROW)
#undef EXIT_ROW
};

const struct exit_row *exit_rows(size_t *count)
{
    *count = sizeof rows / sizeof rows[0];
    return rows;
}

int exit_of_error(int error)
{
    if (error >= 0) {
        return EXIT_CODE_OK;
    }
    switch (error) {
    case MYCEL_E_NOT_FOUND:
        return EXIT_CODE_NOT_FOUND;
    case MYCEL_E_EXISTS:
    case MYCEL_E_PERMISSION:
    case MYCEL_E_STATE:
    case MYCEL_E_UNAUTHORIZED:
    case MYCEL_E_REVOKED:
        return EXIT_CODE_REFUSED;
    case MYCEL_E_UNREACHABLE:
        return EXIT_CODE_UNREACHABLE;
    case MYCEL_E_INVALID:
        return EXIT_CODE_USAGE;
    default:
        return EXIT_CODE_FAILED;
    }
}
