/* The sections of a run's report, in the order of the page. Only html*.c use them. All write to `out`
 * and return 0 or MYCEL_E_NO_MEMORY. */
#ifndef MYCEL_SIM_REPORT_HTML_PARTS_H
#define MYCEL_SIM_REPORT_HTML_PARTS_H

#include <stdio.h>

#include "sim/report/series.h"

#define HTML_TAKEAWAY_BYTES 384u

int html_head(FILE *out, const struct series *s);     /* title, verdict, headline figures */
int html_learning(FILE *out, const struct series *s); /* accuracy, loss, classes */
int html_cost(FILE *out, const struct series *s);     /* accuracy over time, bytes, energy */
int html_fleet(FILE *out, const struct series *s);    /* drop-outs, participation, energy */
int html_gateways(FILE *out, const struct series *s); /* airtime */
int html_tables(FILE *out, const struct series *s);   /* rounds, settings, how to repeat it */

#endif
