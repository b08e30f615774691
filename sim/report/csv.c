/* Writing rounds as CSV. All columns are numbers, so nothing has to be quoted. */
#include "sim/report/csv.h"

#include <inttypes.h>
#include <math.h>

#include <mycel/error.h>

static void real(FILE *out, double value)
{
    if (isfinite(value)) {
        (void)fprintf(out, ",%.15g", value);
    } else {
        (void)fputc(',', out);
    }
}

static void write_round(FILE *out, size_t run, uint64_t seed, const struct series_round *r)
{
    const struct series_cost *cost = &r->cost;
    const uint64_t outcomes[] = {r->selected, r->accepted,    r->late,         r->expired,
                                 r->rejected, cost->bytes_up, cost->bytes_down};
    const uint64_t work[] = {cost->trained, cost->protocol_only, cost->discarded};
    (void)fprintf(out, "%zu,%" PRIu64 ",%" PRIu64 ",%" PRIu64, run, seed, r->round, r->version);
    real(out, r->virtual_s);
    real(out, r->accuracy);
    real(out, r->loss);
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        (void)fprintf(out, ",%" PRIu64, outcomes[i]);
    }
    real(out, cost->energy_j);
    for (size_t i = 0; i < sizeof work / sizeof work[0]; i++) {
        (void)fprintf(out, ",%" PRIu64, work[i]);
    }
    (void)fputs("\r\n", out);
}

static int write_runs(struct series_reader *reader, FILE *out, char *problem)
{
    struct series s;
    size_t run = 0;
    int result;
    while ((result = series_next(reader, &s, problem)) > 0) {
        if (run++ == 0) {
            (void)fputs("run,seed,round,version,virtual_s,accuracy,loss,selected,accepted,late,"
                        "expired,rejected,bytes_up,bytes_down,energy_j,trained,protocol_only,"
                        "discarded\r\n",
                        out);
        }
        for (size_t i = 0; i < s.rounds_count; i++) {
            write_round(out, run, s.seed, &s.rounds[i]);
        }
        series_free(&s);
    }
    if (result == 0 && run == 0) {
        (void)snprintf(problem, REPORT_PROBLEM_BYTES, "no run in it: no line with a 'start' event");
        return MYCEL_E_NOT_FOUND;
    }
    return result;
}

int report_csv(FILE *in, FILE *out, char problem[REPORT_PROBLEM_BYTES])
{
    struct series_reader reader;
    (void)snprintf(problem, REPORT_PROBLEM_BYTES, "out of memory");
    int result = series_reader_init(&reader, in);
    if (result < 0) {
        return result;
    }
    result = write_runs(&reader, out, problem);
    series_reader_deinit(&reader);
    if (result == MYCEL_OK && (fflush(out) != 0 || ferror(out))) {
        (void)snprintf(problem, REPORT_PROBLEM_BYTES, "cannot be written");
        return MYCEL_E_IO;
    }
    return result;
}
