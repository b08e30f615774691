/* See chain.h. */
#include "server/daemon/chain.h"

#include "common/crypto/sha256.h"

#include <stdlib.h>
#include <string.h>

static int load_frames(struct store *reader, uint32_t run, uint32_t version,
                       struct blob_content *out)
{
    memset(out, 0, sizeof *out);
    int rc = store_chain_load(reader, run, version, NULL, 0, &out->bytes);
    if (rc < 0) {
        return rc;
    }
    size_t capacity = out->bytes;
    out->owned = malloc(capacity);
    out->data = out->owned;
    rc = out->owned ? store_chain_load(reader, run, version, out->owned, capacity, &out->bytes)
                    : MYCEL_E_NO_MEMORY;
    if (rc < 0) {
        blob_content_free(out);
    }
    return rc;
}

/* What each step leads to. */
static int name_steps(struct store *reader, uint32_t run, struct downlink_chain *chain)
{
    struct store_downlink rows[STORE_CHAIN_FRAMES_MAX];
    int count = store_chain(reader, run, chain->version, rows);
    if (count < 0 || (uint32_t)count != chain->frames) {
        return count < 0 ? count : MYCEL_E_CORRUPT;
    }
    for (int i = 0; i < count; i++) {
        memcpy(chain->steps[i].held_sha256, rows[i].held_sha256, PROTO_SHA256_BYTES);
    }
    return MYCEL_OK;
}

/* What is known of a version's chain. 0; NOT_FOUND: that version is sent as it is; CORRUPT; NO_MEMORY; the store's
 * errors. */
static int chain_load(struct store *reader, uint32_t run, uint32_t version,
                      struct downlink_chain *chain)
{
    struct blob_content content;
    memset(chain, 0, sizeof *chain);
    int rc = load_frames(reader, run, version, &content);
    if (rc < 0) {
        return rc;
    }
    rc = downlink_chain_read(chain, content.data, content.bytes);
    blob_content_free(&content);
    chain->version = version;
    if (rc == 0) {
        rc = name_steps(reader, run, chain);
    }
    if (rc < 0) {
        memset(chain, 0, sizeof *chain);
    }
    return rc;
}

int chain_frames(const struct blob_source *source, uint32_t run, const struct downlink_chain *chain,
                 struct blob_content *out)
{
    const struct blob_cache_entry *entry =
        source->views ? blob_views_find(source->views, chain->sha256) : NULL;
    if (entry) {
        *out = (struct blob_content){.data = entry->data, .bytes = entry->bytes};
        return MYCEL_OK;
    }
    int rc = load_frames(source->reader, run, chain->version, out);
    if (rc == 0 && out->bytes != chain->bytes) {
        blob_content_free(out);
        rc = MYCEL_E_CORRUPT;
    }
    return rc;
}

static int add_up(const struct blob_content *frames, uint32_t params, struct blob_content *out)
{
    out->bytes = (size_t)params * sizeof(float);
    out->owned = malloc(out->bytes);
    out->data = out->owned;
    int rc = out->owned ? downlink_held(frames->data, frames->bytes, params, out->owned)
                        : MYCEL_E_NO_MEMORY;
    if (rc < 0) {
        blob_content_free(out);
    }
    return rc;
}

int chain_held(const struct blob_source *source, uint32_t run, const struct downlink_chain *chain,
               uint32_t params, struct blob_content *out)
{
    const uint8_t *name = chain->steps[chain->frames - 1u].held_sha256;
    const struct blob_cache_entry *entry =
        source->views ? blob_views_find(source->views, name) : NULL;
    if (entry) {
        *out = (struct blob_content){.data = entry->data, .bytes = entry->bytes};
        return MYCEL_OK;
    }
    struct blob_content frames;
    memset(out, 0, sizeof *out);
    int rc = chain_frames(source, run, chain, &frames);
    if (rc == 0) {
        rc = add_up(&frames, params, out);
        blob_content_free(&frames);
    }
    return rc;
}

int chain_load_newest(struct store *reader, uint32_t newest, struct run_entry *entry)
{
    if (entry->run.config.downlink != DOWNLINK_DELTA) {
        return MYCEL_OK;
    }
    for (uint32_t back = newest < DOWNLINK_CHAINS_KEPT ? newest + 1u : DOWNLINK_CHAINS_KEPT;
         back-- > 0;) {
        struct downlink_chain chain;
        int rc = chain_load(reader, entry->run.id, newest - back, &chain);
        if (rc == 0) {
            run_entry_add_chain(entry, &chain);
        } else if (rc != MYCEL_E_NOT_FOUND && rc != MYCEL_E_CORRUPT) {
            return rc;
        }
    }
    return MYCEL_OK;
}

struct next {
    struct downlink_chain before;
    struct blob_content before_bytes;
    struct blob_content before_held;
    uint8_t *frame;
};

/* The chain with one frame more, or only that one if it is a key frame. */
static int extend(const struct next *next, bool key, size_t frame_bytes, struct run_held *out)
{
    size_t kept = key ? 0 : next->before.bytes;
    uint8_t *chain = malloc(kept + frame_bytes);
    if (!chain) {
        return MYCEL_E_NO_MEMORY;
    }
    if (kept > 0) {
        memcpy(chain, next->before_bytes.data, kept);
        out->known = next->before;
    }
    memcpy(chain + kept, next->frame, frame_bytes);
    out->chain = chain;
    return downlink_chain_add(&out->known, next->frame, frame_bytes);
}

/* What devices hold of the version before; nothing is not an error. */
static int load_before(const struct chain_from *from, struct next *next)
{
    int rc = MYCEL_OK;
    if (from->known && from->known->frames > 0 && from->known->version == from->base) {
        next->before = *from->known;
    } else {
        rc = chain_load(from->source->reader, from->run, from->base, &next->before);
    }
    if (rc == 0) {
        rc = chain_frames(from->source, from->run, &next->before, &next->before_bytes);
    }
    if (rc == 0) {
        rc = chain_held(from->source, from->run, &next->before, from->config->params,
                        &next->before_held);
    }
    if (rc == MYCEL_E_NOT_FOUND || rc == MYCEL_E_CORRUPT) {
        memset(&next->before, 0, sizeof next->before);
        rc = MYCEL_OK;
    }
    return rc;
}

static int make(struct next *next, const struct downlink_make *how, struct run_held *out)
{
    size_t model_bytes = (size_t)how->params * sizeof(float);
    bool key = false;
    int bytes = downlink_make(how, next->frame, out->model, &key);
    if (bytes < 0) {
        return bytes;
    }
    int rc = extend(next, key, (size_t)bytes, out);
    out->known.version = how->version;
    if (rc == 0) {
        sha256(out->model, model_bytes, out->known.steps[out->known.frames - 1u].held_sha256);
    }
    return rc;
}

int chain_next(const struct chain_from *from, const float *exact, struct run_held *out)
{
    struct next next = {.frame = NULL};
    memset(out, 0, sizeof *out);
    int rc = load_before(from, &next);
    if (rc == 0) {
        uint32_t params = from->config->params;
        next.frame = malloc(downlink_frame_bytes(params));
        out->model = malloc((size_t)params * sizeof(float));
        const struct downlink_make how = {.seed = from->config->seed,
                                          .version = from->base + 1u,
                                          .params = params,
                                          .exact = exact,
                                          .before = next.before_held.data,
                                          .frames = next.before.frames};
        rc = next.frame && out->model ? make(&next, &how, out) : MYCEL_E_NO_MEMORY;
    }
    free(next.frame);
    blob_content_free(&next.before_bytes);
    blob_content_free(&next.before_held);
    if (rc < 0) {
        free(out->model);
        free(out->chain);
        memset(out, 0, sizeof *out);
    }
    /* Parameters that no frame can hold are sent as they are. */
    return rc == MYCEL_E_NONFINITE || rc == MYCEL_E_TOO_LARGE ? MYCEL_OK : rc;
}
