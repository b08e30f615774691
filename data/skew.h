/*
 * Feature skew: what makes one device's samples look different from another's, as tilted cameras and
 * noisy sensors do. A function of (seed, part, sample); labels stay. Owns the transform and its text.
 */
#ifndef MYCEL_DATA_SKEW_H
#define MYCEL_DATA_SKEW_H

#include "data/dataset.h"

#define SKEW_DEGREES_MAX 180.0f
#define SKEW_NOISE_MAX 10.0f

struct skew_spec {
    float rotate; /* degrees: a part's images are turned by its own angle from -rotate to rotate */
    float noise;  /* of full scale: a part's noise has its own deviation from 0 to that */
};

/* What one part's samples go through. */
struct skew {
    uint64_t seed;
    uint32_t part;
    float degrees; /* counter-clockwise */
    float noise;   /* standard deviation, of full scale */
};

/* Reads "rotate=DEGREES,noise=SHARE", either alone, with or without "skew:" before it, or "none".
 * 0 or INVALID; `problem` (DATASET_PROBLEM_BYTES, may be NULL) names the column. */
int skew_parse(const char *text, struct skew_spec *spec, char *problem);

/* The part's own angle and noise, drawn uniformly. */
struct skew skew_of_part(const struct skew_spec *spec, uint64_t seed, uint32_t part);

/*
 * Transforms all samples of a part's set in place; sample i must always be the part's i-th. Images are
 * turned about their centre with bilinear sampling, 0 outside; noise is a sum of four uniform draws
 * (bell-shaped, within ±3.46 deviations), full scale is 255 for bytes, which saturate, and 1 for floats.
 * 0; INVALID: flat samples cannot be turned; NO_MEMORY.
 */
int skew_apply(const struct skew *skew, struct dataset *samples);

#endif
