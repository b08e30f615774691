/* A run as a simulation would print it, made up from a formula: every figure can be worked out by a
 * test. */
#ifndef MYCEL_TESTS_UNIT_SIM_REPORT_FIXTURE_H
#define MYCEL_TESTS_UNIT_SIM_REPORT_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct fixture {
    unsigned rounds;
    unsigned gateways;
    uint64_t seed;
    const char *title;
    const char *strategy;
    const char *codec;
    double best;      /* accuracy that is approached */
    unsigned bytes;   /* that each of 10 devices sends in a round */
    bool cut_off;     /* without the last line */
    bool no_accuracy; /* and without loss */
};

/* 100 rounds of 100 devices behind one gateway, towards 86 %. */
struct fixture fixture_plain(void);

/* Writes the run's lines. */
void fixture_write(FILE *out, const struct fixture *f);

/* A temporary stream with what `write` wrote, to be read from its start; the caller closes it. */
FILE *fixture_open(const struct fixture *f);

/* The same of literal text. */
FILE *fixture_text(const char *text);

/* All of a stream from its start as a string that the caller frees; closes the stream. */
char *fixture_take(FILE *stream);

/* The accuracy of a round, as written. */
double fixture_accuracy(const struct fixture *f, unsigned round);

#endif
