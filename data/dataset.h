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
    uint32_t *groups;  /* value of the id column per sample, numbered as first met; NULL: none */
    uint32_t groups_count;
};

enum dataset_target {
    DATASET_LABELS,  /* whole numbers from 0 to DATASET_CLASSES_MAX - 1; else MALFORMED */
    DATASET_TARGETS, /* any finite number */
    DATASET_EITHER   /* labels where all are such whole numbers, else targets */
};

/* Where samples are. Texts are only read during the call. */
struct dataset_source {
    const char *inputs;
    const char *labels; /* NULL: in the same file */
    enum dataset_target target;
    const char *id_column; /* CSV: its name, or its number from 1; fills `groups`; NULL: none */
};

/*
 * Reads an IDX image file (magic 0x0803, bytes) and its label file (magic 0x0801), each plain or
 * gzipped (LeCun's format, as MNIST and Fashion-MNIST use it). On failure *out is zeroed and `problem`
 * (DATASET_PROBLEM_BYTES, may be NULL) names file and reason.
 * NOT_FOUND, IO, MALFORMED, TOO_LARGE, SHAPE (numbers of images and labels differ), NO_MEMORY.
 */
int dataset_read_idx(const char *images, const char *labels, struct dataset *out, char *problem);

/*
 * Reads comma-separated numbers: one sample a line, the last column is the label or the target. A first
 * line that is not numeric is a header. Blank lines are skipped. The id column may hold any text without
 * commas and is no feature. MALFORMED names line and column; NOT_FOUND also: no such id column.
 */
int dataset_read_csv(const struct dataset_source *source, struct dataset *out, char *problem);

/*
 * Reads a source by its names' endings (a set's file formats are those of docs/DATA.md):
 *   inputs X.npy, labels Y.npy           one array a file (data/npy.h)
 *   inputs F.npz, labels NULL            the first pair of arrays with usual names, as x and y
 *   inputs F.npz:NAME, labels G.npz:NAME arrays by name; either may be a .npy
 *   two other files                      IDX
 *   one other file                       CSV
 * On failure *out is zeroed and `problem` (DATASET_PROBLEM_BYTES, may be NULL) says why. INVALID: an id
 * column where there are none; else as the format's reader.
 */
int dataset_read_from(const struct dataset_source *source, struct dataset *out, char *problem);

/* dataset_read_from() for classes. */
int dataset_read(const char *inputs, const char *labels, struct dataset *out, char *problem);

/* A small task for machines without a data set: `classes` noisy blobs on a height × width image, the
 * same for the same seed everywhere. `stream` separates training and held-out samples. NO_MEMORY. */
int dataset_make(uint32_t samples, uint32_t height, uint32_t width, uint32_t classes, uint64_t seed,
                 uint64_t stream, struct dataset *out);

/* A new set with the given samples of another, in that order, without groups. NO_MEMORY; INVALID (an
 * index). */
int dataset_pick(const struct dataset *from, const uint32_t *indices, uint32_t count,
                 struct dataset *out);

void dataset_free(struct dataset *set);

#endif
