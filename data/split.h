/*
 * Training, validation and test samples of one device. Owns the dealing out of sample numbers within a
 * part; it must never move one to another part.
 */
#ifndef MYCEL_DATA_SPLIT_H
#define MYCEL_DATA_SPLIT_H

#include "data/partition.h"

enum split_share { SPLIT_TRAIN, SPLIT_VALIDATION, SPLIT_TEST, SPLIT_SHARES };

struct split_spec {
    uint16_t permille[SPLIT_SHARES]; /* 1000 together; at least 1 for training */
};

/* Reads "TRAIN/VALIDATION/TEST" in permille, e.g. "800/100/100". 0 or INVALID; `problem`
 * (DATASET_PROBLEM_BYTES, may be NULL) names the column. */
int split_parse(const char *text, struct split_spec *spec, char *problem);

/* How many of `count` samples each share gets: validation and test rounded down, training the rest, so at
 * least one where there is one. */
void split_sizes(const struct split_spec *spec, uint32_t count, uint32_t sizes[SPLIT_SHARES]);

/*
 * Reorders each part's indices by (seed, part), so that its first are for training, then validation,
 * then test, as many as split_sizes() says. With nothing but training samples the order stays. In a
 * shared partition a sample may be drawn more than once and so stand on both sides.
 */
void split_all(const struct split_spec *spec, uint64_t seed, struct partition *partition);

#endif
