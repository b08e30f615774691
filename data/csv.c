/* Comma-separated numbers, read twice: once to learn the shape, once for the values. */
#include "data/dataset.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <mycel/error.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *path;
    FILE *file;
    char *line; /* getline's */
    size_t line_bytes;
    uint32_t number; /* of the line, from 1 */
    enum dataset_target target;
    char *problem;
};

static int fail_at(const struct reader *r, int code, uint32_t column, const char *what)
{
    if (r->problem) {
        snprintf(r->problem, DATASET_PROBLEM_BYTES, "%s:%u: column %u: %s", r->path, r->number,
                 column, what);
    }
    return code;
}

static int fail(const struct reader *r, int code, const char *what)
{
    if (r->problem) {
        snprintf(r->problem, DATASET_PROBLEM_BYTES, "%s: %s", r->path, what);
    }
    return code;
}

static bool is_blank(const char *text)
{
    while (isspace((unsigned char)*text)) {
        text++;
    }
    return *text == '\0';
}

/* Reads the number at *text and steps behind it and its comma. */
static bool next_number(const char **text, float *value, bool *last)
{
    char *end;
    *value = strtof(*text, &end);
    if (end == *text || !isfinite(*value)) {
        return false;
    }
    while (isspace((unsigned char)*end)) {
        end++;
    }
    *last = *end == '\0';
    if (!*last && *end != ',') {
        return false;
    }
    *text = *last ? end : end + 1;
    return true;
}

/* The next line that holds data; false at the end. A first line without a number is a header. */
static bool next_line(struct reader *r)
{
    while (getline(&r->line, &r->line_bytes, r->file) > 0) {
        r->number++;
        float value;
        bool last;
        const char *text = r->line;
        if (is_blank(r->line) || (r->number == 1 && !next_number(&text, &value, &last))) {
            continue;
        }
        return true;
    }
    return false;
}

static int put_target(const struct reader *r, struct dataset *out, uint32_t sample, float value,
                      uint32_t column)
{
    if (r->target == DATASET_TARGETS) {
        out->targets[sample] = value;
        return MYCEL_OK;
    }
    if (value < 0 || value >= (float)DATASET_CLASSES_MAX || value != floorf(value)) {
        return fail_at(r, MYCEL_E_MALFORMED, column, "a label is a whole number from 0 to 65535");
    }
    out->labels[sample] = (uint32_t)value;
    if (out->labels[sample] >= out->classes) {
        out->classes = out->labels[sample] + 1;
    }
    return MYCEL_OK;
}

static int read_row(const struct reader *r, struct dataset *out, uint32_t sample)
{
    const char *text = r->line;
    float *row = (float *)out->inputs + (size_t)sample * out->features;
    bool last = false;
    for (uint32_t column = 1; column <= out->features + 1; column++) {
        float value;
        if (last) {
            return fail_at(r, MYCEL_E_MALFORMED, column, "fewer values than in the first line");
        }
        if (!next_number(&text, &value, &last)) {
            return fail_at(r, MYCEL_E_MALFORMED, column, "not a finite number");
        }
        if (column <= out->features) {
            row[column - 1] = value;
        } else {
            int rc = put_target(r, out, sample, value, column);
            if (rc < 0) {
                return rc;
            }
        }
    }
    return last ? MYCEL_OK
                : fail_at(r, MYCEL_E_MALFORMED, out->features + 2,
                          "more values than in the first line");
}

/* Samples and columns of the file. */
static int measure(struct reader *r, struct dataset *out)
{
    while (next_line(r)) {
        if (out->samples == 0) {
            out->features = 0;
            for (const char *c = r->line; *c; c++) {
                out->features += *c == ',';
            }
        }
        if (++out->samples > DATASET_SAMPLES_MAX || out->features > DATASET_FEATURES_MAX) {
            return fail(r, MYCEL_E_TOO_LARGE, "more samples or columns than supported");
        }
    }
    if (out->samples == 0) {
        return fail(r, MYCEL_E_MALFORMED, "holds no samples");
    }
    if (out->features == 0) {
        return fail(r, MYCEL_E_MALFORMED, "needs at least one feature and a label");
    }
    if ((size_t)out->samples * out->features > DATASET_BYTES_MAX / sizeof(float)) {
        return fail(r, MYCEL_E_TOO_LARGE, "more values than supported");
    }
    return MYCEL_OK;
}

static int read_rows(struct reader *r, struct dataset *out)
{
    out->type = DATASET_F32;
    out->height = 1;
    out->width = out->features;
    out->inputs = malloc((size_t)out->samples * out->features * sizeof(float));
    if (r->target == DATASET_LABELS) {
        out->labels = malloc((size_t)out->samples * sizeof *out->labels);
    } else {
        out->targets = malloc((size_t)out->samples * sizeof *out->targets);
    }
    if (!out->inputs || (!out->labels && !out->targets)) {
        return fail(r, MYCEL_E_NO_MEMORY, "no memory for its samples");
    }
    rewind(r->file);
    r->number = 0;
    int rc = MYCEL_OK;
    uint32_t sample = 0;
    while (rc == 0 && sample < out->samples && next_line(r)) {
        rc = read_row(r, out, sample++);
    }
    return rc == 0 && sample < out->samples ? fail(r, MYCEL_E_IO, "changed while being read") : rc;
}

int dataset_read_csv(const char *path, enum dataset_target target, struct dataset *out,
                     char *problem)
{
    struct reader r = {.path = path, .target = target, .problem = problem};
    memset(out, 0, sizeof *out);
    r.file = fopen(path, "r");
    if (!r.file) {
        int code = errno == ENOENT   ? MYCEL_E_NOT_FOUND
                   : errno == EACCES ? MYCEL_E_PERMISSION
                                     : MYCEL_E_IO;
        return fail(&r, code, strerror(errno));
    }
    int rc = measure(&r, out);
    if (rc == 0) {
        rc = read_rows(&r, out);
    }
    free(r.line);
    fclose(r.file);
    if (rc < 0) {
        dataset_free(out);
    }
    return rc;
}
