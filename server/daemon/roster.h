/*
 * Who may connect: the store's devices and enrolment tokens with their keys, in memory, so that a handshake
 * never waits for the disk. It follows the store change by change: what has changed is read on a pool
 * thread (roster_load.c) and put in place on the loop, at a cost that does not grow with the fleet. It
 * must never print a key, and wipes keys when they go.
 *
 * Threads: the loop alone changes it and holds its lock (the shell's) while it does; other threads take
 * the lock to read.
 */
#ifndef MYCEL_SERVER_DAEMON_ROSTER_H
#define MYCEL_SERVER_DAEMON_ROSTER_H

#include "server/store/store.h"

#define ROSTER_DEVICES_MAX 1000000u
#define ROSTER_KEYS_MAX 2u

/* One device. Its address stays the same for as long as the roster lives. */
struct roster_entry {
    uint32_t device;
    uint32_t chain; /* position + 1 of the next one in its bucket */
    enum store_device_state state;
    enum store_device_mode mode;
    bool unconfirmed; /* its token is not spent yet */
    bool confirming;  /* the shell's: that it has used its key is on the way to the store */
    struct store_rotation rotation;
    uint32_t generation;      /* number of the present key, 0: none */
    uint32_t next_generation; /* of the next one, 0: none */
    uint8_t psk_bytes;
    uint8_t next_bytes;
    uint8_t psk[PROTO_PSK_BYTES_MAX];
    uint8_t next[PROTO_PSK_BYTES_MAX];
    char identity[PROTO_IDENTITY_BYTES_MAX + 1];
};

struct roster_key {
    uint8_t psk[PROTO_PSK_BYTES_MAX];
    size_t bytes;
    uint32_t number; /* generation; 0: of a token */
};

struct roster;

/* --- looking ------------------------------------------------------------------------------------ */

/* The keys to shake hands with, of an active device or an unexpired token, the likeliest first. Returns
 * how many. */
unsigned roster_keys(const struct roster *roster, const char *identity, uint64_t wall_ms,
                     struct roster_key keys[ROSTER_KEYS_MAX]);

/* By identity or id; NULL: no such device. Revoked devices are found too. */
const struct roster_entry *roster_find(const struct roster *roster, const char *identity);
const struct roster_entry *roster_get(const struct roster *roster, uint32_t device);
size_t roster_count(const struct roster *roster);

/* Notes that a confirmation of this device is on the way, or not any more. */
void roster_set_confirming(struct roster *roster, uint32_t device, bool confirming);

/* --- following the store ------------------------------------------------------------------------- */

/* One thing that has changed. Once applied it holds what was before. */
struct roster_change {
    struct roster_change *next;
    bool is_token;
    bool there;                /* before it is applied: it is not gone; afterwards: it was there */
    struct roster_entry entry; /* of a device */
    struct store_token token;
};

struct roster_changes {
    struct roster_change *first;
    struct roster_change *last;
    uint64_t head;       /* number of the latest change in the store */
    struct roster *anew; /* instead: everything, as too much has changed */
    uint64_t ends_ms;    /* when the next overlap of two keys ends, UINT64_MAX: none does */
};

/* Reads all devices in one consistent view. May block: the store. NO_MEMORY, TOO_LARGE, or what the
 * store reports; then *out is NULL. */
int roster_load(struct store *reader, struct roster **out);

/* Up to which change of the store it knows. */
uint64_t roster_head(const struct roster *roster);

/* Reads what has changed after `head`, in one consistent view; everything if that is too much. May block.
 * *out is to be freed on success. Errors as above. */
int roster_read_changes(struct store *reader, uint64_t head, struct roster_changes *out);

/* Puts the changes in place (not `anew`) and leaves in each what was before. On NO_MEMORY and TOO_LARGE
 * the changes from the failing one on are not in place, and the roster's head is as it was. */
int roster_apply(struct roster *roster, struct roster_changes *changes);

/* Wipe and free. */
void roster_changes_free(struct roster_changes *changes);
void roster_free(struct roster *roster); /* NULL is allowed */

/* What of two states of one device its sessions need to know. */
enum roster_access { ROSTER_SAME, ROSTER_OTHER_KEYS, ROSTER_LOST };

/* Calls back for every device and token of `before` that has lost something in `now`. */
struct roster_losses {
    void (*device)(void *user, const struct roster_entry *before, enum roster_access access);
    void (*token)(void *user, const char *identity);
};
void roster_lost(const struct roster *before, const struct roster *now,
                 const struct roster_losses *losses, void *user);

/* The same for changes that were applied. */
void roster_changes_lost(const struct roster_changes *changes, const struct roster *now,
                         const struct roster_losses *losses, void *user);

/* --- building (roster_load.c) -------------------------------------------------------------------- */

struct roster *roster_new(uint64_t head); /* NULL: no memory */

/* Puts a device or token in place of what is known of it, which it gets back in *change. */
int roster_put(struct roster *roster, struct roster_change *change);

#endif
