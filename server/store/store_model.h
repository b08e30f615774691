/*
 * Model versions and their content. Blobs are named by their SHA-256 and checked against it on every
 * load; versions say where a blob came from and how good it is. Owns the tables blobs, versions and
 * tags. Blobs are stored as they are: f32 parameters hardly compress, and a download is a plain read.
 */
#ifndef SERVER_STORE_STORE_MODEL_H
#define SERVER_STORE_STORE_MODEL_H

#include "proto/limits.h"
#include "server/store/store_run.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

#define STORE_BLOB_BYTES_MAX                                                                       \
    (4u * PROTO_MODEL_PARAMS_MAX * 3u) /* parameters and two moments, f32 */
#define STORE_LINEAGE_MAX 100000u      /* steps followed to a root */

/* How a version came to be. */
enum store_version_kind {
    STORE_VERSION_INITIAL = 1,
    STORE_VERSION_ROUND = 2,
    STORE_VERSION_ROLLBACK = 3, /* new number, old content */
    STORE_VERSION_IMPORT = 4,
    STORE_VERSION_AVERAGE = 5, /* of other versions */
};

struct store_metrics {
    float accuracy;   /* 0…1; NaN: not measured */
    float loss;       /* NaN: not measured */
    uint32_t samples; /* of the held-out set */
};

struct store_version {
    uint32_t run;
    uint32_t number; /* given by the caller; unique in the run, and newer is larger */
    bool has_parent;
    uint32_t parent; /* number in the same run */
    enum store_version_kind kind;
    uint32_t source; /* ROLLBACK: the version whose content it is */
    uint32_t round;  /* 0: from no round */
    uint8_t sha256[PROTO_SHA256_BYTES];
    uint64_t bytes; /* of the blob (read only) */
    bool kept;      /* the blob is still there (read only) */
    bool has_optimizer;
    uint8_t optimizer_sha256[PROTO_SHA256_BYTES]; /* state of the server's optimizer after it */
    uint64_t created_ms;
    bool has_metrics;
    struct store_metrics metrics;
};

struct store_tag {
    uint32_t run;
    char name[STORE_NAME_BYTES];
    uint32_t version;
    uint64_t set_ms;
};

/* What devices hold of a version, where it is not the version itself. */
struct store_downlink {
    uint32_t run;
    uint32_t version;
    bool key; /* its frame is added to zeros, else to what is held of the version before */
    uint8_t held_sha256[PROTO_SHA256_BYTES];  /* f32 parameters; not stored */
    uint8_t frame_sha256[PROTO_SHA256_BYTES]; /* update frame that leads there */
};

/* Frames from a key frame on, the next key frame left out. */
#define STORE_CHAIN_FRAMES_MAX PROTO_PATCH_FRAMES_MAX

/* The tag that store_promote() sets. */
#define STORE_TAG_PROMOTED "promoted"

/* Stores the bytes under their hash, once. sha256 is set. TOO_LARGE; INVALID for 0 bytes. */
int store_blob_put(struct store *store, const void *data, size_t bytes,
                   uint8_t sha256[PROTO_SHA256_BYTES]);

/* Size in bytes. NOT_FOUND: never stored, or dropped by retention. */
int store_blob_size(struct store *store, const uint8_t sha256[PROTO_SHA256_BYTES], uint64_t *bytes);

/* Reads it whole into `data` and checks it. NOT_FOUND; NO_MEMORY if capacity is too small; CORRUPT if
 * it is not what its name says. */
int store_blob_load(struct store *store, const uint8_t sha256[PROTO_SHA256_BYTES], void *data,
                    size_t capacity, size_t *bytes);

/* Adds a version; its blobs must be stored already (INVALID). The metrics may come later.
 * EXISTS: the number is taken. */
int store_version_add(struct store *store, const struct store_version *version);

/* Sets the metrics. NOT_FOUND. */
int store_version_measured(struct store *store, uint32_t run, uint32_t number,
                           const struct store_metrics *metrics);

/* NOT_FOUND. The newest one is the one with the largest number. */
int store_version_get(struct store *store, uint32_t run, uint32_t number,
                      struct store_version *out);
int store_version_newest(struct store *store, uint32_t run, struct store_version *out);

/* Versions of a run by number; a result of `each` other than 0 ends the list and is returned. */
int store_versions(struct store *store, uint32_t run,
                   int (*each)(void *user, const struct store_version *version), void *user);

/* What ends a round: everything below happens, or nothing. Its own version is what the round made. */
struct store_publish {
    struct store_version version; /* sha256s are computed from the data here */
    const void *model;
    size_t model_bytes;
    const void *optimizer; /* NULL: the rule has no state */
    size_t optimizer_bytes;
    struct store_round round; /* becomes COMMITTED with this version */
    /* The frame that leads to what devices hold of it; NULL: they are sent the version itself. */
    const void *frame;
    size_t frame_bytes;
    bool frame_key; /* it is added to zeros */
    uint8_t held_sha256[PROTO_SHA256_BYTES];
};

/* Adds the blobs and the version, closes the round and drops the bodies that were counted in it.
 * EXISTS: that version is there already; STATE: the round is closed already. */
int store_publish(struct store *store, const struct store_publish *publish,
                  uint8_t sha256[PROTO_SHA256_BYTES]);

/* What leads to what devices hold of that version: its key frame's row and those since, oldest first, the last one
 * the version's own. How many; NOT_FOUND: devices are sent the version itself; CORRUPT: one is missing. */
int store_chain(struct store *store, uint32_t run, uint32_t version,
                struct store_downlink rows[STORE_CHAIN_FRAMES_MAX]);

/* Their frames, one behind the other. Without `data` only *bytes is set. NO_MEMORY if capacity is too small; else as
 * store_chain and store_blob_load. */
int store_chain_load(struct store *store, uint32_t run, uint32_t version, void *data,
                     size_t capacity, size_t *bytes);

/* Points a tag at a version (moving it if it exists), with an audit entry. INVALID name;
 * NOT_FOUND version. Tagged versions keep their blobs. */
int store_tag_set(struct store *store, uint32_t run, const char *name, uint32_t version,
                  const char *actor, uint64_t now_ms);
int store_tag_delete(struct store *store, uint32_t run, const char *name, const char *actor,
                     uint64_t now_ms);
int store_tag_get(struct store *store, uint32_t run, const char *name, struct store_tag *out);
int store_tags(struct store *store, uint32_t run,
               int (*each)(void *user, const struct store_tag *tag), void *user);

/* Tags it STORE_TAG_PROMOTED. NOT_FOUND; STATE if its blob was dropped. */
int store_promote(struct store *store, uint32_t run, uint32_t version, const char *actor,
                  uint64_t now_ms);

/* Adds a new version after the newest with the content (and optimizer state) of an old one, with an
 * audit entry. *number is its number. NOT_FOUND; STATE if the blob was dropped. */
int store_rollback_to(struct store *store, uint32_t run, uint32_t version, const char *actor,
                      uint64_t now_ms, uint32_t *number);

/* From a version to its first ancestor, at most STORE_LINEAGE_MAX steps. NOT_FOUND. */
int store_lineage(struct store *store, uint32_t run, uint32_t number,
                  int (*each)(void *user, const struct store_version *version), void *user);

/* Drops the blobs of versions that are neither among the newest `keep` of their run, nor tagged, nor
 * the base of the round that is open, and the spooled bodies of rounds that were given up for a later one.
 * The rows stay. Returns how many blobs went, or an error. */
int store_retain(struct store *store, uint32_t keep);

const char *store_version_kind_name(enum store_version_kind kind);

#endif
