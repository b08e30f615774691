/*
 * Partial uploads: bodies that arrive in blocks, in any order, at any block size, over any number of
 * sessions. It owns the bytes until the body is complete, the budgets, and the expiry. It must never
 * know CoAP or the peer: upload.c translates.
 *
 *             body_table_add              body_take                     body_table_remove
 *  (nothing) ----------------> PARTIAL -----------------> HANDED_OVER ------------------> (nothing)
 *                               | ^                            |             ^
 *                               | +------- body_return --------+             |
 *                               +------ expiry, eviction, kick --------------+
 *
 * PARTIAL:     `data` holds `size` bytes, of which `have` says the present ones; counted in both
 *              budgets; in the idle queue, longest idle first.
 * HANDED_OVER: complete; the bytes belong to the shell; not in the budgets nor the queue; exactly one
 *              waiting request refers to it, and removes it.
 */
#ifndef MYCEL_SERVER_NET_BODY_H
#define MYCEL_SERVER_NET_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"
#include "server/net/net.h"

#define BODY_UNIT_BYTES 16u   /* the smallest CoAP block */
#define BODY_WORD_BYTES 1024u /* one 64-bit word of `have` is one largest block */
#define BODY_MISSING_MAX 32u  /* block numbers in one list, as in mycel.options */

enum body_state { BODY_PARTIAL, BODY_HANDED_OVER };

struct body {
    uint8_t state; /* enum body_state */
    uint64_t size;
    uint64_t units_missing;
    uint64_t active_ms;
    uint64_t first_gap; /* words of `have` below are full */
    uint64_t *have;     /* one bit for each unit */
    uint8_t *data;
    uint16_t block_bytes; /* size of the latest block */
    uint8_t path_bytes;
    char path[NET_PATH_BYTES_MAX];
    char identity[PROTO_IDENTITY_BYTES_MAX + 1];
    struct body *chain; /* same hash bucket */
    struct body *older;
    struct body *newer;
};

struct body_limits {
    uint64_t device_bytes;
    uint64_t total_bytes;
    uint32_t expiry_ms;
};

struct body_table {
    struct body_limits limits;
    struct body **bucket;
    uint64_t secret;
    uint64_t reserved_bytes;              /* of all partial bodies, book-keeping included */
    _Atomic uint64_t *all_reserved_bytes; /* of all tables with a common budget; NULL: this alone */
    uint32_t partial;
    struct body *oldest;
    struct body *newest;
};

/* Which body: who sends it, and to which path (segments, each with its NUL). */
struct body_key {
    const char *identity;
    const char *path;
    size_t path_bytes; /* at most NET_PATH_BYTES_MAX */
};

struct body_limits body_limits_of(const struct net_config *config);

/* Errors: NO_MEMORY. */
int body_table_init(struct body_table *table, const struct body_limits *limits, uint64_t secret);

/* Frees all bodies, also those handed over. `all_reserved_bytes` may be gone already. */
void body_table_deinit(struct body_table *table);

struct body *body_table_find(const struct body_table *table, const struct body_key *key);

/* Reserves a body of `size` bytes. A device that exceeds its own budget or number of bodies loses its
 * longest idle ones, counted in *evicted; nobody ever loses another device's. Errors: BUSY when the
 * total budget is used up (expiry will free some), TOO_LARGE when it can never fit, NO_MEMORY. */
int body_table_add(struct body_table *table, const struct body_key *key, uint64_t size,
                   uint64_t now_ms, struct body **out, unsigned *evicted);

/* Forgets one body. */
void body_table_remove(struct body_table *table, struct body *body);

/* Forgets the partial bodies of a device. */
void body_table_forget(struct body_table *table, const char *identity);

/* Forgets partial bodies that were idle for too long; returns how many. Clocks of callers on different
 * threads may differ by some milliseconds. */
unsigned body_table_expire(struct body_table *table, uint64_t now_ms);

/* Stores a block; one that is already there is not written again. `offset` is a multiple of the block
 * size, `count` at most the block size, offset + count at most `size`, and a block shorter than
 * BODY_UNIT_BYTES multiples ends the body. */
void body_store(struct body_table *table, struct body *body, uint64_t offset, const uint8_t *bytes,
                uint32_t count, uint64_t now_ms);

bool body_is_complete(const struct body *body);

/* The lowest missing blocks of `block_bytes` bytes; returns how many were written to `out`. */
unsigned body_missing(struct body *body, uint32_t block_bytes, uint32_t out[BODY_MISSING_MAX]);

/* Encodes the UploadStatus of a body: what is missing of it, in blocks of the size that came last. NULL: nothing
 * is known of it. Returns the bytes written; NO_MEMORY when `capacity` is too small. */
int body_status(struct body *body, uint8_t *out, size_t capacity);

/* Hands the bytes of a complete body over: PARTIAL -> HANDED_OVER. The caller frees them. Never NULL,
 * also for an empty body. */
uint8_t *body_take(struct body_table *table, struct body *body);

/* The bytes come back: HANDED_OVER -> PARTIAL, complete. The table owns them in any case; when the total budget is
 * used up by now, the body is forgotten. */
void body_return(struct body_table *table, struct body *body, uint8_t *data, uint64_t now_ms);

#endif
