/* What devices hold after each version, where it is not the version itself; and the ring of what may be
 * downloaded: held models, and the patches that lead to them, as the daemon makes and offers them. */
#include "sim/coordinator/internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- the ring ----------------------------------------------------------------------------- */

static void version_clear(struct version *version)
{
    blob_unref(version->blob);
    blob_unref(version->chain);
    *version = (struct version){0};
}

void version_put(struct coordinator *c, struct blob *model, const struct ledger_held *held)
{
    struct version *version = &c->versions[c->version_count++ % VERSIONS_KEPT];
    struct blob *given = held->blob != NULL ? held->blob : model;
    blob_ref(given); /* before the old one goes: it may be the same */
    version_clear(version);
    memcpy(version->sha256, model->sha256, sizeof version->sha256);
    version->blob = given;
    if (held->blob != NULL) {
        version->chain = blob_ref(held->chain);
        version->known = held->known;
    }
}

void versions_free(struct coordinator *c)
{
    for (uint32_t i = 0; i < VERSIONS_KEPT; i++) {
        version_clear(&c->versions[i]);
    }
}

const struct version *version_find(const struct coordinator *c,
                                   const uint8_t sha256[PROTO_SHA256_BYTES])
{
    for (uint32_t i = 0; i < VERSIONS_KEPT; i++) {
        const struct version *version = &c->versions[i];
        if (version->blob != NULL && memcmp(version->sha256, sha256, PROTO_SHA256_BYTES) == 0) {
            return version;
        }
    }
    return NULL;
}

/* The k-th newest. */
static const struct version *newest(const struct coordinator *c, uint32_t k)
{
    return &c->versions[(c->version_count + VERSIONS_KEPT - 1u - k) % VERSIONS_KEPT];
}

bool version_is_patched(const struct coordinator *c, const struct version *version)
{
    uint32_t index = (uint32_t)(version - c->versions);
    uint32_t age = (c->version_count + VERSIONS_KEPT - 1u - index) % VERSIONS_KEPT;
    return version->chain != NULL && age < DOWNLINK_CHAINS_KEPT;
}

struct blob *version_blob(struct coordinator *c, const uint8_t sha256[PROTO_SHA256_BYTES],
                          uint32_t *first)
{
    *first = 0;
    for (uint32_t i = 0; i < VERSIONS_KEPT; i++) {
        struct blob *blob = c->versions[i].blob;
        if (blob != NULL && memcmp(blob->sha256, sha256, PROTO_SHA256_BYTES) == 0) {
            return blob;
        }
    }
    for (uint32_t k = 0; k < DOWNLINK_CHAINS_KEPT; k++) {
        const struct version *version = newest(c, k);
        for (uint32_t i = 0; i < version->known.frames; i++) {
            const struct downlink_step *step = &version->known.steps[i];
            if (memcmp(step->patch_sha256, sha256, PROTO_SHA256_BYTES) == 0) {
                *first = step->offset;
                return version->chain;
            }
        }
    }
    return NULL;
}

struct blob *coordinator_model(const struct coordinator *c, const void *data, size_t bytes)
{
    for (uint32_t k = 0; k < VERSIONS_KEPT; k++) {
        struct blob *blob = newest(c, k)->blob;
        if (blob != NULL && blob->bytes == bytes && memcmp(blob->data, data, bytes) == 0) {
            return blob_ref(blob);
        }
    }
    return NULL;
}

/* ---- the next one ------------------------------------------------------------------------- */

/* The frame stands behind the room that the chain so far needs; a key frame begins a new one. */
static int lengthen(struct ledger_held *out, const struct ledger_held *before, bool key,
                    uint8_t *chain, size_t frame_bytes)
{
    size_t kept = before->known.bytes;
    if (kept > 0 && !key) {
        memcpy(chain, before->chain->data, kept);
        out->known = before->known;
    }
    int rc = downlink_chain_add(&out->known, chain + kept, frame_bytes);
    out->chain = rc == 0 ? blob_new(key ? chain + kept : chain, out->known.bytes) : NULL;
    return rc == 0 && out->chain == NULL ? MYCEL_E_NO_MEMORY : rc;
}

static int make(const struct downlink_make *how, const struct ledger_held *before, uint8_t *chain,
                float *model, struct ledger_held *out)
{
    bool key = false;
    int bytes = downlink_make(how, chain + before->known.bytes, model, &key);
    if (bytes < 0) {
        return bytes;
    }
    int rc = lengthen(out, before, key, chain, (size_t)bytes);
    if (rc == 0) {
        out->blob = blob_new(model, (size_t)how->params * sizeof *model);
        rc = out->blob != NULL ? MYCEL_OK : MYCEL_E_NO_MEMORY;
    }
    if (rc == 0) {
        struct downlink_step *last = &out->known.steps[out->known.frames - 1u];
        memcpy(last->held_sha256, out->blob->sha256, sizeof last->held_sha256);
        out->known.version = how->version;
    }
    return rc;
}

int held_make(const struct coordinator *c, uint32_t version, struct sum *sum)
{
    if (c->downlink != DOWNLINK_DELTA) {
        return MYCEL_OK;
    }
    const struct ledger_held *before = &c->ledger.held;
    struct downlink_make how = {.seed = c->scenario->seed,
                                .version = version,
                                .params = c->task.params,
                                .exact = (const float *)(const void *)sum->model->data,
                                .frames = before->known.frames};
    if (before->blob != NULL) {
        how.before = (const float *)(const void *)before->blob->data;
    }
    uint8_t *chain = malloc(before->known.bytes + downlink_frame_bytes(how.params));
    float *model = malloc((size_t)how.params * sizeof *model);
    int rc = chain != NULL && model != NULL ? make(&how, before, chain, model, &sum->held)
                                            : MYCEL_E_NO_MEMORY;
    if (rc < 0) {
        ledger_held_unref(&sum->held);
        sum->held = (struct ledger_held){0};
    }
    free(chain);
    free(model);
    return rc;
}
