/*
 * The oldest example of the field: three lights, a decision, six situations seen forty times in
 * order. Its every prediction is known, so it is the demo that is checked to the digit.
 */
#ifndef MYCEL_SERVER_CLI_DEMO_STREETLIGHT_H
#define MYCEL_SERVER_CLI_DEMO_STREETLIGHT_H

#include <stdbool.h>

#define STREETLIGHT_MODEL "3 > dense 1 nobias"
#define STREETLIGHT_INPUTS 3
#define STREETLIGHT_CASES 6
#define STREETLIGHT_PASSES 40
#define STREETLIGHT_RATE 0.1f
#define STREETLIGHT_TOLERANCE 1e-5 /* binary32 against the exact values */

/* The weights that everything starts from. */
extern const float streetlight_initial[STREETLIGHT_INPUTS];

/* Writes the six situations as CSV. 0, or MYCEL_E_IO after having printed why. */
int streetlight_write(const char *path);

/* One pass over the six situations: what is predicted before each step. weights are changed. */
struct streetlight_pass {
    double predictions[STREETLIGHT_CASES];
    double error; /* summed squares */
};
void streetlight_pass(double weights[STREETLIGHT_INPUTS], struct streetlight_pass *out);

/* Prints the last pass made from `weights` (after all passes but one) beside the known values.
 * true if all agree within STREETLIGHT_TOLERANCE. quiet: compare only. */
bool streetlight_check(const double weights[STREETLIGHT_INPUTS], bool quiet);

#endif
