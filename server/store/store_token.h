/*
 * One-time enrolment tokens. Owns the tokens table, and never sees a token but for the moment in which
 * it is used: stored are hashes of it (proto/enrol.h).
 *
 *   add ---> open ---use---> enrolled ---spend---> gone
 *             ^  |  (again: another key)  |
 *             +--+ replaced               +-- use, as long as the device has not used its key
 *
 * So a crash anywhere leaves the token valid, or the device's key, or both for a moment.
 */
#ifndef SERVER_STORE_STORE_TOKEN_H
#define SERVER_STORE_STORE_TOKEN_H

#include "proto/enrol.h"
#include "server/store/store_device.h"

struct store_token {
    char identity[ENROL_IDENTITY_BYTES];
    char name[PROTO_IDENTITY_BYTES_MAX + 1]; /* of the device that it makes */
    char device_class[STORE_CLASS_BYTES];
    uint8_t psk[PROTO_PSK_BYTES];
    uint64_t created_ms;
    uint64_t expires_ms;
    uint32_t device; /* that it made, 0: none yet */
};

/* What a used token gives. Wipe it after use. */
struct store_enrolment {
    uint32_t device;
    char name[PROTO_IDENTITY_BYTES_MAX + 1];
    uint8_t share[PROTO_SHARE_BYTES];
};

/*
 * Remembers a token for the device `name`, in place of an unspent one for it, and writes an audit
 * entry. `share` is the coordinator's half of the device's key: random.
 *   INVALID  name or class break the rules
 *   EXISTS   a device of this name has a key that it uses, or was revoked
 */
int store_token_add(struct store *store, const uint8_t token[PROTO_TOKEN_BYTES],
                    const uint8_t share[PROTO_SHARE_BYTES], const char *name,
                    const char *device_class, uint64_t now_ms, uint64_t expires_ms);

/* Enrols the token's device, or gives it another key if it was enrolled by this token and never came
 * with that one; the token stays. Writes an audit entry unless the key is the same again. NOT_FOUND:
 * unknown, expired, spent, its device revoked; the identity is not this token's. */
int store_token_use(struct store *store, const char *identity,
                    const uint8_t token[PROTO_TOKEN_BYTES],
                    const uint8_t device_share[PROTO_SHARE_BYTES], uint64_t now_ms,
                    struct store_enrolment *out);

/* The device has used its key: the token that made it is gone, which the audit log notes. 0 also if
 * there is none. */
int store_token_spend(struct store *store, uint32_t device, uint64_t now_ms);

/* Takes the token of a name back, with an audit entry. 1: there was one; 0: there was none. */
int store_token_revoke(struct store *store, const char *name, uint64_t now_ms);

/* Calls `each` for every unspent token in order of identity, expired ones too; a result other than 0
 * ends the list and is returned. */
int store_tokens(struct store *store, int (*each)(void *user, const struct store_token *token),
                 void *user);

/* The same, of those tokens about which something has changed after change number `since` (store_key.h).
 * One without a name is gone. NOT_FOUND: that is too long ago to be known. */
int store_tokens_changed(struct store *store, uint64_t since,
                         int (*each)(void *user, const struct store_token *token), void *user);

#endif
