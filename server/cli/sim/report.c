/* Files in, pages and tables out; sim/report/ does the work. */
#include "server/cli/sim/report.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <mycel/error.h>

#include "data/file_error.h"
#include "server/cli/exits.h"
#include "server/cli/outfile.h"
#include "server/cli/say.h"
#include "sim/report/compare.h"
#include "sim/report/csv.h"
#include "sim/report/html.h"

struct report_options {
    unsigned format;
    const char *out;
};

static const char *const formats[] = {[REPORT_HTML] = "html", [REPORT_CSV] = "csv", NULL};

#define AT(member) .offset = offsetof(struct report_options, member)
static const struct setting report_rows[] = {
    {.name = "format",
     .letter = 'f',
     .type = SETTING_CHOICE,
     .argument = "FORMAT",
     .fallback = "html",
     .choices = formats,
     AT(format),
     .help = "html: one page, one run; csv: a row a round, of one run or of several"},
    {.name = "out",
     .letter = 'o',
     .type = SETTING_TEXT,
     .argument = "FILE",
     .fallback = "-",
     .min = 1,
     .max = PATH_MAX - 16,
     AT(out),
     .help = "File to write, replaced if it exists; - is stdout"},
};
#undef AT

struct compare_options {
    bool json;
    const char *html;
};

#define AT(member) .offset = offsetof(struct compare_options, member)
static const struct setting compare_rows[] = {
    {.name = "json",
     .letter = 'j',
     .type = SETTING_SWITCH,
     AT(json),
     .help = "Print one JSON object"},
    {.name = "html",
     .type = SETTING_TEXT,
     .argument = "FILE",
     .min = 1,
     .max = PATH_MAX - 16,
     AT(html),
     .help = "Write a page with all courses, too; replaced if it exists"},
};
#undef AT

const struct setting_list sim_report_settings = SETTING_LIST(report_rows, struct report_options);
const struct setting_list sim_compare_settings = SETTING_LIST(compare_rows, struct compare_options);

/* "-" is stdin. NULL with *result set after having printed what is wrong. */
static FILE *open_input(const char *path, int *result)
{
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (in == NULL) {
        int why = errno;
        say_error("%s: %s", path, strerror(why));
        *result = file_error(why);
    }
    return in;
}

static void close_input(FILE *in)
{
    if (in != stdin) {
        (void)fclose(in);
    }
}

/* ---- report ------------------------------------------------------------------------------- */

struct report {
    FILE *in;
    const char *name;
    enum report_format format;
};

static int fill(FILE *out, void *context)
{
    const struct report *report = context;
    char problem[REPORT_PROBLEM_BYTES];
    int result = report->format == REPORT_HTML ? report_html(report->in, out, problem)
                                               : report_csv(report->in, out, problem);
    if (result < 0) {
        say_error("%s: %s", report->name, problem);
    }
    return result;
}

int report_write(FILE *in, const char *name, enum report_format format, const char *path)
{
    struct report report = {.in = in, .name = name, .format = format};
    return outfile_write(path, true, fill, &report);
}

int sim_report_run(const struct invocation *call)
{
    const struct report_options *options = call->options;
    int result = MYCEL_OK;
    FILE *in = open_input(call->words[0], &result);
    if (in == NULL) {
        return exit_of_error(result);
    }
    result = report_write(in, call->words[0], (enum report_format)options->format, options->out);
    close_input(in);
    return exit_of_error(result);
}

/* ---- compare ------------------------------------------------------------------------------ */

static int read_all(struct runs *runs, const struct invocation *call)
{
    char problem[REPORT_PROBLEM_BYTES];
    for (size_t i = 0; i < call->words_count; i++) {
        int result = MYCEL_OK;
        FILE *in = open_input(call->words[i], &result);
        if (in == NULL) {
            return result;
        }
        result = runs_add(runs, in, call->words[i], problem);
        close_input(in);
        if (result < 0) {
            say_error("%s", problem);
            return result;
        }
    }
    int result = runs_group(runs, problem);
    if (result < 0) {
        say_error("%s", problem);
    }
    return result;
}

static int write_page(FILE *out, void *context)
{
    int result = compare_html(out, context);
    if (result < 0) {
        say_error("the page: %s", mycel_error_text(result));
    }
    return result;
}

int sim_compare_run(const struct invocation *call)
{
    const struct compare_options *options = call->options;
    struct runs runs = {0};
    int result = read_all(&runs, call);
    if (result == MYCEL_OK) {
        result = options->json ? compare_json(stdout, &runs) : compare_text(stdout, &runs);
        if (result < 0) {
            say_error("stdout: %s", mycel_error_text(result));
        }
    }
    if (result == MYCEL_OK && options->html != NULL) {
        result = outfile_write(options->html, true, write_page, &runs);
    }
    runs_free(&runs);
    return exit_of_error(result);
}
