/*
 * The events of a run, one parser each: from a JSON object to the structs of series.h. It must never
 * read a stream, and never trust a field.
 */
#ifndef MYCEL_SIM_REPORT_SERIES_EVENT_H
#define MYCEL_SIM_REPORT_SERIES_EVENT_H

#include <jansson.h>

#include "sim/report/series.h"

/* One line under the parser. The first thing that is wrong sticks: later fields are not looked at. */
struct series_line {
    json_t *object;
    size_t number;
    int result;    /* 0 or MYCEL_E_* */
    char *problem; /* REPORT_PROBLEM_BYTES */
};

/* Notes a failure, "line N: …", unless there is one already. */
__attribute__((format(printf, 3, 4))) void series_line_fail(struct series_line *line, int result,
                                                            const char *format, ...);

/* The event's name, "" after a failure (the object has none). Valid as long as the object. */
const char *series_line_event(struct series_line *line);

/* Adds the event to the run; the result is in line->result. `name` is of series_line_event(). */
void series_event_add(struct series *s, struct series_line *line, const char *name);

#endif
