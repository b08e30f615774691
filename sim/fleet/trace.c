/*
 * A file comes from a person: each mistake ends in an error with its line, none is skipped.
 */
#include "sim/fleet/trace.h"

#include <mycel/error.h>

#include <stdlib.h>
#include <string.h>

#define US_PER_S 1000000u
#define FIELDS 3

size_t trace_windows_max(struct trace_text text)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.bytes; i++) {
        lines += text.at[i] == '\n';
    }
    return lines;
}

/* Whole order of the fields: equal windows are equal in everything. */
static int compare(const void *a, const void *b)
{
    const struct trace_window *x = a;
    const struct trace_window *y = b;
    const uint32_t left[FIELDS] = {x->device, x->start_s, x->end_s};
    const uint32_t right[FIELDS] = {y->device, y->start_s, y->end_s};
    for (int i = 0; i < FIELDS; i++) {
        if (left[i] != right[i]) {
            return left[i] < right[i] ? -1 : 1;
        }
    }
    return 0;
}

static size_t skip_blanks(const char *line, size_t at, size_t length)
{
    while (at < length && (line[at] == ' ' || line[at] == '\t' || line[at] == '\r')) {
        at++;
    }
    return at;
}

/* One decimal number of 32 bits from *at on. */
static bool take_number(const char *line, size_t *at, size_t length, uint32_t *number)
{
    uint64_t value = 0;
    size_t start = *at;
    while (*at < length && line[*at] >= '0' && line[*at] <= '9' && value <= UINT32_MAX) {
        value = 10 * value + (uint32_t)(line[*at] - '0');
        (*at)++;
    }
    *number = (uint32_t)value;
    return *at > start && value <= UINT32_MAX;
}

/* Reads a line without its comment. 1 with a window, 0 if there is none, <0 with *why. */
static int parse_line(const char *line, size_t length, struct trace_window *window,
                      const char **why)
{
    uint32_t field[FIELDS];
    size_t at = skip_blanks(line, 0, length);
    if (at == length) {
        return 0;
    }
    for (int i = 0; i < FIELDS; i++) {
        size_t before = at;
        at = skip_blanks(line, at, length);
        if ((i > 0 && at == before) || !take_number(line, &at, length, &field[i])) {
            *why = "expected three whole numbers: device start_s end_s";
            return MYCEL_E_MALFORMED;
        }
    }
    if (skip_blanks(line, at, length) != length) {
        *why = "something follows the three numbers";
        return MYCEL_E_MALFORMED;
    }
    if (field[2] <= field[1]) {
        *why = "a window must end after it starts";
        return MYCEL_E_MALFORMED;
    }
    *window = (struct trace_window){field[0], field[1], field[2]};
    return 1;
}

/* Joins windows of a device that overlap or touch; they are sorted. Returns how many are left. */
static size_t join(struct trace_window *windows, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct trace_window *last = kept > 0 ? &windows[kept - 1] : NULL;
        if (last && last->device == windows[i].device && windows[i].start_s <= last->end_s) {
            if (windows[i].end_s > last->end_s) {
                last->end_s = windows[i].end_s;
            }
        } else {
            windows[kept++] = windows[i];
        }
    }
    return kept;
}

int trace_parse(struct trace_text text, struct trace_window *windows, size_t capacity,
                struct trace *trace, struct trace_error *error)
{
    const char *line = text.at;
    const char *end = text.at + text.bytes;
    size_t count = 0;
    for (int number = 1; line < end; number++) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t length = (size_t)((newline ? newline : end) - line);
        const char *comment = memchr(line, '#', length);
        struct trace_window window;
        *error = (struct trace_error){.line = number};
        int rc =
            parse_line(line, comment ? (size_t)(comment - line) : length, &window, &error->text);
        if (rc < 0) {
            return rc;
        }
        if (rc > 0 && count == capacity) {
            error->text = "more windows than there is memory for";
            return MYCEL_E_NO_MEMORY;
        }
        if (rc > 0) {
            windows[count++] = window;
        }
        line = newline ? newline + 1 : end;
    }
    qsort(windows, count, sizeof *windows, compare);
    *trace = (struct trace){windows, join(windows, count)};
    return 0;
}

bool trace_at(const struct trace *trace, uint32_t device, uint64_t now_us, uint64_t *until_us)
{
    uint64_t now_s = now_us / US_PER_S;
    size_t low = 0;
    size_t high = trace->count;
    while (low < high) { /* the first window of the device that has not ended */
        size_t middle = low + (high - low) / 2;
        const struct trace_window *window = &trace->window[middle];
        if (window->device < device || (window->device == device && window->end_s <= now_s)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const struct trace_window *window = low < trace->count ? &trace->window[low] : NULL;
    if (!window || window->device != device) {
        *until_us = UINT64_MAX;
        return false;
    }
    bool inside = window->start_s <= now_s;
    *until_us = (uint64_t)(inside ? window->end_s : window->start_s) * US_PER_S;
    return inside;
}
