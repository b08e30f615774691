/*
 * Blobs that the shell has just given out for any device: the blocks that follow, of whichever device,
 * are cut without asking again, on the worker that has the session. It must never keep one for longer
 * than a second after the shell's word, nor know what it is.
 */
#ifndef MYCEL_SERVER_NET_SHELF_H
#define MYCEL_SERVER_NET_SHELF_H

#include <stddef.h>
#include <stdint.h>

#include "server/net/net.h"

#define SHELF_PLACES 8u /* models in demand at one time; more take turns */
#define SHELF_MS 1000u

struct shelf_item {
    struct net_blob *blob; /* NULL: a free place */
    int32_t content_format;
    uint64_t until_ms;
    uint8_t path_bytes;
    char path[NET_PATH_BYTES_MAX]; /* segments, each with its NUL */
};

struct shelf {
    struct shelf_item item[SHELF_PLACES];
    unsigned next; /* to give way */
};

/* Keeps a reference to the response's blob for those who ask for `path`. */
void shelf_put(struct shelf *shelf, const char *path, size_t path_bytes,
               const struct net_response *response, uint64_t now_ms);

/* NULL when the shell has to be asked. */
const struct shelf_item *shelf_find(const struct shelf *shelf, const char *path, size_t path_bytes,
                                    uint64_t now_ms);

/* Gives back what is too old. */
void shelf_expire(struct shelf *shelf, uint64_t now_ms);

void shelf_clear(struct shelf *shelf);

#endif
