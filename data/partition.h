/*
 * Which device has which samples. A partition is a function of (labels, parts, kind, seed): every
 * process that computes it gets the same one, so clients agree on disjoint slices without talking.
 * Owns the dealing out of sample numbers; it must never touch a sample's values (see skew.h).
 */
#ifndef MYCEL_DATA_PARTITION_H
#define MYCEL_DATA_PARTITION_H

#include "data/dataset.h"

#include <stdbool.h>

#define PARTITION_PARTS_MAX 1000000u
#define PARTITION_DRAWS_MAX 1000u         /* of a whole Dirichlet partition */
#define PARTITION_GAMMAS_MAX 20000000u    /* … and of its shares: some 4 s of one core */
#define PARTITION_INDICES_MAX 0x7FFFFFFFu /* of all parts together */
#define PARTITION_PER_PART_MAX 65536u     /* shards or labels of one part */

#define PARTITION_TEXT_MAX 32u /* characters of a form that the seed decides */

/* What partition_parse takes, for messages: what the seed decides, and that with what the data say. */
#define PARTITION_DRAWN_FORMS "iid, dirichlet:ALPHA, shards:K, labels:K or quantity:ALPHA"
#define PARTITION_FORMS                                                                            \
    "iid, dirichlet:ALPHA, shards:K, labels:K, quantity:ALPHA, file:PATH or column:NAME"

enum partition_kind {
    PARTITION_IID,       /* shuffled, equal sizes */
    PARTITION_DIRICHLET, /* each class is dealt out by shares ~ Dirichlet(alpha) (Hsu, Qi, Brown 2019) */
    PARTITION_SHARDS, /* sorted by label and cut into parts × k shards, k a part (McMahan 2017) */
    PARTITION_LABELS, /* each part sees k classes; who shares a class divides it (Li et al. 2022) */
    PARTITION_QUANTITY, /* shuffled, sizes ~ Dirichlet(alpha) (Li et al. 2022) */
    PARTITION_FILE,     /* listed: one part's sample numbers a line */
    PARTITION_COLUMN    /* natural: each distinct value of an id column is one part */
};

struct partition_spec {
    enum partition_kind kind;
    float alpha;      /* DIRICHLET, QUANTITY: > 0 */
    uint32_t k;       /* SHARDS, LABELS: 1 … PARTITION_PER_PART_MAX */
    const char *text; /* FILE: its path; COLUMN: name or number; points into the parsed text */
};

/* A whole fleet's partition: part p has indices[offsets[p]] … indices[offsets[p + 1] - 1]. */
struct partition {
    uint32_t parts;
    bool shared;       /* parts have samples in common */
    uint32_t *offsets; /* parts + 1 */
    uint32_t *indices;
    char problem[DATASET_PROBLEM_BYTES]; /* after a failure: what is wrong, for a person */
};

/* Reads one of PARTITION_FORMS; `text` must outlive the spec. 0 or INVALID. */
int partition_parse(const char *text, struct partition_spec *spec);

/*
 * Deals the set out to `parts` parts, each sample to at most one (to exactly one in IID, DIRICHLET,
 * SHARDS and QUANTITY), at least `least` to each; O(samples + parts) memory. DIRICHLET draws
 * its shares again, up to PARTITION_DRAWS_MAX times, until that holds. FILE and COLUMN take the first
 * `parts` of the lists or values as they are, whatever `least` says; lists of a FILE may overlap.
 * 0, then partition_free() is due; on failure *out holds only `problem`: INVALID (no labels where they
 * are needed, no id column, parts, alpha, k), FULL (`least` not met, or too few lists or values),
 * TOO_LARGE, NO_MEMORY; of a FILE also NOT_FOUND, PERMISSION, IO, MALFORMED (names line and column).
 */
int partition_disjoint(const struct dataset *set, const struct partition_spec *spec, uint32_t parts,
                       uint32_t least, uint64_t seed, struct partition *out);

/*
 * The same for a simulated fleet, which may be larger than its data. Where parts × max(least, 1)
 * exceeds the samples, or a DIRICHLET partition never gives every part its least, each part draws its
 * own samples with replacement, in the style of its kind:
 *   IID        `least` samples, any
 *   DIRICHLET  `least` samples by class shares ∝ class size × Gamma(alpha), drawn for each part
 *   SHARDS     k runs of the set sorted by label, at random places, `least` samples together
 *   LABELS     `least` samples, evenly from its k classes
 *   QUANTITY   `least` samples and a share ~ Dirichlet(alpha) of parts × least more
 * and part p beyond the lists of a FILE or the values of a COLUMN has the samples of p mod their number.
 * Otherwise the result is that of partition_disjoint, bit for bit. `shared` tells which.
 */
int partition_all(const struct dataset *set, const struct partition_spec *spec, uint32_t parts,
                  uint32_t least, uint64_t seed, struct partition *out);

/* Whether the data itself, and no seed, says who has what: FILE, COLUMN. */
static inline bool partition_is_natural(const struct partition_spec *spec)
{
    return spec->kind == PARTITION_FILE || spec->kind == PARTITION_COLUMN;
}

/* How many parts the data itself names: lists of a FILE, values of a COLUMN; 0 for the other kinds.
 * <0 as partition_disjoint; `problem` (DATASET_PROBLEM_BYTES) says why. */
int partition_natural(const struct dataset *set, const struct partition_spec *spec, char *problem);

/* Releases what a successful call left in it, and zeroes it. */
void partition_free(struct partition *partition);

#endif
