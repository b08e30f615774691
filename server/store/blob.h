/* Large values of a row, read in place: shared by the blobs and the spool. */
#ifndef SERVER_STORE_BLOB_H
#define SERVER_STORE_BLOB_H

#include "server/store/internal.h"

#define BLOB_PIECE_BYTES 65536u

struct blob {
    const char *table;
    const char *column;
    int64_t row;
    uint64_t stored; /* bytes of the row's value, of which it is a part */
    uint64_t at;     /* where it begins in that */
    uint64_t bytes;
    uint8_t sha256[PROTO_SHA256_BYTES]; /* that its content must have */
};

/* Reads all of it and checks it. NO_MEMORY: capacity is too small; CORRUPT. */
int blob_load(struct store *store, const struct blob *blob, void *data, size_t capacity,
              size_t *bytes);

/* Checks every blob against its name. CORRUPT at the first one that differs. */
int blob_check_all(struct store *store);

#endif
