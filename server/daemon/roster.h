/*
 * Who may connect: the store's devices and enrolment tokens with their keys, in memory, so that a handshake never waits
 * for the disk. A roster is immutable; when devices change, a new one is loaded on a pool thread
 * and takes the old one's place on the loop. It must never print a key, and wipes keys when freed.
 */
#ifndef MYCEL_SERVER_DAEMON_ROSTER_H
#define MYCEL_SERVER_DAEMON_ROSTER_H

#include "server/store/store.h"

#define ROSTER_DEVICES_MAX 1000000u

struct roster_entry {
    struct store_device device;
    uint8_t psk[PROTO_PSK_BYTES_MAX];
    size_t psk_bytes;
    bool unconfirmed; /* its token is not spent yet */
};

struct roster;

/* Reads all devices in one consistent view. May block: the store. NO_MEMORY, TOO_LARGE, or what the
 * store reports; then *out is NULL. */
int roster_load(struct store *reader, struct roster **out);

/* Wipes and frees. NULL is allowed. */
void roster_free(struct roster *roster);

/* The key to shake hands with, of an active device or an unexpired token. Returns its bytes, 0: none. */
size_t roster_key(const struct roster *roster, const char *identity, uint64_t wall_ms,
                  uint8_t key[PROTO_PSK_BYTES_MAX]);

/* By identity or id; NULL: no such device. Revoked devices are found too. */
const struct roster_entry *roster_find(const struct roster *roster, const char *identity);
const struct roster_entry *roster_get(const struct roster *roster, uint32_t device);

size_t roster_count(const struct roster *roster);

/* Calls `lost` for every device that could connect with `before` and can no longer do so, or only
 * with another key, with `now`. */
void roster_lost(const struct roster *before, const struct roster *now,
                 void (*lost)(void *user, const struct roster_entry *entry), void *user);

/* The same for tokens that are gone. */
void roster_lost_tokens(const struct roster *before, const struct roster *now,
                        void (*lost)(void *user, const char *identity), void *user);

#endif
