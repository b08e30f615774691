/*
 * Labelled samples from files, for hosts: the coordinator's held-out set, an edge client's training
 * set, a simulated fleet. Owns reading and checking; it must never train. Values stay bytes where the
 * file has bytes: scaling belongs to the trainer.
 */
#ifndef MYCEL_DATA_DATASET_H
#define MYCEL_DATA_DATASET_H

#include <stddef.h>
#include <stdint.h>

#define DATASET_SAMPLES_MAX 100000000u
#define DATASET_FEATURES_MAX (1u << 24)
#define DATASET_BYTES_MAX ((size_t)16 << 30)
#define DATASET_CLASSES_MAX 65536u
#define DATASET_PROBLEM_BYTES 256 /* a message for a person, with its NUL */

enum dataset_type { DATASET_U8, DATASET_F32 };

struct dataset {
    enum dataset_type type;
    uint32_t samples;
    uint32_t features; /* values per sample, row-major */
    uint32_t height;   /* of an image; 1 for flat data */
    uint32_t width;    /* of an image; `features` for flat data */
    uint32_t classes;  /* largest label + 1; 0: targets instead of labels */
    void *inputs;      /* samples × features of `type` */
    uint32_t *labels;  /* one per sample; NULL: targets */
    float *targets;    /* one per sample, for regression; NULL: labels */
};

enum dataset_target { DATASET_LABELS, DATASET_TARGETS };

/*
 * Reads an IDX image file (magic 0x0803, bytes) and its label file (magic 0x0801), each plain or
 * gzipped (LeCun's format, as MNIST and Fashion-MNIST use it). On failure *out is zeroed and `problem`
 * (DATASET_PROBLEM_BYTES, may be NULL) names file and reason.
 * NOT_FOUND, IO, MALFORMED, TOO_LARGE, SHAPE (numbers of images and labels differ), NO_MEMORY.
 */
int dataset_read_idx(const char *images, const char *labels, struct dataset *out, char *problem);

/*
 * Reads comma-separated numbers: one sample a line, the last column is the label (a whole number ≥ 0) or
 * the target. A first line that is not numeric is a header. Blank lines are skipped.
 * MALFORMED names line and column.
 */
int dataset_read_csv(const char *path, enum dataset_target target, struct dataset *out,
                     char *problem);

/* By the names' endings: two files are IDX, one is CSV (`labels` NULL). */
int dataset_read(const char *inputs, const char *labels, struct dataset *out, char *problem);

/* A small task for machines without a data set: `classes` noisy blobs on a height × width image, the
 * same for the same seed everywhere. `stream` separates training and held-out samples. NO_MEMORY. */
int dataset_make(uint32_t samples, uint32_t height, uint32_t width, uint32_t classes, uint64_t seed,
                 uint64_t stream, struct dataset *out);

/* A new set with the given samples of another, in that order. NO_MEMORY; INVALID (an index). */
int dataset_pick(const struct dataset *from, const uint32_t *indices, uint32_t count,
                 struct dataset *out);

void dataset_free(struct dataset *set);

#endif
