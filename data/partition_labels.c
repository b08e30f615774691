/* Partitions in which a part sees few classes: shards of the sorted set, and a fixed number of labels. */
#include "common/assert.h"
#include "data/partition_internal.h"

#include <mycel/error.h>
#include <stdlib.h>

/* McMahan et al. 2017: sort by label, cut into parts × k runs, deal k to each part. */
int assign_shards(struct cut *c)
{
    uint64_t samples = c->set->samples;
    uint64_t wanted = (uint64_t)c->parts * c->spec->k;
    if (wanted > samples) {
        return cut_fail(c, MYCEL_E_FULL, "%u shards for each of %u parts are more than %u samples",
                        c->spec->k, c->parts, c->set->samples);
    }
    uint32_t shards = (uint32_t)wanted;
    struct buckets b = {.classes = 0};
    uint32_t *deck = malloc(shards * sizeof *deck);
    int rc = deck != NULL ? buckets_make(c, true, &b) : cut_no_memory(c);
    for (uint32_t i = 0; rc == 0 && i < shards; i++) {
        uint32_t k = rng_below(c->seed, STREAM_SHARDS, i, i + 1u);
        deck[i] = deck[k]; /* the inside-out shuffle of 0, 1, 2… */
        deck[k] = i;
    }
    for (uint32_t i = 0; rc == 0 && i < shards; i++) {
        uint32_t from = (uint32_t)(samples * deck[i] / shards);
        uint32_t to = (uint32_t)(samples * (deck[i] + 1u) / shards);
        for (uint32_t j = from; j < to; j++) {
            c->owners[b.positions[j]] = i / c->spec->k;
        }
    }
    free(deck);
    buckets_free(&b);
    return rc;
}

static void swap(uint32_t *values, uint32_t a, uint32_t b)
{
    uint32_t keep = values[a];
    values[a] = values[b];
    values[b] = keep;
}

void choose_classes(uint64_t seed, uint32_t part, uint32_t k, uint32_t *deck, uint32_t classes,
                    uint32_t *chosen)
{
    MYCEL_ASSERT(k >= 1 && k <= classes);
    uint64_t counter = (uint64_t)part * PARTITION_PER_PART_MAX;
    for (uint32_t i = 0; i < k; i++) {
        uint32_t drawn = i + rng_below(seed, STREAM_CLASSES, counter + i, classes - i);
        uint32_t at = i > 0 ? drawn : part % classes;
        swap(deck, i, at);
        chosen[i] = at; /* for now, to be able to swap back */
    }
    for (uint32_t i = k; i > 0; i--) {
        uint32_t at = chosen[i - 1u];
        chosen[i - 1u] = deck[i - 1u];
        swap(deck, i - 1u, at);
    }
}

int list_present(struct cut *c, const struct buckets *b, uint32_t **present, uint32_t *count)
{
    *count = 0;
    *present = malloc(((size_t)b->classes + 1u) * sizeof **present);
    if (*present == NULL) {
        return cut_no_memory(c);
    }
    for (uint32_t k = 0; k < b->classes; k++) {
        if (b->first[k + 1u] > b->first[k]) {
            (*present)[(*count)++] = k;
        }
    }
    return *count >= c->spec->k
               ? MYCEL_OK
               : cut_fail(c, MYCEL_E_INVALID, "a part cannot see %u labels where the set has %u",
                          c->spec->k, *count);
}

struct choice {
    uint32_t classes; /* that have samples */
    uint32_t *present;
    uint32_t *deck;
    uint32_t *chosen; /* k, of one part */
    uint32_t *takers; /* parts that chose a class */
    uint32_t *served; /* … and already have theirs */
};

/* Part after part takes the next of its classes' equal pieces. */
static void serve(struct cut *c, const struct buckets *b, struct choice *x)
{
    uint32_t k = c->spec->k;
    for (uint32_t part = 0; part < c->parts; part++) {
        choose_classes(c->seed, part, k, x->deck, x->classes, x->chosen);
        for (uint32_t i = 0; i < k; i++) {
            x->takers[x->chosen[i]]++;
        }
    }
    for (uint32_t part = 0; part < c->parts; part++) {
        choose_classes(c->seed, part, k, x->deck, x->classes, x->chosen);
        for (uint32_t i = 0; i < k; i++) {
            uint32_t class = x->chosen[i];
            const uint32_t *positions = b->positions + b->first[x->present[class]];
            uint64_t count = b->first[x->present[class] + 1u] - b->first[x->present[class]];
            uint32_t turn = x->served[class]++;
            uint32_t takers = x->takers[class];
            MYCEL_ASSERT(takers > turn && takers > 0);
            uint64_t to = count * (turn + 1u) / takers;
            for (uint64_t j = count * turn / takers; j < to; j++) {
                c->owners[positions[j]] = part;
            }
        }
    }
}

int assign_labels(struct cut *c)
{
    struct buckets b = {.classes = 0};
    struct choice x = {.classes = 0};
    int rc = buckets_make(c, true, &b);
    rc = rc < 0 ? rc : list_present(c, &b, &x.present, &x.classes);
    if (rc == 0) {
        x.deck = malloc((x.classes + 1u) * sizeof *x.deck);
        x.chosen = malloc(c->spec->k * sizeof *x.chosen);
        x.takers = calloc(x.classes + 1u, sizeof *x.takers);
        x.served = calloc(x.classes + 1u, sizeof *x.served);
        bool ok = x.deck != NULL && x.chosen != NULL && x.takers != NULL && x.served != NULL;
        rc = ok ? MYCEL_OK : cut_no_memory(c);
    }
    if (rc == 0) {
        for (uint32_t i = 0; i < x.classes; i++) {
            x.deck[i] = i;
        }
        serve(c, &b, &x);
    }
    free(x.present);
    free(x.deck);
    free(x.chosen);
    free(x.takers);
    free(x.served);
    buckets_free(&b);
    return rc;
}
