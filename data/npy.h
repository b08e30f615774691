/*
 * NumPy arrays: .npy files (format 1.0, 2.0 and 3.0) and the members of .npz archives. Owns the header's
 * reading and the values' conversion; any bytes are answered with an array or a reason.
 */
#ifndef MYCEL_DATA_NPY_H
#define MYCEL_DATA_NPY_H

#include "data/dataset.h"

#include <stdbool.h>

#define NPY_DIMS_MAX 8u
#define NPY_HEADER_BYTES_MAX 65535u

/* Little endian, in C order. */
enum npy_type {
    NPY_U8,  /* u1, and b1: booleans are 0 and 1 */
    NPY_I8,  /* i1 */
    NPY_I16, /* i2 */
    NPY_U16, /* u2 */
    NPY_I32, /* i4 */
    NPY_U32, /* u4 */
    NPY_I64, /* i8 */
    NPY_U64, /* u8 */
    NPY_F32, /* f4 */
    NPY_F64  /* f8 */
};

struct npy_array {
    enum npy_type type;
    uint32_t dims; /* 0: one value */
    uint64_t shape[NPY_DIMS_MAX];
    uint64_t count;        /* values: the shape's product */
    const uint8_t *values; /* in the parsed bytes, not aligned */
};

/* Reads a header and checks that all values are there. 0; MALFORMED, UNSUPPORTED (type, byte or axis
 * order), TOO_LARGE, with a reason in *why (a constant text). */
int npy_parse(const uint8_t *bytes, size_t size, struct npy_array *out, const char **why);

/* The i-th value, rounded to binary32. */
float npy_value(const struct npy_array *array, uint64_t i);

/* Whether a name means an array: it ends in .npy or .npz, or has .npz:NAME. */
bool npy_is_name(const char *name);

/*
 * Reads inputs and labels as dataset.h says. Inputs are samples × anything; bytes stay bytes, all other
 * types become binary32. samples × height × width (× channels, which come last) is an image. Labels are
 * (samples) or (samples × 1).
 * As npy_parse, and NOT_FOUND, PERMISSION, IO, SHAPE, MALFORMED (values that are not finite, or no
 * labels), NO_MEMORY. `problem` names the file.
 */
int dataset_read_npy(const struct dataset_source *source, struct dataset *out, char *problem);

#endif
