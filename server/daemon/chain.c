/* See chain.h. */
#include "server/daemon/chain.h"

#include "common/crypto/sha256.h"

#include <stdlib.h>
#include <string.h>

static int load_blob(struct store *reader, const uint8_t sha256[PROTO_SHA256_BYTES], void **data,
                     size_t *bytes)
{
    uint64_t size;
    int rc = store_blob_size(reader, sha256, &size);
    if (rc < 0) {
        return rc;
    }
    *data = malloc((size_t)size);
    if (!*data) {
        return MYCEL_E_NO_MEMORY;
    }
    rc = store_blob_load(reader, sha256, *data, (size_t)size, bytes);
    if (rc < 0) {
        free(*data);
        *data = NULL;
    }
    return rc;
}

/* The chain's frames lead to consecutive versions, each of which has its row. */
static int name_steps(struct store *reader, uint32_t run, struct downlink_chain *chain)
{
    for (uint32_t i = 0; i < chain->frames; i++) {
        struct store_downlink row;
        int rc =
            chain->version + 1u < chain->frames
                ? MYCEL_E_CORRUPT
                : store_downlink_get(reader, run, chain->version + 1u + i - chain->frames, &row);
        if (rc < 0) {
            return rc == MYCEL_E_NOT_FOUND ? MYCEL_E_CORRUPT : rc;
        }
        memcpy(chain->steps[i].held_sha256, row.held_sha256, PROTO_SHA256_BYTES);
    }
    return MYCEL_OK;
}

int chain_load(struct store *reader, uint32_t run, uint32_t version, struct downlink_chain *chain,
               void **bytes)
{
    struct store_downlink row;
    void *data = NULL;
    size_t size = 0;
    memset(chain, 0, sizeof *chain);
    int rc = store_downlink_get(reader, run, version, &row);
    if (rc == 0) {
        rc = load_blob(reader, row.chain_sha256, &data, &size);
    }
    if (rc == 0) {
        rc = downlink_chain_read(chain, data, size);
        chain->version = version;
    }
    if (rc == 0) {
        rc = name_steps(reader, run, chain);
    }
    if (rc < 0) {
        memset(chain, 0, sizeof *chain);
    }
    if (rc == 0 && bytes) {
        *bytes = data;
    } else {
        free(data);
    }
    return rc;
}

int chain_load_newest(struct store *reader, uint32_t newest, struct run_entry *entry)
{
    if (entry->run.config.downlink != DOWNLINK_DELTA) {
        return MYCEL_OK;
    }
    for (uint32_t back = newest < RUN_CHAINS_KEPT ? newest + 1u : RUN_CHAINS_KEPT; back-- > 0;) {
        struct downlink_chain chain;
        int rc = chain_load(reader, entry->run.id, newest - back, &chain, NULL);
        if (rc == 0) {
            run_entry_add_chain(entry, &chain);
        } else if (rc != MYCEL_E_NOT_FOUND && rc != MYCEL_E_CORRUPT) {
            return rc;
        }
    }
    return MYCEL_OK;
}

/* The chain with one frame more, or only that one if it is a key frame. */
static int extend(struct run_held *out, const struct downlink_chain *before,
                  const void *before_bytes, const uint8_t *frame, size_t frame_bytes)
{
    size_t kept = before->bytes;
    uint8_t *chain = malloc(kept + frame_bytes);
    if (!chain) {
        return MYCEL_E_NO_MEMORY;
    }
    if (kept > 0) {
        memcpy(chain, before_bytes, kept);
    }
    memcpy(chain + kept, frame, frame_bytes);
    out->chain = chain;
    int rc = downlink_chain_read(&out->known, chain, kept + frame_bytes);
    for (uint32_t i = 0; rc == 0 && i < before->frames; i++) {
        memcpy(out->known.steps[i].held_sha256, before->steps[i].held_sha256, PROTO_SHA256_BYTES);
    }
    return rc;
}

struct next {
    struct downlink_chain before;
    void *before_bytes;
    void *before_held;
    uint8_t *frame;
};

/* What devices hold of the version before; nothing is not an error. */
static int load_before(struct store *reader, uint32_t run, uint32_t base, size_t model_bytes,
                       struct next *next)
{
    size_t bytes = 0;
    int rc = chain_load(reader, run, base, &next->before, &next->before_bytes);
    if (rc == 0) {
        const struct downlink_step *last = &next->before.steps[next->before.frames - 1u];
        rc = load_blob(reader, last->held_sha256, &next->before_held, &bytes);
    }
    if (rc == MYCEL_E_NOT_FOUND || rc == MYCEL_E_CORRUPT || (rc == 0 && bytes != model_bytes)) {
        free(next->before_held);
        next->before_held = NULL;
        memset(&next->before, 0, sizeof next->before);
        rc = MYCEL_OK;
    }
    return rc;
}

static int make(struct next *next, const struct downlink_make *how, struct run_held *out)
{
    static const struct downlink_chain none = {0};
    size_t model_bytes = (size_t)how->params * sizeof(float);
    bool key = false;
    int bytes = downlink_make(how, next->frame, out->model, &key);
    if (bytes < 0) {
        return bytes;
    }
    int rc =
        extend(out, key ? &none : &next->before, next->before_bytes, next->frame, (size_t)bytes);
    out->known.version = how->version;
    if (rc == 0) {
        sha256(out->model, model_bytes, out->known.steps[out->known.frames - 1u].held_sha256);
    }
    return rc;
}

int chain_next(struct store *reader, const struct store_run_config *config, uint32_t run,
               uint32_t base, const float *exact, struct run_held *out)
{
    size_t model_bytes = (size_t)config->params * sizeof(float);
    struct next next = {.frame = NULL};
    memset(out, 0, sizeof *out);
    int rc = load_before(reader, run, base, model_bytes, &next);
    if (rc == 0) {
        next.frame = malloc(downlink_frame_bytes(config->params));
        out->model = malloc(model_bytes);
        const struct downlink_make how = {.seed = config->seed,
                                          .version = base + 1u,
                                          .params = config->params,
                                          .exact = exact,
                                          .before = next.before_held,
                                          .frames = next.before.frames};
        rc = next.frame && out->model ? make(&next, &how, out) : MYCEL_E_NO_MEMORY;
    }
    free(next.frame);
    free(next.before_bytes);
    free(next.before_held);
    if (rc < 0) {
        free(out->model);
        free(out->chain);
        memset(out, 0, sizeof *out);
    }
    /* Parameters that no frame can hold are sent as they are. */
    return rc == MYCEL_E_NONFINITE || rc == MYCEL_E_TOO_LARGE ? MYCEL_OK : rc;
}
