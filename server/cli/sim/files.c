/* See files.h. */
#include "server/cli/sim/files.h"

#include <errno.h>
#include <string.h>

#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "server/cli/sim/report.h"

int files_open(struct files *files, const struct files_wanted *wanted, uint64_t runs)
{
    *files = (struct files){.lines = NULL};
    if (wanted->report != NULL && runs > 1) {
        say_error("--report takes one run; give the lines of a sweep to `mycel sim compare`");
        return EXIT_CODE_USAGE;
    }
    if (wanted->lines != NULL) {
        files->lines = fopen(wanted->lines, "w+");
    } else if (wanted->report != NULL || wanted->csv != NULL) {
        files->lines = tmpfile();
    } else {
        return EXIT_CODE_OK;
    }
    if (files->lines == NULL) {
        say_error("%s: %s", wanted->lines != NULL ? wanted->lines : "temporary file",
                  strerror(errno));
        return EXIT_CODE_FAILED;
    }
    return EXIT_CODE_OK;
}

static int make(FILE *lines, enum report_format format, const char *path)
{
    rewind(lines);
    return exit_of_error(report_write(lines, "the lines of this run", format, path));
}

int files_close(struct files *files, const struct files_wanted *wanted, int code)
{
    if (files->lines == NULL) {
        return code;
    }
    if (code == EXIT_CODE_OK && wanted->report != NULL) {
        code = make(files->lines, REPORT_HTML, wanted->report);
    }
    if (code == EXIT_CODE_OK && wanted->csv != NULL) {
        code = make(files->lines, REPORT_CSV, wanted->csv);
    }
    if (fclose(files->lines) != 0 && code == EXIT_CODE_OK) {
        say_error("the JSON lines cannot be written");
        code = EXIT_CODE_FAILED;
    }
    files->lines = NULL;
    return code;
}
