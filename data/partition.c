/*
 * What all partitions have in common: the shuffled order, the owners of its positions, and the flat
 * result. A kind only says who owns which position (partition_*.c).
 */
#include "data/partition_internal.h"

#include <mycel/error.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cut_fail(struct cut *c, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(c->out->problem, sizeof c->out->problem, format, args);
    va_end(args);
    return code;
}

int cut_allocate(struct cut *c, uint64_t total)
{
    if (total > PARTITION_INDICES_MAX) {
        return cut_fail(c, MYCEL_E_TOO_LARGE,
                        "the parts would have more than 2^31 samples together");
    }
    c->out->parts = c->parts;
    c->out->offsets = calloc((size_t)c->parts + 1u, sizeof *c->out->offsets);
    c->out->indices = malloc(((size_t)total + 1u) * sizeof *c->out->indices);
    return c->out->offsets != NULL && c->out->indices != NULL ? MYCEL_OK : cut_no_memory(c);
}

int buckets_make(struct cut *c, bool by_label, struct buckets *out)
{
    uint32_t samples = c->set->samples;
    out->classes = by_label ? c->set->classes : 1u;
    out->first = calloc((size_t)out->classes + 2u, sizeof *out->first);
    out->positions = malloc(((size_t)samples + 1u) * sizeof *out->positions);
    if (out->first == NULL || out->positions == NULL) {
        buckets_free(out);
        return cut_no_memory(c);
    }
    /* first[k + 2] counts, then first[k + 1] runs from the class's begin to its end. */
    for (uint32_t i = 0; i < samples; i++) {
        out->first[(by_label ? c->set->labels[i] : 0u) + 2u]++;
    }
    for (uint32_t k = 1; k < out->classes; k++) {
        out->first[k + 1u] += out->first[k];
    }
    for (uint32_t i = 0; i < samples; i++) {
        uint32_t k = by_label ? c->set->labels[c->order[i]] : 0u;
        out->positions[out->first[k + 1u]++] = i;
    }
    return MYCEL_OK;
}

void buckets_free(struct buckets *b)
{
    free(b->first);
    free(b->positions);
    memset(b, 0, sizeof *b);
}

/* Fisher–Yates. */
static void shuffle(uint32_t *values, uint32_t count, uint64_t seed)
{
    for (uint32_t i = count; i > 1; i--) {
        uint32_t k = rng_below(seed, STREAM_SHUFFLE, i, i);
        uint32_t swap = values[i - 1];
        values[i - 1] = values[k];
        values[k] = swap;
    }
}

int assign_iid(struct cut *c)
{
    uint64_t samples = c->set->samples;
    for (uint32_t part = 0; part < c->parts; part++) {
        uint32_t from = (uint32_t)(samples * part / c->parts);
        uint32_t to = (uint32_t)(samples * (part + 1u) / c->parts);
        for (uint32_t i = from; i < to; i++) {
            c->owners[i] = part;
        }
    }
    return MYCEL_OK;
}

/* The owners' lists: each in the shuffled order. */
static int gather(struct cut *c)
{
    uint32_t samples = c->set->samples;
    int rc = cut_allocate(c, samples);
    if (rc < 0) {
        return rc;
    }
    uint32_t *offsets = c->out->offsets;
    for (uint32_t i = 0; i < samples; i++) {
        if (c->owners[i] != PARTITION_NOBODY) {
            offsets[c->owners[i] + 1u]++;
        }
    }
    for (uint32_t part = 0; part < c->parts; part++) {
        if (offsets[part + 1u] < c->least) {
            return cut_fail(c, MYCEL_E_FULL, "part %u of %u would have %u samples and not %u", part,
                            c->parts, offsets[part + 1u], c->least);
        }
        offsets[part + 1u] += offsets[part];
    }
    for (uint32_t i = 0; i < samples; i++) {
        if (c->owners[i] != PARTITION_NOBODY) {
            c->out->indices[offsets[c->owners[i]]++] = c->order[i];
        }
    }
    memmove(offsets + 1, offsets, c->parts * sizeof *offsets);
    offsets[0] = 0;
    return MYCEL_OK;
}

static int (*const assign[])(struct cut *) = {[PARTITION_IID] = assign_iid,
                                              [PARTITION_DIRICHLET] = assign_shares,
                                              [PARTITION_SHARDS] = assign_shards,
                                              [PARTITION_LABELS] = assign_labels,
                                              [PARTITION_QUANTITY] = assign_shares};

/* Kinds that the seed decides. */
static int cut_drawn(struct cut *c, bool may_share)
{
    uint32_t samples = c->set->samples;
    uint64_t needed = (uint64_t)c->parts * (c->least > 0 ? c->least : 1u);
    c->order = malloc(((size_t)samples + 1u) * sizeof *c->order);
    c->owners = malloc(((size_t)samples + 1u) * sizeof *c->owners);
    if (c->order == NULL || c->owners == NULL) {
        return cut_no_memory(c);
    }
    for (uint32_t i = 0; i < samples; i++) {
        c->order[i] = i;
        c->owners[i] = PARTITION_NOBODY;
    }
    shuffle(c->order, samples, c->seed);
    if (may_share && needed > samples) {
        c->out->shared = true;
        return cut_shared(c);
    }
    if (c->least > 0 && needed > samples) {
        return cut_fail(c, MYCEL_E_FULL, "%u samples are too few for %u parts of %u or more",
                        samples, c->parts, c->least);
    }
    int rc = assign[c->spec->kind](c);
    if (rc == MYCEL_E_FULL && may_share && c->spec->kind == PARTITION_DIRICHLET) {
        c->out->shared = true;
        return cut_shared(c);
    }
    return rc < 0 ? rc : gather(c);
}

static int check(struct cut *c)
{
    const struct partition_spec *spec = c->spec;
    bool by_label = spec->kind == PARTITION_DIRICHLET || spec->kind == PARTITION_SHARDS ||
                    spec->kind == PARTITION_LABELS;
    bool by_alpha = spec->kind == PARTITION_DIRICHLET || spec->kind == PARTITION_QUANTITY;
    bool by_k = spec->kind == PARTITION_SHARDS || spec->kind == PARTITION_LABELS;
    if (c->parts == 0 || c->parts > PARTITION_PARTS_MAX) {
        return cut_fail(c, MYCEL_E_INVALID, "a set is cut into 1 to %u parts", PARTITION_PARTS_MAX);
    }
    if (c->set->samples == 0) {
        return cut_fail(c, MYCEL_E_FULL, "the set has no samples");
    }
    if (by_label && c->set->labels == NULL) {
        return cut_fail(c, MYCEL_E_INVALID,
                        "samples with targets instead of labels have no classes");
    }
    if (by_alpha && !(spec->alpha > 0)) {
        return cut_fail(c, MYCEL_E_INVALID, "alpha must be above 0");
    }
    if (by_k && (spec->k == 0 || spec->k > PARTITION_PER_PART_MAX)) {
        return cut_fail(c, MYCEL_E_INVALID, "a part has 1 to %u of them", PARTITION_PER_PART_MAX);
    }
    if (spec->kind == PARTITION_COLUMN && c->set->groups == NULL) {
        return cut_fail(c, MYCEL_E_INVALID, "only a CSV that was read by its id column has one");
    }
    return MYCEL_OK;
}

static int cut(struct cut *c, bool may_share)
{
    memset(c->out, 0, sizeof *c->out);
    int rc = check(c);
    if (rc == 0) {
        rc = partition_is_natural(c->spec) ? cut_listed(c, may_share) : cut_drawn(c, may_share);
    }
    free(c->order);
    free(c->owners);
    if (rc == 0) {
        c->out->problem[0] = '\0';
    } else {
        free(c->out->offsets);
        free(c->out->indices);
        c->out->offsets = NULL;
        c->out->indices = NULL;
        c->out->parts = 0;
        c->out->shared = false;
    }
    return rc;
}

int partition_disjoint(const struct dataset *set, const struct partition_spec *spec, uint32_t parts,
                       uint32_t least, uint64_t seed, struct partition *out)
{
    struct cut c = {
        .set = set, .spec = spec, .parts = parts, .least = least, .seed = seed, .out = out};
    return cut(&c, false);
}

int partition_all(const struct dataset *set, const struct partition_spec *spec, uint32_t parts,
                  uint32_t least, uint64_t seed, struct partition *out)
{
    struct cut c = {
        .set = set, .spec = spec, .parts = parts, .least = least, .seed = seed, .out = out};
    return cut(&c, true);
}

int partition_natural(const struct dataset *set, const struct partition_spec *spec, char *problem)
{
    struct partition none = {.parts = 0};
    struct cut c = {.set = set, .spec = spec, .parts = 1, .out = &none};
    int rc = check(&c);
    if (rc == 0) {
        rc = spec->kind == PARTITION_FILE     ? count_lists(&c)
             : spec->kind == PARTITION_COLUMN ? (int)set->groups_count
                                              : 0;
    }
    if (rc < 0 && problem != NULL) {
        memcpy(problem, none.problem, sizeof none.problem);
    }
    return rc;
}

void partition_free(struct partition *partition)
{
    free(partition->offsets);
    free(partition->indices);
    memset(partition, 0, sizeof *partition);
}
