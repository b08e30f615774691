/*
 * Leases, and what became of them: updates with their receipts, and the spool of bodies that wait to
 * be aggregated. Owns the tables leases, updates and spool, and one promise: at most one update per
 * (device, run, round) is ever accepted, whatever the caller does.
 */
#ifndef SERVER_STORE_STORE_UPDATE_H
#define SERVER_STORE_STORE_UPDATE_H

#include "proto/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

enum store_lease_state {
    STORE_LEASE_OPEN = 1,
    STORE_LEASE_USED = 2,    /* its update was decided (read only) */
    STORE_LEASE_EXPIRED = 3, /* reclaimed */
};

struct store_lease {
    uint8_t key[PROTO_KEY_BYTES];
    uint32_t device;
    uint32_t run;
    uint32_t round;
    uint32_t attempt;
    uint32_t base_version;
    uint32_t codec;
    uint64_t seed;
    uint64_t issued_ms;
    uint64_t deadline_ms; /* wall clock */
    enum store_lease_state state;
    uint8_t base_sha256[PROTO_SHA256_BYTES]; /* content of the base version (read only) */
};

/* One decided update. `status` 0 means that it counts. */
struct store_update {
    uint8_t key[PROTO_KEY_BYTES];
    uint32_t device;
    uint32_t run;
    uint32_t round;                     /* of its lease */
    uint32_t attempt;                   /* of its lease (read only) */
    uint32_t base_version;              /* of its lease (read only) */
    int32_t status;                     /* 0, or the reason code it was refused with */
    bool late;                          /* arrived after its round closed */
    uint32_t counted_round;             /* the round whose sum it enters, 0: none */
    uint8_t digest[PROTO_SHA256_BYTES]; /* of the body as received */
    uint64_t received_ms;
    uint32_t samples;
    uint32_t steps;
    uint32_t train_ms;
    uint32_t codec;
    float loss_first; /* NaN or infinite ones are stored as NaN */
    float loss_last;
    float norm;
    uint64_t weight;     /* in the sum */
    uint32_t staleness;  /* versions behind */
    uint32_t scale_q16;  /* staleness weight, 65536 is 1 */
    const void *receipt; /* the exact answer, sent again as often as it is asked for */
    size_t receipt_bytes;
    const void *body; /* spooled if status is 0, until its round is published; NULL: not kept */
    size_t body_bytes;
};

/* Adds a lease, or renews deadline and state of the one with this key. Device and round must exist
 * (INVALID). CONFLICT: the key belongs to another device, run or round, or is USED. */
int store_lease_put(struct store *store, const struct store_lease *lease);

/* NOT_FOUND. */
int store_lease_get(struct store *store, const uint8_t key[PROTO_KEY_BYTES],
                    struct store_lease *out);

/* Leases of a run without a decision, from this round on, expired ones included, in order of issue;
 * a result of `each` other than 0 ends the list and is returned. */
int store_leases_undecided(struct store *store, uint32_t run, uint32_t round_from,
                           int (*each)(void *user, const struct store_lease *lease), void *user);

/*
 * Records a decision for good, marks the lease USED and spools the body of an accepted update.
 *   EXISTS    the key was decided before with the same digest: its old receipt stands
 *   CONFLICT  the key was decided before with another digest, or another update of this device was
 *             accepted for this round, or counted in the same one
 *   LEASE     there is no such lease, or its device, run or round differ
 */
int store_update_add(struct store *store, const struct store_update *update);

/* The receipt of a decided key; `digest` (may be NULL) is the body's it was given for.
 * NOT_FOUND; NO_MEMORY if capacity is too small. */
int store_receipt(struct store *store, const uint8_t key[PROTO_KEY_BYTES], void *receipt,
                  size_t capacity, size_t *bytes, uint8_t digest[PROTO_SHA256_BYTES]);

/* Updates of a round (by lease) in order of arrival, without body; the receipt is given. */
int store_updates(struct store *store, uint32_t run, uint32_t round,
                  int (*each)(void *user, const struct store_update *update), void *user);

/* What a restart needs: the updates of this round (leased or counted in it, or already counted for the
 * next one), and the last `before` ones that came earlier, in order of arrival; as above. */
int store_updates_recent(struct store *store, uint32_t run, uint32_t round, uint32_t before,
                         int (*each)(void *user, const struct store_update *update), void *user);

/* A device's updates that did not count, in all runs, the newest first and so many at most; as above. */
int store_updates_refused(struct store *store, uint32_t device, uint32_t newest,
                          int (*each)(void *user, const struct store_update *update), void *user);

/* How often each device was counted in a run. */
struct store_share {
    uint32_t device;
    uint32_t run;
    uint32_t accepted;
    uint32_t last_round; /* the highest that counted it */
};
int store_shares(struct store *store, uint32_t run,
                 int (*each)(void *user, const struct store_share *share), void *user);

/* Accepted updates that wait in the spool to be counted in this round, by device; as above. */
int store_spooled(struct store *store, uint32_t run, uint32_t counted_round,
                  int (*each)(void *user, const struct store_update *update), void *user);

/* Size of a spooled body. NOT_FOUND. */
int store_body_size(struct store *store, const uint8_t key[PROTO_KEY_BYTES], uint64_t *bytes);

/* Reads a spooled body whole and checks it against its digest. NOT_FOUND; NO_MEMORY if capacity is
 * too small; CORRUPT. */
int store_body_load(struct store *store, const uint8_t key[PROTO_KEY_BYTES], void *data,
                    size_t capacity, size_t *bytes);

/* Drops what is spooled for a round that was given up. Returns how many rows of bodies went. */
int store_spool_drop(struct store *store, uint32_t run, uint32_t counted_round);

#endif
