/*
 * Writes NumPy's .npz: a ZIP archive (stored, no compression) of .npy files (format 1.0). It must
 * know nothing of models. Sources: PKWARE APPNOTE 6.3 §4.3, numpy.lib.format.
 */
#ifndef MYCEL_SERVER_CLI_NPZ_H
#define MYCEL_SERVER_CLI_NPZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define NPZ_ENTRIES_MAX 512u
#define NPZ_NAME_BYTES_MAX 64u
#define NPZ_RANK_MAX 4u

struct npz_entry {
    char name[NPZ_NAME_BYTES_MAX];
    uint32_t crc32;
    uint32_t bytes;
    uint32_t offset;
};

/* An archive being written to a seekable or plain stream; opaque outside npz.c. */
struct npz {
    FILE *out;
    uint64_t offset;
    size_t count;
    struct npz_entry entries[NPZ_ENTRIES_MAX];
};

void npz_begin(struct npz *z, FILE *out);

/* Adds an array of little-endian binary32 values in C order; dims[0…rank-1], outermost first; rank 0
 * is a scalar. 0; MYCEL_E_FULL, MYCEL_E_TOO_LARGE (archive over 4 GiB), MYCEL_E_INVALID (name, rank),
 * MYCEL_E_IO. Blocks on the stream. */
int npz_add_f32(struct npz *z, const char *name, const uint32_t *dims, size_t rank,
                const uint8_t *values, size_t bytes);

/* Adds a text as a zero-dimensional array of Unicode characters (ASCII only). Errors as above. */
int npz_add_text(struct npz *z, const char *name, const char *text);

/* Writes the directory; the stream stays open. 0, MYCEL_E_IO. */
int npz_end(struct npz *z);

#endif
