/*
 * Runs side by side, for a terminal, for a program and as a page. Two groups get a column each and
 * their difference; more get a row each, with mean and deviation over their seeds. It must never
 * decide which setting is better: it shows the figures.
 */
#ifndef MYCEL_SIM_REPORT_COMPARE_H
#define MYCEL_SIM_REPORT_COMPARE_H

#include <stdio.h>

#include "sim/report/runs.h"

/* All three want runs_group() to have worked, and return 0, MYCEL_E_IO or MYCEL_E_NO_MEMORY. Their
 * output is the same for the same runs in the same order. */

/* Aligned columns, UTF-8, no colours. */
int compare_text(FILE *out, const struct runs *runs);

/* One JSON object: {"groups":[…]}, and "difference" (second minus first) if there are two. Figures
 * that do not exist are null. */
int compare_json(FILE *out, const struct runs *runs);

/* A page of its own with all courses in common axes (those of the six most accurate groups). */
int compare_html(FILE *out, const struct runs *runs);

#endif
