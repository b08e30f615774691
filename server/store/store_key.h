/*
 * Keys: what devices prove themselves with, and the change from one key to the next. Owns the tables
 * keys, rotations and changes. Keys come out of here only; no other list, message, log or audit entry
 * has one.
 *
 *   one key --rotate_file--> two keys ---------------------+-- finish (the next one was used) --> one key
 *      |                                                   +-- expire (the overlap is over) ----> the next
 *      +--rotate_air--> one key, next due --give--> two keys --+-- finish --> one key
 *                                            ^            |
 *                                            +-- give ----+ (again: another next key)
 *   abort, from anywhere: the present key stays, the next one is gone.
 *
 * Keys are numbered per device, from 1: who has proved which one can be told apart for good. A next key
 * that was replaced or withdrawn leaves a gap, so that its number is never another's.
 */
#ifndef SERVER_STORE_STORE_KEY_H
#define SERVER_STORE_STORE_KEY_H

#include "server/store/store_device.h"

/* What the coordinator needs to know of one device to let it in. Wipe it after use. */
struct store_key {
    uint32_t device;
    char identity[PROTO_IDENTITY_BYTES_MAX + 1];
    char device_class[STORE_CLASS_BYTES];
    enum store_device_state state;
    enum store_device_mode mode;
    bool unconfirmed;    /* the token that made it is not spent yet */
    uint32_t generation; /* number of the present key, 1…; 0: none */
    size_t bytes;        /* PROTO_PSK_BYTES … PROTO_PSK_BYTES_MAX; 0: certificate, or revoked */
    uint8_t psk[PROTO_PSK_BYTES_MAX];
    struct store_rotation rotation;
    uint32_t next_generation; /* number of the next key; 0: no rotation is under way */
    size_t next_bytes;        /* 0: there is no next key (yet) */
    uint8_t next[PROTO_PSK_BYTES_MAX];
};

/* The key of an identity (not NUL-terminated: it comes from the wire), or of a device. NOT_FOUND. */
int store_device_key(struct store *store, const char *identity, size_t identity_bytes,
                     struct store_key *out);
int store_key_get(struct store *store, uint32_t device, struct store_key *out);

/* Calls `each` for every device by id, with its key; a result other than 0 ends the list and is
 * returned. The key is wiped afterwards. */
int store_keys(struct store *store, int (*each)(void *user, const struct store_key *key),
               void *user);

/* --- what has changed ---------------------------------------------------------------------------- */

/* The number of the latest change to who may connect, and how: *head, 0 before the first. */
int store_change_head(struct store *store, uint64_t *head);

/* The same as store_keys, of those devices only about which something has changed after `since`.
 * NOT_FOUND: that is too long ago to be known; read everything. */
int store_keys_changed(struct store *store, uint64_t since,
                       int (*each)(void *user, const struct store_key *key), void *user);

/* --- rotation ------------------------------------------------------------------------------------ */

/*
 * Gives a device a next key, which the operator brings to it. From now on both are valid, until the next
 * one is used or until ends_ms: then it is the only one. Writes an audit entry.
 *   NOT_FOUND  no such device
 *   STATE      revoked, without a pre-shared key, not confirmed yet, or a rotation is under way
 *   INVALID    the key's length; it is the present one; ends_ms is not after now_ms
 */
int store_rotate_file(struct store *store, const char *identity, const uint8_t *psk,
                      size_t psk_bytes, uint64_t now_ms, uint64_t ends_ms);

/*
 * Notes that a device is to be given another key over its own session, not before from_ms. `share` is the
 * coordinator's half of that key: random. Until the device uses the new key the present one is valid, for
 * as long as that takes. Writes an audit entry. NOT_FOUND, STATE: as above.
 */
int store_rotate_air(struct store *store, const char *identity,
                     const uint8_t share[PROTO_SHARE_BYTES], uint64_t now_ms, uint64_t from_ms);

/*
 * The device gives its half, and the next key is there; *share is the coordinator's half. The same half
 * again has no further effect, another one makes another next key in place of the one before, under
 * another number. Writes an audit entry when there is something new.
 *   NOT_FOUND  no such rotation is under way, or it is not due yet
 */
int store_rotate_give(struct store *store, uint32_t device,
                      const uint8_t device_share[PROTO_SHARE_BYTES], uint64_t now_ms,
                      uint8_t share[PROTO_SHARE_BYTES]);

/* The device has used key `generation`: if that is the next one, it is the only one from now on, which
 * the audit log notes. 1: so it is; 0: nothing to do. */
int store_rotate_finish(struct store *store, uint32_t device, uint32_t generation, uint64_t now_ms);

/* Ends the present key of every rotation whose overlap is over, as above. Returns how many. */
int store_rotate_expire(struct store *store, uint64_t now_ms);

/* When the next overlap ends; *ends_ms is UINT64_MAX when none will. */
int store_rotate_next_end(struct store *store, uint64_t *ends_ms);

/* The present key stays, and there is no next one any more. Writes an audit entry. A device that has been
 * told its next key over the air may have nothing else by now: that takes `force`. NOT_FOUND: no such
 * device. STATE: no rotation is under way. EXISTS: it may have its next key. */
int store_rotate_abort(struct store *store, const char *identity, bool force, uint64_t now_ms);

#endif
