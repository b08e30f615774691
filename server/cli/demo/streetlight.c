/* The street crossing's data, its exact results, and the comparison. */
#include "server/cli/demo/streetlight.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <mycel/error.h>

#include "server/cli/say.h"

const float streetlight_initial[STREETLIGHT_INPUTS] = {0.5f, 0.48f, -0.7f};

static const double lights[STREETLIGHT_CASES][STREETLIGHT_INPUTS] = {
    {1, 0, 1}, {0, 1, 1}, {0, 0, 1}, {1, 1, 1}, {0, 1, 1}, {1, 0, 1}};
static const double walk[STREETLIGHT_CASES] = {0, 1, 0, 1, 1, 0};

/* Predictions of the fortieth pass, and their summed squared error. */
static const double last_pass[STREETLIGHT_CASES] = {-0.00224103, 0.99787455, -0.01672126,
                                                    1.01511275,  0.99694921, -0.00262562};
static const double last_error = 0.00053373677;

int streetlight_write(const char *path)
{
    FILE *out = fopen(path, "we");
    bool ok = out != NULL && fputs("red,amber,green,walk\n", out) >= 0;
    for (int i = 0; ok && i < STREETLIGHT_CASES; i++) {
        ok = fprintf(out, "%.0f,%.0f,%.0f,%.0f\n", lights[i][0], lights[i][1], lights[i][2],
                     walk[i]) > 0;
    }
    ok = out != NULL && fclose(out) == 0 && ok;
    if (!ok) {
        say_error("%s: %s", path, strerror(errno));
    }
    return ok ? MYCEL_OK : MYCEL_E_IO;
}

void streetlight_pass(double weights[STREETLIGHT_INPUTS], struct streetlight_pass *out)
{
    out->error = 0.0;
    for (int i = 0; i < STREETLIGHT_CASES; i++) {
        double prediction = 0.0;
        for (int j = 0; j < STREETLIGHT_INPUTS; j++) {
            prediction += weights[j] * lights[i][j];
        }
        double error = prediction - walk[i];
        for (int j = 0; j < STREETLIGHT_INPUTS; j++) {
            weights[j] -= (double)STREETLIGHT_RATE * error * lights[i][j];
        }
        out->predictions[i] = prediction;
        out->error += error * error;
    }
}

bool streetlight_check(const double weights[STREETLIGHT_INPUTS], bool quiet)
{
    double w[STREETLIGHT_INPUTS];
    struct streetlight_pass pass;
    memcpy(w, weights, sizeof w);
    streetlight_pass(w, &pass);
    bool exact = fabs(pass.error - last_error) < STREETLIGHT_TOLERANCE;
    if (!quiet) {
        (void)printf("\n  lights   walk?   predicted     exact value\n");
    }
    for (int i = 0; i < STREETLIGHT_CASES; i++) {
        exact = exact && fabs(pass.predictions[i] - last_pass[i]) < STREETLIGHT_TOLERANCE;
        if (!quiet) {
            (void)printf("  %.0f %.0f %.0f    %-4s   %11.8f   %11.8f\n", lights[i][0], lights[i][1],
                         lights[i][2], walk[i] > 0.5 ? "walk" : "stay", pass.predictions[i],
                         last_pass[i]);
        }
    }
    if (!quiet) {
        (void)printf("  squared error    %11.8f   %11.8f\n", pass.error, last_error);
    }
    return exact;
}
