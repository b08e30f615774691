/* What the kinds of partitions share. Only data/partition*.c include this. */
#ifndef MYCEL_DATA_PARTITION_INTERNAL_H
#define MYCEL_DATA_PARTITION_INTERNAL_H

#include "common/rng.h"
#include "data/partition.h"

#include <mycel/error.h>
#include <stddef.h>

#define STREAM_SHUFFLE 101u
#define STREAM_SHARES 102u
#define STREAM_SHARDS 103u
#define STREAM_CLASSES 104u
#define STREAM_SHARED 105u        /* which samples a part draws with replacement */
#define STREAM_SHARED_SHARES 106u /* … and its class shares */

#define PARTITION_NOBODY UINT32_MAX

/* A partition under way. Positions are places in the shuffled order; each belongs to one part. */
struct cut {
    const struct dataset *set;
    const struct partition_spec *spec;
    uint32_t parts;
    uint32_t least;
    uint64_t seed;
    uint32_t *order;  /* samples, shuffled */
    uint32_t *owners; /* by position; PARTITION_NOBODY: left out */
    struct partition *out;
};

/* Positions in the shuffled order, class by class: class k has positions[first[k]] … up to first[k+1]. */
struct buckets {
    uint32_t classes;
    uint32_t *first; /* classes + 1 */
    uint32_t *positions;
};

/* Writes out->problem and returns `code`. */
int cut_fail(struct cut *c, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static inline int cut_no_memory(struct cut *c)
{
    (void)cut_fail(c, MYCEL_E_NO_MEMORY, "no memory to deal %u samples out to %u parts",
                   c->set->samples, c->parts);
    return MYCEL_E_NO_MEMORY;
}

/* Makes room for `total` indices; offsets are zeroed. TOO_LARGE, NO_MEMORY. */
int cut_allocate(struct cut *c, uint64_t total);

/* By label, or everything as one class. NO_MEMORY. */
int buckets_make(struct cut *c, bool by_label, struct buckets *out);
void buckets_free(struct buckets *b);

/* A stream of uniform numbers. */
struct draws {
    uint64_t seed;
    uint64_t stream;
    uint64_t counter;
};

double draw_uniform(struct draws *draws);             /* in (0, 1) */
double draw_gamma(struct draws *draws, double shape); /* Gamma(shape, 1), shape > 0 */

/* The k classes of a part, different from each other: the first is part mod classes, so that every
 * class has parts as soon as there are enough of them. deck[classes] counts 0, 1, 2… and does so again
 * afterwards. */
void choose_classes(uint64_t seed, uint32_t part, uint32_t k, uint32_t *deck, uint32_t classes,
                    uint32_t *chosen);

/* The classes that have samples. NO_MEMORY. INVALID: fewer than spec->k, whose reason is reported. */
int list_present(struct cut *c, const struct buckets *b, uint32_t **present, uint32_t *count);

/* One for each kind: give every position its owner. */
int assign_iid(struct cut *c);
int assign_shares(struct cut *c); /* DIRICHLET, QUANTITY */
int assign_shards(struct cut *c);
int assign_labels(struct cut *c);

/* Fill c->out whole. */
int cut_shared(struct cut *c);                 /* with replacement; not FILE, COLUMN */
int cut_listed(struct cut *c, bool may_share); /* FILE, COLUMN */
int count_lists(struct cut *c);                /* FILE */

#endif
