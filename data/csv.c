/* Comma-separated numbers, read twice: once to learn the shape, once for the values. */
#include "data/dataset_internal.h"
#include "data/file_error.h"
#include "data/names.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <mycel/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_COLUMN UINT32_MAX

struct reader {
    const struct dataset_source *source;
    const char *path;
    FILE *file;
    char *line; /* getline's */
    size_t line_bytes;
    uint32_t number;  /* of the line, from 1 */
    uint32_t columns; /* of every line, the id column among them */
    uint32_t id;      /* its column from 0, or NO_COLUMN */
    bool named_id;    /* so the first line is a header whatever it holds */
    struct names names;
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

/* A first line whose first field (but the id) is no number. */
static bool is_header(const struct reader *r)
{
    float value;
    bool last;
    const char *text = r->line;
    if (r->id == 0 && strchr(text, ',') != NULL) {
        text = strchr(text, ',') + 1;
    }
    return r->named_id || !next_number(&text, &value, &last);
}

/* The next line that holds data; false at the end. */
static bool next_line(struct reader *r)
{
    while (getline(&r->line, &r->line_bytes, r->file) > 0) {
        r->number++;
        if (!is_blank(r->line) && (r->number > 1 || !is_header(r))) {
            return true;
        }
    }
    return false;
}

/* Steps over one field of any text, which is *begin without the blanks around it; false: it was the
 * line's last. */
static bool next_field(const char **text, const char **begin, size_t *bytes)
{
    const char *field = *text;
    const char *end = field + strcspn(field, ",");
    bool more = *end == ',';
    *text = more ? end + 1 : end;
    while (field < end && isspace((unsigned char)*field)) {
        field++;
    }
    while (end > field && isspace((unsigned char)end[-1])) {
        end--;
    }
    *begin = field;
    *bytes = (size_t)(end - field);
    return more;
}

/* Finds the id column: by its number, or by its name in the first line. */
static int find_id(struct reader *r)
{
    const char *wanted = r->source->id_column;
    r->id = NO_COLUMN;
    if (wanted == NULL) {
        return MYCEL_OK;
    }
    if (strspn(wanted, "0123456789") == strlen(wanted)) {
        unsigned long number = strtoul(wanted, NULL, 10);
        if (number < 1 || number > DATASET_FEATURES_MAX) {
            return fail(r, MYCEL_E_NOT_FOUND, "columns are numbered from 1");
        }
        r->id = (uint32_t)number - 1u;
        return MYCEL_OK;
    }
    r->named_id = true;
    bool more = getline(&r->line, &r->line_bytes, r->file) > 0;
    const char *text = r->line;
    for (uint32_t column = 0; more; column++) {
        const char *name;
        size_t bytes;
        more = next_field(&text, &name, &bytes);
        if (strlen(wanted) == bytes && strncmp(wanted, name, bytes) == 0) {
            r->id = column;
            rewind(r->file);
            return MYCEL_OK;
        }
    }
    return fail(r, MYCEL_E_NOT_FOUND, "its first line does not name the id column");
}

static int put_group(struct reader *r, struct dataset *out, uint32_t sample, const char **text,
                     bool *last)
{
    const char *name;
    size_t bytes;
    *last = !next_field(text, &name, &bytes);
    if (bytes == 0) {
        return fail_at(r, MYCEL_E_MALFORMED, r->id + 1u, "no id");
    }
    int rc = names_number(&r->names, name, bytes, &out->groups[sample]);
    out->groups_count = r->names.count;
    return rc < 0 ? fail_at(r, rc, r->id + 1u, "more ids than supported") : MYCEL_OK;
}

static int put_value(const struct reader *r, struct dataset *out, uint32_t sample, uint32_t value,
                     float number, uint32_t column)
{
    if (value < out->features) {
        ((float *)out->inputs)[(size_t)sample * out->features + value] = number;
        return MYCEL_OK;
    }
    out->targets[sample] = number;
    if (r->source->target == DATASET_LABELS && !target_is_label(number)) {
        return fail_at(r, MYCEL_E_MALFORMED, column, "a label is a whole number from 0 to 65535");
    }
    return MYCEL_OK;
}

static int read_row(struct reader *r, struct dataset *out, uint32_t sample)
{
    const char *text = r->line;
    bool last = false;
    uint32_t value = 0; /* which of the features, then the target */
    for (uint32_t column = 0; column < r->columns; column++) {
        float number = 0;
        if (last) {
            return fail_at(r, MYCEL_E_MALFORMED, column + 1u,
                           "fewer values than in the first line");
        }
        int rc = MYCEL_OK;
        if (column == r->id) {
            rc = put_group(r, out, sample, &text, &last);
        } else if (!next_number(&text, &number, &last)) {
            rc = fail_at(r, MYCEL_E_MALFORMED, column + 1u, "not a finite number");
        } else {
            rc = put_value(r, out, sample, value++, number, column + 1u);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return last ? MYCEL_OK
                : fail_at(r, MYCEL_E_MALFORMED, r->columns + 1u,
                          "more values than in the first line");
}

/* Samples and columns of the file. */
static int measure(struct reader *r, struct dataset *out)
{
    while (next_line(r)) {
        if (out->samples == 0) {
            r->columns = 1;
            for (const char *c = r->line; *c; c++) {
                r->columns += *c == ',';
            }
        }
        if (++out->samples > DATASET_SAMPLES_MAX || r->columns > DATASET_FEATURES_MAX) {
            return fail(r, MYCEL_E_TOO_LARGE, "more samples or columns than supported");
        }
    }
    if (out->samples == 0) {
        return fail(r, MYCEL_E_MALFORMED, "holds no samples");
    }
    if (r->id != NO_COLUMN && r->id >= r->columns) {
        return fail(r, MYCEL_E_NOT_FOUND, "has fewer columns than the id column's number");
    }
    uint32_t others = r->id != NO_COLUMN ? 2u : 1u;
    if (r->columns <= others) {
        return fail(r, MYCEL_E_MALFORMED, "needs at least one feature and a label");
    }
    out->features = r->columns - others;
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
    out->targets = malloc((size_t)out->samples * sizeof *out->targets);
    if (r->id != NO_COLUMN) {
        out->groups = malloc((size_t)out->samples * sizeof *out->groups);
    }
    if (!out->inputs || !out->targets || (r->id != NO_COLUMN && !out->groups)) {
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

int dataset_read_csv(const struct dataset_source *source, struct dataset *out, char *problem)
{
    struct reader r = {.source = source, .path = source->inputs, .problem = problem};
    memset(out, 0, sizeof *out);
    r.file = fopen(r.path, "r");
    if (!r.file) {
        return fail(&r, file_error(errno), strerror(errno));
    }
    int rc = find_id(&r);
    rc = rc < 0 ? rc : measure(&r, out);
    rc = rc < 0 ? rc : read_rows(&r, out);
    uint32_t odd; /* not met: read_rows() refused it, with its place */
    if (rc == 0 && dataset_settle_targets(out, source->target, &odd) < 0) {
        rc = fail(&r, MYCEL_E_NO_MEMORY, "no memory for its labels");
    }
    free(r.line);
    names_free(&r.names);
    fclose(r.file);
    if (rc < 0) {
        dataset_free(out);
    }
    return rc;
}
