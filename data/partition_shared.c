/* Fleets with more parts than their data can tell apart: parts draw samples with replacement. */
#include "data/partition_internal.h"

#include <mycel/error.h>
#include <stdlib.h>

struct sharing {
    struct cut *cut;
    uint32_t size; /* samples of the part at hand */
    struct buckets b;
    uint32_t classes; /* LABELS: that have samples */
    uint32_t *present;
    uint32_t *deck;
    uint32_t *chosen;
    double *weights; /* DIRICHLET: of the classes, summed up; QUANTITY: of the parts */
};

/* The i-th draw of a part, below `bound`. */
static uint32_t pick(const struct sharing *s, uint32_t part, uint32_t i, uint32_t bound)
{
    return rng_below(s->cut->seed, STREAM_SHARED, ((uint64_t)part << 32) + i, bound);
}

static uint32_t pick_of_class(const struct sharing *s, uint32_t part, uint32_t i, uint32_t class)
{
    uint32_t first = s->b.first[class];
    uint32_t at = first + pick(s, part, i, s->b.first[class + 1u] - first);
    return s->cut->order[s->b.positions[at]];
}

static void draw_any(struct sharing *s, uint32_t part, uint32_t *to)
{
    for (uint32_t i = 0; i < s->size; i++) {
        to[i] = pick(s, part, i, s->cut->set->samples);
    }
}

static void draw_by_shares(struct sharing *s, uint32_t part, uint32_t *to)
{
    struct draws draws = {s->cut->seed, STREAM_SHARED_SHARES, (uint64_t)part << 32};
    double sum = 0;
    for (uint32_t k = 0; k < s->b.classes; k++) {
        double gamma = draw_gamma(&draws, (double)s->cut->spec->alpha);
        sum += gamma * (s->b.first[k + 1u] - s->b.first[k]);
        s->weights[k] = sum;
    }
    for (uint32_t i = 0; i < s->size; i++) {
        double at = draw_uniform(&draws) * sum;
        uint32_t k = 0;
        while (k + 1u < s->b.classes && !(at < s->weights[k])) {
            k++;
        }
        /* Only where all shares underflowed can this be a class without samples. */
        bool empty = s->b.first[k + 1u] == s->b.first[k];
        to[i] = empty ? pick(s, part, i, s->cut->set->samples) : pick_of_class(s, part, i, k);
    }
}

static void draw_shards(struct sharing *s, uint32_t part, uint32_t *to)
{
    uint64_t samples = s->cut->set->samples;
    uint64_t k = s->cut->spec->k;
    uint32_t n = 0;
    for (uint32_t shard = 0; shard < k && n < s->size; shard++) {
        uint32_t end = (uint32_t)(s->size * (shard + 1u) / k);
        uint64_t at = pick(s, part, shard, (uint32_t)samples);
        for (; n < end; n++, at++) {
            to[n] = s->cut->order[s->b.positions[at % samples]];
        }
    }
}

static void draw_labels(struct sharing *s, uint32_t part, uint32_t *to)
{
    uint32_t k = s->cut->spec->k;
    choose_classes(s->cut->seed, part, k, s->deck, s->classes, s->chosen);
    for (uint32_t i = 0; i < s->size; i++) {
        to[i] = pick_of_class(s, part, i, s->present[s->chosen[i % k]]);
    }
}

static void (*const draw[])(struct sharing *, uint32_t part, uint32_t *to) = {
    [PARTITION_IID] = draw_any,       [PARTITION_DIRICHLET] = draw_by_shares,
    [PARTITION_SHARDS] = draw_shards, [PARTITION_LABELS] = draw_labels,
    [PARTITION_QUANTITY] = draw_any,
};

/* What the kind needs besides the order. */
static int prepare(struct sharing *s)
{
    struct cut *c = s->cut;
    enum partition_kind kind = c->spec->kind;
    int rc = MYCEL_OK;
    if (kind != PARTITION_IID && kind != PARTITION_QUANTITY) {
        rc = buckets_make(c, true, &s->b);
    }
    if (rc == 0 && kind == PARTITION_LABELS) {
        rc = list_present(c, &s->b, &s->present, &s->classes);
        s->deck = malloc(((size_t)s->classes + 1u) * sizeof *s->deck);
        s->chosen = malloc(c->spec->k * sizeof *s->chosen);
        if (rc == 0 && (s->deck == NULL || s->chosen == NULL)) {
            rc = cut_no_memory(c);
        }
        for (uint32_t i = 0; rc == 0 && i < s->classes; i++) {
            s->deck[i] = i;
        }
    }
    if (rc == 0 && (kind == PARTITION_DIRICHLET || kind == PARTITION_QUANTITY)) {
        size_t count = kind == PARTITION_QUANTITY ? c->parts : s->b.classes;
        s->weights = malloc((count + 1u) * sizeof *s->weights);
        rc = s->weights != NULL ? MYCEL_OK : cut_no_memory(c);
    }
    return rc;
}

/* QUANTITY: as many samples again as all have at least, by shares. */
static void grow_sizes(struct sharing *s, uint32_t least)
{
    struct cut *c = s->cut;
    struct draws draws = {c->seed, STREAM_SHARED_SHARES, 0};
    double sum = 0;
    for (uint32_t p = 0; p < c->parts; p++) {
        s->weights[p] = draw_gamma(&draws, (double)c->spec->alpha);
        sum += s->weights[p];
    }
    double more = (double)least * c->parts;
    double before = 0;
    uint32_t given = 0;
    for (uint32_t p = 0; p < c->parts; p++) {
        before += s->weights[p];
        uint32_t upto = sum > 0 ? (uint32_t)(before / sum * more) : 0;
        c->out->offsets[p + 1u] = c->out->offsets[p] + least + (upto - given);
        given = upto;
    }
}

int cut_shared(struct cut *c)
{
    struct sharing s = {.cut = c};
    uint32_t least = c->least > 0 ? c->least : 1u;
    bool quantity = c->spec->kind == PARTITION_QUANTITY;
    int rc = prepare(&s);
    rc = rc < 0 ? rc : cut_allocate(c, (uint64_t)c->parts * least * (quantity ? 2u : 1u));
    if (rc == 0 && quantity) {
        grow_sizes(&s, least);
    }
    for (uint32_t part = 0; rc == 0 && part < c->parts; part++) {
        if (!quantity) {
            c->out->offsets[part + 1u] = (part + 1u) * least;
        }
        s.size = c->out->offsets[part + 1u] - c->out->offsets[part];
        draw[c->spec->kind](&s, part, c->out->indices + c->out->offsets[part]);
    }
    buckets_free(&s.b);
    free(s.present);
    free(s.deck);
    free(s.chosen);
    free(s.weights);
    return rc;
}
