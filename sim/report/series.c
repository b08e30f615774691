/* Reading runs from a stream of JSON lines: bounded lines, one event at a time, where runs begin and
 * end. What an event means is series_event.c's business. */
#include "sim/report/series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <mycel/error.h>

#include "sim/report/series_event.h"

int series_reader_init(struct series_reader *reader, FILE *in)
{
    *reader = (struct series_reader){.in = in, .line = malloc(SERIES_LINE_BYTES_MAX + 1u)};
    return reader->line == NULL ? MYCEL_E_NO_MEMORY : MYCEL_OK;
}

void series_reader_deinit(struct series_reader *reader)
{
    json_decref(reader->upcoming);
    free(reader->line);
    *reader = (struct series_reader){0};
}

/* ---- lines -------------------------------------------------------------------------------- */

struct raw_line {
    size_t length;
    bool ended; /* with a newline */
};

/* 1 with a line in reader->line, 0 at the end of the stream. */
static int read_raw(struct series_reader *reader, struct raw_line *raw, char *problem)
{
    int c = getc(reader->in);
    *raw = (struct raw_line){0};
    reader->number += c != EOF;
    for (; c != EOF && c != '\n'; c = getc(reader->in)) {
        if (raw->length == SERIES_LINE_BYTES_MAX) {
            (void)snprintf(problem, REPORT_PROBLEM_BYTES, "line %zu: longer than %u bytes",
                           reader->number, SERIES_LINE_BYTES_MAX);
            return MYCEL_E_TOO_LARGE;
        }
        reader->line[raw->length++] = (char)c;
    }
    if (ferror(reader->in)) {
        (void)snprintf(problem, REPORT_PROBLEM_BYTES, "line %zu: cannot be read", reader->number);
        return MYCEL_E_IO;
    }
    raw->ended = c == '\n';
    return raw->ended || raw->length > 0;
}

static bool is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') {
            return false;
        }
    }
    return true;
}

/* The next line that is not blank as JSON: 1 with *out (the caller's), 0 at the end. */
static int read_json(struct series_reader *reader, json_t **out, char *problem)
{
    struct raw_line raw;
    int result;
    do {
        result = read_raw(reader, &raw, problem);
        if (result <= 0) {
            return result;
        }
    } while (is_blank(reader->line, raw.length));

    json_error_t error;
    *out = json_loadb(reader->line, raw.length, JSON_REJECT_DUPLICATES, &error);
    if (*out == NULL) {
        struct series_line line = {.number = reader->number, .problem = problem};
        if (raw.ended) {
            series_line_fail(&line, MYCEL_E_MALFORMED, "not JSON: %s", error.text);
        } else {
            series_line_fail(&line, MYCEL_E_MALFORMED, "the file ends in the middle of this line");
        }
        return line.result;
    }
    return 1;
}

/* ---- runs --------------------------------------------------------------------------------- */

/* Without a last line, the newest round says how far the run came. */
static void settle(struct series *s)
{
    if (s->finished || s->rounds_count == 0) {
        return;
    }
    s->end = s->rounds[s->rounds_count - 1u];
    s->end_rounds = s->end.round;
}

/* Takes one event: 1 if the run goes on, 0 if it is complete, or an error. */
static int take(struct series_reader *reader, struct series *s, bool *started, json_t *object,
                char *problem)
{
    struct series_line line = {.object = object, .number = reader->number, .problem = problem};
    const char *event = series_line_event(&line);
    bool is_start = strcmp(event, "start") == 0;
    if (line.result == MYCEL_OK && *started && is_start) {
        reader->upcoming = json_incref(object);
        return 0;
    }
    if (!*started && !is_start) {
        series_line_fail(&line, MYCEL_E_MALFORMED, "'%.40s' before any start of a run", event);
    }
    if (line.result == MYCEL_OK) {
        *started = true;
        series_event_add(s, &line, event);
    }
    return line.result < 0 ? line.result : !s->finished;
}

int series_next(struct series_reader *reader, struct series *out,
                char problem[REPORT_PROBLEM_BYTES])
{
    bool started = false;
    int result = 1;
    *out = (struct series){.end.accuracy = (double)NAN, .wall_s = (double)NAN};
    problem[0] = '\0';
    while (result > 0) {
        json_t *object = reader->upcoming;
        reader->upcoming = NULL;
        result = object != NULL ? 1 : read_json(reader, &object, problem);
        if (result > 0) {
            result = take(reader, out, &started, object, problem);
            json_decref(object);
        }
    }
    if (result < 0) {
        series_free(out);
        return result;
    }
    settle(out);
    return started;
}

int series_read(FILE *in, struct series *out, char problem[REPORT_PROBLEM_BYTES])
{
    struct series_reader reader;
    struct series second;
    (void)snprintf(problem, REPORT_PROBLEM_BYTES, "out of memory");
    int result = series_reader_init(&reader, in);
    if (result < 0) {
        return result;
    }
    result = series_next(&reader, out, problem);
    if (result == 0) {
        (void)snprintf(problem, REPORT_PROBLEM_BYTES, "no run in it: no line with a 'start' event");
        result = MYCEL_E_NOT_FOUND;
    } else if (result > 0) {
        result = series_next(&reader, &second, problem);
        if (result > 0) {
            (void)snprintf(problem, REPORT_PROBLEM_BYTES,
                           "it holds more than one run (the second ends at line %zu)",
                           reader.number);
            series_free(&second);
            result = MYCEL_E_TOO_LARGE;
        }
        if (result < 0) {
            series_free(out);
        }
    }
    series_reader_deinit(&reader);
    return result;
}

void series_free(struct series *s)
{
    free(s->settings);
    free(s->rounds);
    free(s->participation);
    free(s->gateway);
    free(s->device_class);
    *s = (struct series){0};
}

/* ---- questions ---------------------------------------------------------------------------- */

const struct series_round *series_newest_accuracy(const struct series *s)
{
    for (size_t i = s->rounds_count; i > 0; i--) {
        if (isfinite(s->rounds[i - 1u].accuracy)) {
            return &s->rounds[i - 1u];
        }
    }
    return NULL;
}

const struct series_round *series_best_accuracy(const struct series *s)
{
    const struct series_round *best = NULL;
    for (size_t i = 0; i < s->rounds_count; i++) {
        const struct series_round *round = &s->rounds[i];
        if (isfinite(round->accuracy) && (best == NULL || round->accuracy > best->accuracy)) {
            best = round;
        }
    }
    return best;
}

const struct series_round *series_reaches(const struct series *s, double accuracy)
{
    for (size_t i = 0; i < s->rounds_count; i++) {
        if (s->rounds[i].accuracy >= accuracy) { /* NaN never does */
            return &s->rounds[i];
        }
    }
    return NULL;
}

double series_final_accuracy(const struct series *s)
{
    if (s->finished && isfinite(s->end.accuracy)) {
        return s->end.accuracy;
    }
    const struct series_round *newest = series_newest_accuracy(s);
    return newest == NULL ? (double)NAN : newest->accuracy;
}
