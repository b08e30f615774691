/*
 * IID: one shuffle, cut into equal pieces. Dirichlet: for each class, its shuffled samples are cut by
 * shares drawn from Dirichlet(alpha), as Gamma variates divided by their sum (Marsaglia, Tsang 2000).
 */
#include "data/partition.h"

#include "common/rng.h"

#include <math.h>
#include <mycel/error.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_SHUFFLE 101u
#define STREAM_SHARES 102u
#define GAMMA_TRIES_MAX 1000u

int partition_parse(const char *text, struct partition_spec *spec)
{
    static const char dirichlet[] = "dirichlet:";
    memset(spec, 0, sizeof *spec);
    if (strcmp(text, "iid") == 0) {
        spec->kind = PARTITION_IID;
        return MYCEL_OK;
    }
    if (strncmp(text, dirichlet, sizeof dirichlet - 1) != 0) {
        return MYCEL_E_INVALID;
    }
    const char *number = text + sizeof dirichlet - 1;
    char *end;
    spec->kind = PARTITION_DIRICHLET;
    spec->alpha = strtof(number, &end);
    bool valid = end != number && *end == '\0' && isfinite(spec->alpha) && spec->alpha > 0;
    return valid ? MYCEL_OK : MYCEL_E_INVALID;
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

/* A stream of uniform numbers in (0, 1). */
struct draws {
    uint64_t seed;
    uint64_t counter;
};

static double uniform(struct draws *draws)
{
    uint64_t bits = rng_u64(draws->seed, STREAM_SHARES, draws->counter++) >> 11;
    return ((double)bits + 0.5) / 9007199254740992.0;
}

static double normal(struct draws *draws)
{
    double radius = sqrt(-2.0 * log(uniform(draws)));
    return radius * cos(6.283185307179586 * uniform(draws));
}

/* Gamma(shape, 1). Below 1 by the boost Gamma(shape + 1) · U^(1/shape). */
static double gamma_draw(struct draws *draws, double shape)
{
    double boost = 1.0;
    if (shape < 1.0) {
        boost = pow(uniform(draws), 1.0 / shape);
        shape += 1.0;
    }
    double d = shape - 1.0 / 3.0;
    double c = 1.0 / sqrt(9.0 * d);
    for (unsigned i = 0; i < GAMMA_TRIES_MAX; i++) {
        double x = normal(draws);
        double v = 1.0 + c * x;
        v = v * v * v;
        if (v > 0 && log(uniform(draws)) < 0.5 * x * x + d - d * v + d * log(v)) {
            return boost * d * v;
        }
    }
    return boost * d; /* not reached in practice: the method accepts 95 % */
}

/* One draw of all shares: cuts[class × (parts + 1) + part] is where a part's samples of a class begin,
 * sizes[part] how many it gets. */
static void draw_cuts(struct draws *draws, double alpha, const uint32_t *class_counts,
                      uint32_t classes, uint32_t parts, uint32_t *cuts, uint32_t *sizes)
{
    memset(sizes, 0, parts * sizeof *sizes);
    for (uint32_t k = 0; k < classes; k++) {
        uint32_t *cut = cuts + (size_t)k * (parts + 1);
        uint64_t first = draws->counter;
        double sum = 0;
        for (uint32_t p = 0; p < parts; p++) {
            sum += gamma_draw(draws, alpha);
        }
        struct draws again = {draws->seed, first};
        double before = 0;
        for (uint32_t p = 0; p < parts; p++) {
            cut[p] = (uint32_t)(before / sum * class_counts[k]);
            before += gamma_draw(&again, alpha);
        }
        cut[parts] = class_counts[k];
        for (uint32_t p = 0; p < parts; p++) {
            sizes[p] += cut[p + 1] - cut[p];
        }
    }
}

static bool all_at_least(const uint32_t *sizes, uint32_t parts, uint32_t least)
{
    for (uint32_t p = 0; p < parts; p++) {
        if (sizes[p] < least) {
            return false;
        }
    }
    return true;
}

static int iid(const uint32_t *order, uint32_t samples, uint32_t parts, uint32_t part,
               uint32_t least, uint32_t **indices, uint32_t *count)
{
    uint32_t from = (uint32_t)((uint64_t)samples * part / parts);
    uint32_t to = (uint32_t)((uint64_t)samples * (part + 1) / parts);
    if (samples / parts < least) {
        return MYCEL_E_FULL;
    }
    *count = to - from;
    *indices = malloc((*count + 1u) * sizeof **indices);
    if (!*indices) {
        return MYCEL_E_NO_MEMORY;
    }
    memcpy(*indices, order + from, *count * sizeof **indices);
    return MYCEL_OK;
}

/* The part's samples, class by class in shuffled order. */
static int collect(const struct dataset *set, const uint32_t *order, const uint32_t *cuts,
                   uint32_t parts, uint32_t part, uint32_t size, uint32_t **indices,
                   uint32_t *count)
{
    uint32_t *seen = calloc(set->classes + 1u, sizeof *seen);
    uint32_t *list = malloc((size + 1u) * sizeof *list);
    if (!seen || !list) {
        free(seen);
        free(list);
        return MYCEL_E_NO_MEMORY;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < set->samples; i++) {
        uint32_t label = set->labels[order[i]];
        const uint32_t *cut = cuts + (size_t)label * (parts + 1);
        uint32_t rank = seen[label]++;
        if (rank >= cut[part] && rank < cut[part + 1]) {
            list[n++] = order[i];
        }
    }
    free(seen);
    *indices = list;
    *count = n;
    return MYCEL_OK;
}

static int dirichlet(const struct dataset *set, const struct partition_spec *spec,
                     const uint32_t *order, uint32_t parts, uint32_t part, uint32_t least,
                     uint64_t seed, uint32_t **indices, uint32_t *count)
{
    uint32_t *class_counts = calloc(set->classes + 1u, sizeof *class_counts);
    uint32_t *cuts = calloc((size_t)set->classes * (parts + 1), sizeof *cuts);
    uint32_t *sizes = calloc(parts, sizeof *sizes);
    int rc = class_counts && cuts && sizes ? MYCEL_E_FULL : MYCEL_E_NO_MEMORY;
    if (rc == MYCEL_E_FULL) {
        for (uint32_t i = 0; i < set->samples; i++) {
            class_counts[set->labels[i]]++;
        }
        struct draws draws = {seed, 0};
        for (uint32_t i = 0; i < PARTITION_DRAWS_MAX && rc == MYCEL_E_FULL; i++) {
            draw_cuts(&draws, (double)spec->alpha, class_counts, set->classes, parts, cuts, sizes);
            rc = all_at_least(sizes, parts, least) ? MYCEL_OK : MYCEL_E_FULL;
        }
    }
    if (rc == 0) {
        rc = collect(set, order, cuts, parts, part, sizes[part], indices, count);
    }
    free(class_counts);
    free(cuts);
    free(sizes);
    return rc;
}

int partition_indices(const struct dataset *set, const struct partition_spec *spec, uint32_t parts,
                      uint32_t part, uint32_t least, uint64_t seed, uint32_t **indices,
                      uint32_t *count)
{
    *indices = NULL;
    *count = 0;
    if (parts == 0 || parts > PARTITION_PARTS_MAX || part >= parts ||
        (spec->kind == PARTITION_DIRICHLET && (!set->labels || !(spec->alpha > 0)))) {
        return MYCEL_E_INVALID;
    }
    uint32_t *order = malloc((set->samples + 1u) * sizeof *order);
    if (!order) {
        return MYCEL_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < set->samples; i++) {
        order[i] = i;
    }
    shuffle(order, set->samples, seed);
    int rc = spec->kind == PARTITION_IID
                 ? iid(order, set->samples, parts, part, least, indices, count)
                 : dirichlet(set, spec, order, parts, part, least, seed, indices, count);
    free(order);
    return rc;
}
