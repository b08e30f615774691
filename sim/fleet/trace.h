/*
 * When each device is idle, from a file: lines of "device start_s end_s", in any order, "#" begins a
 * comment. It owns parsing and looking up; the text and the windows are the caller's memory.
 */
#ifndef MYCEL_SIM_FLEET_TRACE_H
#define MYCEL_SIM_FLEET_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trace_window {
    uint32_t device;
    uint32_t start_s;
    uint32_t end_s; /* not idle any more */
};

struct trace {
    const struct trace_window *window; /* by device, then time; those that touch are one */
    size_t count;
};

struct trace_error {
    int line;         /* from 1 */
    const char *text; /* one sentence without a full stop; static storage */
};

/* A whole file; it need not end with a NUL. */
struct trace_text {
    const char *at;
    size_t bytes;
};

/* Windows that a text may need at most: its lines. */
size_t trace_windows_max(struct trace_text text);

/* Reads a trace into windows[capacity], which outlive the trace. Returns 0;
 * MYCEL_E_MALFORMED with the line; MYCEL_E_NO_MEMORY when capacity is too small. */
int trace_parse(struct trace_text text, struct trace_window *windows, size_t capacity,
                struct trace *trace, struct trace_error *error);

/* Whether the device is in one of its windows, and until when that holds (UINT64_MAX: for ever). */
bool trace_at(const struct trace *trace, uint32_t device, uint64_t now_us, uint64_t *until_us);

#endif
