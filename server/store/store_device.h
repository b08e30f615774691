/*
 * Devices: who may connect. Owns the devices table. Keys go in at enrolment; what becomes of them is in
 * store_key.h.
 */
#ifndef SERVER_STORE_STORE_DEVICE_H
#define SERVER_STORE_STORE_DEVICE_H

#include "proto/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

#define STORE_CLASS_BYTES 24 /* device class with its NUL, as CheckIn.device_class */

enum store_device_state {
    STORE_DEVICE_ACTIVE = 1,
    STORE_DEVICE_REVOKED = 2,
};

/* How a device proves who it is. */
enum store_device_mode {
    STORE_DEVICE_PSK = 1, /* a pre-shared key of its own, two during a rotation */
    STORE_DEVICE_CERTIFICATE = 2,
};

/* A change of key that is under way. */
enum store_rotation_kind {
    STORE_ROTATION_NONE = 0,
    STORE_ROTATION_FILE = 1, /* the next key is in a file that goes to the device */
    STORE_ROTATION_AIR = 2,  /* the device is asked for its half of it */
};

struct store_rotation {
    enum store_rotation_kind kind;
    uint64_t from_ms; /* not before: both keys are valid, or the device is asked */
    uint64_t
        ends_ms; /* when the present key ends at the latest, 0: with the next one's first use */
    bool made;   /* there is a next key */
};

struct store_device {
    uint32_t id;                                 /* 1…; never used again */
    char identity[PROTO_IDENTITY_BYTES_MAX + 1]; /* DTLS PSK identity, or the certificate's name */
    char device_class[STORE_CLASS_BYTES];        /* "": any */
    enum store_device_state state;
    enum store_device_mode mode;
    uint64_t enrolled_ms;
    uint64_t revoked_ms;          /* 0: not revoked */
    uint32_t strikes;             /* rejected updates in a row */
    uint64_t quarantine_until_ms; /* it gets no work before this time, 0: free */
    uint32_t accepted;       /* updates counted in some round (read only; a list may leave it 0) */
    uint32_t rejected;       /* updates refused (the same) */
    uint64_t seen_ms;        /* its last lease, 0: never (the same) */
    uint32_t key_generation; /* number of its present key, 0: none (read only) */
    uint64_t key_since_ms;   /* since when it has that, 0: it has none (read only) */
    struct store_rotation rotation; /* (read only) */
};

/* Why a device was given no work in a run, as last told. */
struct store_why {
    uint32_t device;
    uint32_t run; /* 0: no run came close */
    uint32_t why; /* enum engine_why */
    uint64_t at_ms;
};

/* 1…PROTO_IDENTITY_BYTES_MAX characters of printable ASCII without spaces. 0 or INVALID. */
int store_identity_check(const char *identity);

/*
 * Adds a device and writes an audit entry. device_class may be "". *id is set on success. Without a key
 * (NULL and 0 bytes) it is one that proves itself with a certificate.
 *   INVALID  identity, class or key length break the rules
 *   EXISTS   the identity was enrolled before, even if it is revoked now
 */
int store_device_enroll(struct store *store, const char *identity, const char *device_class,
                        const uint8_t *psk, size_t psk_bytes, uint64_t now_ms, uint32_t *id);

/* Revokes it and the token that makes it, forgets its keys, and writes an audit entry. Revoking twice is
 * fine. NOT_FOUND. */
int store_device_revoke(struct store *store, const char *identity, uint64_t now_ms);

/* By identity or by id. NOT_FOUND. */
int store_device_find(struct store *store, const char *identity, struct store_device *out);
int store_device_get(struct store *store, uint32_t id, struct store_device *out);

/* Calls `each` for every device by id; a result other than 0 ends the list and is returned. How often its updates
 * counted or not, and when it was last seen, is left 0. */
int store_devices(struct store *store, int (*each)(void *user, const struct store_device *device),
                  void *user);

/* With those three, for which every lease and update is looked at. */
int store_devices_conduct(struct store *store,
                          int (*each)(void *user, const struct store_device *device), void *user);

/* Notes its bad conduct. NOT_FOUND. */
int store_device_penalty(struct store *store, uint32_t device, uint32_t strikes,
                         uint64_t quarantine_until_ms);

/* Notes why it was given no work, in place of what was noted for this run before. INVALID: there is no
 * such device. */
int store_device_why(struct store *store, uint32_t device, uint32_t run, uint32_t why,
                     uint64_t now_ms);

/* What is noted, the latest first. */
int store_device_whys(struct store *store, uint32_t device,
                      int (*each)(void *user, const struct store_why *why), void *user);

#endif
