/*
 * Rounds as comma-separated values (RFC 4180, with a head) for spreadsheets and scripts. It must never
 * round: numbers carry all their digits.
 */
#ifndef MYCEL_SIM_REPORT_CSV_H
#define MYCEL_SIM_REPORT_CSV_H

#include <stdio.h>

#include "sim/report/series.h"

/* Reads JSON lines of one run or of several and writes one row a round, with the run's number (from
 * 1) and seed in front; what was not measured is empty. Errors as report_html(); rows of runs before a
 * faulty one have been written. Blocks on both streams, which stay the caller's. */
int report_csv(FILE *in, FILE *out, char problem[REPORT_PROBLEM_BYTES]);

#endif
