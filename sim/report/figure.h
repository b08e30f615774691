/*
 * Figures as people read them: 25,450; 1.2 MB; 3 h 12 min; 34.1 J; 85.1 %. The page and the terminal
 * share these. It must never be used where a program reads (CSV and JSON carry full precision).
 */
#ifndef MYCEL_SIM_REPORT_FIGURE_H
#define MYCEL_SIM_REPORT_FIGURE_H

#include <stddef.h>
#include <stdint.h>

#define FIGURE_BYTES 64u

/* Returned by value, so that a call can stand in an argument list: figure_count(n).text. */
struct figure {
    char text[FIGURE_BYTES];
};

/* Each writes "–" for NaN and infinity. Bytes and joules go by powers of 1000. */
struct figure figure_count(uint64_t count);
struct figure figure_bytes(double bytes);
struct figure figure_joules(double joules);
struct figure figure_duration(double seconds);
struct figure figure_percent(double fraction);
struct figure figure_real(double value, int decimals);

/* The same with a sign, for differences: "+1.2 MB", "±0" for none. */
struct figure figure_signed(struct figure (*format)(double), double value);

/* "+1.2 points" of two fractions apart. */
struct figure figure_points(double fraction);

/* The beginning of a text, up to `bytes_max` (4 … FIGURE_BYTES - 1), with "…" where it was cut. Never
 * cuts within a character of UTF-8. */
struct figure figure_label(const char *text, size_t bytes_max);

/* part of whole as a fraction; NaN if whole is 0. */
double figure_share(double part, double whole);

#endif
