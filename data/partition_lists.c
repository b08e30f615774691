/*
 * Partitions that the data name: a text file with one part's sample numbers a line, separated by blanks or
 * a comma (lines that begin with # are remarks, blank lines may only stand at the end), and the groups of
 * an id column. Both are lists; part p has list p.
 */
#include "common/assert.h"
#include "data/file_error.h"
#include "data/partition_internal.h"

#include <ctype.h>
#include <errno.h>
#include <mycel/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTS_FIRST 1024u
#define DIGITS_MAX 10u

/* Lists of samples, one behind the other. */
struct lists {
    uint32_t count;
    uint32_t *ends; /* of each list, in `indices` */
    uint32_t ends_room;
    uint32_t total;
    uint32_t *indices;
    uint32_t indices_room;
};

struct reader {
    struct cut *cut;
    FILE *file;
    uint32_t line;   /* from 1 */
    uint32_t column; /* from 1, of the last character */
    struct lists lists;
};

static int fail_at(struct reader *r, int code, const char *what)
{
    return cut_fail(r->cut, code, "%s:%u: column %u: %s", r->cut->spec->text, r->line, r->column,
                    what);
}

static int append(struct reader *r, uint32_t **values, uint32_t *count, uint32_t *room,
                  uint32_t value)
{
    if (*count == *room) {
        uint32_t more = *room > 0 ? *room * 2u : LISTS_FIRST;
        if (*room > PARTITION_INDICES_MAX / 2u) {
            return fail_at(r, MYCEL_E_TOO_LARGE, "more sample numbers than supported");
        }
        uint32_t *larger = realloc(*values, more * sizeof **values);
        if (larger == NULL) {
            return cut_no_memory(r->cut);
        }
        *values = larger;
        *room = more;
    }
    (*values)[(*count)++] = value;
    return MYCEL_OK;
}

static int next(struct reader *r)
{
    r->column++;
    return getc(r->file);
}

/* Reads the number that begins with *c; *c becomes the character behind it. */
static int read_index(struct reader *r, int *c)
{
    struct lists *l = &r->lists;
    uint64_t value = 0;
    uint32_t first = r->column;
    for (unsigned digits = 0; isdigit(*c); *c = next(r)) {
        value = value * 10u + (unsigned)(*c - '0');
        if (++digits > DIGITS_MAX || value >= r->cut->set->samples) {
            r->column = first;
            return fail_at(r, MYCEL_E_MALFORMED, "the set has no sample of this number");
        }
    }
    return append(r, &l->indices, &l->total, &l->indices_room, (uint32_t)value);
}

/* Reads one line from *c up to its end. Commas separate: one between two numbers. */
static int read_line(struct reader *r, int *c)
{
    bool comma = false;
    bool any = false;
    while (*c != '\n' && *c != EOF) {
        if (isdigit(*c)) {
            int rc = read_index(r, c);
            if (rc < 0) {
                return rc;
            }
            any = true;
            comma = false;
        } else if (*c == ',' && any && !comma) {
            comma = true;
            *c = next(r);
        } else if (*c == ' ' || *c == '\t' || *c == '\r') {
            *c = next(r);
        } else {
            return fail_at(r, MYCEL_E_MALFORMED, "not a sample number");
        }
    }
    return comma ? fail_at(r, MYCEL_E_MALFORMED, "a number is missing") : MYCEL_OK;
}

static int read_lists(struct reader *r)
{
    struct lists *l = &r->lists;
    uint32_t blank = 0; /* first blank line */
    for (;;) {
        r->line++;
        r->column = 0;
        uint32_t before = l->total;
        int c = next(r);
        bool remark = c == '#';
        while (remark && c != '\n' && c != EOF) {
            c = next(r);
        }
        int rc = read_line(r, &c);
        if (rc == 0 && l->total > before) {
            if (blank > 0) {
                r->line = blank;
                r->column = 1;
                return fail_at(r, MYCEL_E_MALFORMED, "a part without samples");
            }
            rc = append(r, &l->ends, &l->count, &l->ends_room, l->total);
        } else if (!remark && blank == 0) {
            blank = r->line;
        }
        if (rc < 0 || c == EOF) {
            return rc;
        }
    }
}

static int read_file(struct cut *c, struct lists *out)
{
    struct reader r = {.cut = c, .file = fopen(c->spec->text, "r")};
    *out = r.lists;
    if (r.file == NULL) {
        return cut_fail(c, file_error(errno), "%s: %s", c->spec->text, strerror(errno));
    }
    int rc = read_lists(&r);
    if (rc == 0 && ferror(r.file)) {
        rc = cut_fail(c, MYCEL_E_IO, "%s: cannot be read", c->spec->text);
    }
    if (rc == 0 && r.lists.count == 0) {
        rc = cut_fail(c, MYCEL_E_MALFORMED, "%s: holds no parts", c->spec->text);
    }
    (void)fclose(r.file);
    *out = r.lists;
    return rc;
}

static void free_lists(struct lists *l)
{
    free(l->ends);
    free(l->indices);
}

static uint32_t list_start(const struct lists *l, uint32_t list)
{
    return list > 0 ? l->ends[list - 1u] : 0;
}

int count_lists(struct cut *c)
{
    struct lists l;
    int rc = read_file(c, &l);
    int count = (int)l.count;
    free_lists(&l);
    return rc < 0 ? rc : count;
}

/* A counting sort: within a group, samples keep the file's order. */
static int group_lists(struct cut *c, struct lists *out)
{
    const struct dataset *set = c->set;
    uint32_t *starts = calloc((size_t)set->groups_count + 1u, sizeof *starts);
    uint32_t *members = malloc(((size_t)set->samples + 1u) * sizeof *members);
    *out = (struct lists){.count = set->groups_count, .ends = starts, .indices = members};
    if (starts == NULL || members == NULL) {
        return cut_no_memory(c);
    }
    for (uint32_t i = 0; i < set->samples; i++) {
        starts[set->groups[i] + 1u]++;
    }
    for (uint32_t g = 1; g <= set->groups_count; g++) {
        starts[g] += starts[g - 1u];
    }
    for (uint32_t i = 0; i < set->samples; i++) {
        members[starts[set->groups[i]]++] = i; /* a start ends as its group's end */
    }
    return MYCEL_OK;
}

/* Part p gets list p, or p mod their number. */
static int copy_lists(struct cut *c, const struct lists *l)
{
    MYCEL_ASSERT(l->count > 0); /* neither kind of lists is empty */
    uint64_t total = 0;
    for (uint32_t part = 0; part < c->parts; part++) {
        uint32_t list = part % l->count;
        total += l->ends[list] - list_start(l, list);
    }
    int rc = cut_allocate(c, total);
    for (uint32_t part = 0; rc == 0 && part < c->parts; part++) {
        uint32_t from = list_start(l, part % l->count);
        uint32_t count = l->ends[part % l->count] - from;
        memcpy(c->out->indices + c->out->offsets[part], l->indices + from,
               count * sizeof *l->indices);
        c->out->offsets[part + 1u] = c->out->offsets[part] + count;
    }
    return rc;
}

int cut_listed(struct cut *c, bool may_share)
{
    struct lists l;
    bool from_file = c->spec->kind == PARTITION_FILE;
    int rc = from_file ? read_file(c, &l) : group_lists(c, &l);
    if (rc == 0 && c->parts > l.count && !may_share) {
        rc = cut_fail(c, MYCEL_E_FULL, "%s %s names %u parts, not %u",
                      from_file ? "file" : "column", c->spec->text, l.count, c->parts);
    }
    c->out->shared = rc == 0 && c->parts > l.count;
    rc = rc < 0 ? rc : copy_lists(c, &l);
    free_lists(&l);
    return rc;
}
