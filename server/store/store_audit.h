/*
 * The audit log: who did what, append-only and hash-chained, so that a changed, missing or inserted
 * entry is found. hash_i = SHA-256(hash_{i-1} ‖ seq ‖ at_ms ‖ the four texts, each with its length);
 * integers u64 little-endian; hash_0 is 32 zero bytes. The end of the chain can be cut off unseen, so
 * store_audit_head() is to be kept elsewhere as well by whoever cares.
 */
#ifndef SERVER_STORE_STORE_AUDIT_H
#define SERVER_STORE_STORE_AUDIT_H

#include <stdint.h>

struct store;

#define STORE_AUDIT_HASH_BYTES 32
#define STORE_AUDIT_TEXT_MAX 256u /* bytes of each text, without NUL */

struct store_audit {
    uint64_t seq; /* 1…, without gaps (set by the store) */
    uint64_t at_ms;
    const char *actor;                    /* "engine", "cli:alice", … */
    const char *action;                   /* "device.enroll", "run.create", … */
    const char *subject;                  /* what it was done to */
    const char *detail;                   /* one line for a person; never a secret */
    uint8_t hash[STORE_AUDIT_HASH_BYTES]; /* set by the store */
};

/* Appends an entry. INVALID: a text is NULL or too long. */
int store_audit_add(struct store *store, const struct store_audit *entry);

/* Entries from seq `first` on; a result of `each` other than 0 ends the list and is returned. */
int store_audits(struct store *store, uint64_t first,
                 int (*each)(void *user, const struct store_audit *entry), void *user);

/* Last entry's number and hash; 0 and zeros if there is none. */
int store_audit_head(struct store *store, uint64_t *seq, uint8_t hash[STORE_AUDIT_HASH_BYTES]);

/* Recomputes the chain. CORRUPT: *seq is the first entry that does not fit; else the last entry. */
int store_audit_verify(struct store *store, uint64_t *seq);

#endif
