/*
 * One run as one HTML file that needs nothing else: no network, no scripts to be readable, a few
 * hundred kB at most however long the run was. It must never show a figure that the run did not print
 * or that does not follow from those it did.
 */
#ifndef MYCEL_SIM_REPORT_HTML_H
#define MYCEL_SIM_REPORT_HTML_H

#include <stdio.h>

#include "sim/report/series.h"

/* Reads JSON lines of exactly one run and writes its report. 0, or what series_read() says with
 * problem filled, or MYCEL_E_IO ("cannot be written"), MYCEL_E_NO_MEMORY. Nothing is written unless
 * the input is good. Blocks on both streams, which stay the caller's. */
int report_html(FILE *in, FILE *out, char problem[REPORT_PROBLEM_BYTES]);

#endif
