/* See files.h. */
#include "server/cli/sim/files.h"

#include <errno.h>
#include <string.h>

#include "server/cli/exits.h"
#include "server/cli/say.h"
#include "sim/report/csv.h"
#include "sim/report/html.h"

typedef int (*make_fn)(FILE *in, FILE *out, char problem[REPORT_PROBLEM_BYTES]);

int files_open(struct files *files, const struct files_wanted *wanted)
{
    *files = (struct files){.lines = NULL};
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

static int make(FILE *lines, const char *path, make_fn fill)
{
    char problem[REPORT_PROBLEM_BYTES] = "cannot be written";
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        say_error("%s: %s", path, strerror(errno));
        return EXIT_CODE_FAILED;
    }
    rewind(lines);
    int rc = fill(lines, out, problem);
    if (fclose(out) != 0 || rc < 0) {
        say_error("%s: %s", path, problem);
        return EXIT_CODE_FAILED;
    }
    return EXIT_CODE_OK;
}

int files_close(struct files *files, const struct files_wanted *wanted, uint64_t runs, int code)
{
    if (files->lines == NULL) {
        return code;
    }
    if (code == EXIT_CODE_OK && wanted->report != NULL) {
        if (runs > 1) {
            say_error("--report takes one run; give the lines of a sweep to `mycel sim compare`");
            code = EXIT_CODE_USAGE;
        } else {
            code = make(files->lines, wanted->report, report_html);
        }
    }
    if (code == EXIT_CODE_OK && wanted->csv != NULL) {
        code = make(files->lines, wanted->csv, report_csv);
    }
    if (fclose(files->lines) != 0 && code == EXIT_CODE_OK) {
        say_error("the JSON lines cannot be written");
        code = EXIT_CODE_FAILED;
    }
    files->lines = NULL;
    return code;
}
