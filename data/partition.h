/*
 * Which device has which samples. A partition is a function of (labels, parts, kind, seed): every
 * process that computes it gets the same one, so clients agree on disjoint slices without talking.
 */
#ifndef MYCEL_DATA_PARTITION_H
#define MYCEL_DATA_PARTITION_H

#include "data/dataset.h"

#define PARTITION_PARTS_MAX 1000000u
#define PARTITION_DRAWS_MAX 1000u

enum partition_kind {
    PARTITION_IID,      /* shuffled, equal sizes */
    PARTITION_DIRICHLET /* class shares of each part ~ Dirichlet(alpha) (Hsu, Qi, Brown 2019) */
};

struct partition_spec {
    enum partition_kind kind;
    float alpha; /* DIRICHLET: > 0 */
};

/* Reads "iid" or "dirichlet:ALPHA". 0 or INVALID. */
int partition_parse(const char *text, struct partition_spec *spec);

/*
 * Computes part `part` of `parts`: *indices (from malloc, the caller frees it) and its length. Each
 * sample belongs to exactly one part. In DIRICHLET partitions shares are drawn again, up to
 * PARTITION_DRAWS_MAX times, until every part has at least `least` samples.
 * INVALID: part ≥ parts, no labels where they are needed, alpha; NO_MEMORY; FULL: `least` not met.
 */
int partition_indices(const struct dataset *set, const struct partition_spec *spec, uint32_t parts,
                      uint32_t part, uint32_t least, uint64_t seed, uint32_t **indices,
                      uint32_t *count);

#endif
