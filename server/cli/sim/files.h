/* The files that a simulation leaves behind: JSON lines, report, CSV. */
#ifndef MYCEL_SERVER_CLI_SIM_FILES_H
#define MYCEL_SERVER_CLI_SIM_FILES_H

#include <stdint.h>
#include <stdio.h>

/* Paths, NULL where none is wanted. */
struct files_wanted {
    const char *lines;
    const char *report;
    const char *csv;
};

struct files {
    FILE *lines; /* what the others are made of; a temporary file if nobody asked for it; or NULL */
};

/* Refuses what cannot be made of so many runs, and opens what can fail, before anything was simulated. An
 * exit code; says what is wrong. */
int files_open(struct files *files, const struct files_wanted *wanted, uint64_t runs);

/* Makes report and CSV, and closes. `code` is what has happened so far; returns what is to be said. */
int files_close(struct files *files, const struct files_wanted *wanted, int code);

#endif
