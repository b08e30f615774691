/*
 * The model that a device keeps, and the next one made of it and a patch: key frames and deltas, as update
 * frames one after the other (docs/PROTOCOL.md, "Patch"). It owns which area of the pair holds the model; it
 * must never write to that one, nor call the other one the model before its hash was right.
 *
 *   kept, next     fetch.c: the patch (or the whole model into `next`), then its hash
 *   kept, next     patch_build: next = kept + frames, block by block; then the hash of the whole
 *   next is kept   patch_adopt: one record of the journal
 *
 * A power cut before that record finds the kept model and the patch as they were, and builds again. Whatever
 * is wrong with a patch (gone, another hash, another result) ends in patch_give_up, which costs bytes and
 * nothing else. Values are added in f32, frame by frame, as the coordinator does: the sums are the same bits.
 */
#include "client/runtime/internal.h"

#include "common/bytes.h"

#include <string.h>

#define PIECES_PER_POLL 4u /* of CLIENT_CHUNK_PARAMS, each through up to all frames */

uint32_t patch_feature(const struct client *c)
{
    return (c->port->store->areas & MYCEL_STORE_PATCH) != 0 ? PROTO_FEATURE_PATCH : 0;
}

int patch_of_lease(struct client_job *job, const mycel_Lease *lease, const struct client *c)
{
    const struct client_model *kept = &c->progress.model;
    job->keeps = lease->delta && patch_feature(c) != 0;
    if (!job->keeps) {
        return MYCEL_OK;
    }
    if (lease->control || lease->patch_bytes >= lease->model_bytes ||
        (lease->patch_bytes > 0 && lease->patch_sha256.size != PROTO_SHA256_BYTES)) {
        return MYCEL_E_MALFORMED;
    }
    job->held =
        kept->place != 0 && memcmp(kept->sha256, lease->model_sha256, PROTO_HELD_BYTES) == 0;
    job->patch_bytes = lease->patch_bytes;
    job->patch_key = lease->patch_key;
    job->patched = !job->held && !c->progress.whole && lease->patch_bytes > 0 &&
                   (lease->patch_key || kept->place != 0);
    if (job->patched) {
        memcpy(job->blob_sha256, lease->patch_sha256.bytes, sizeof job->blob_sha256);
    }
    return MYCEL_OK;
}

enum mycel_area patch_model_area(const struct client *c)
{
    return c->progress.model.place == 2u ? MYCEL_AREA_MODEL_B : MYCEL_AREA_MODEL;
}

enum mycel_area patch_next_area(const struct client *c)
{
    return c->progress.model.place == 1u ? MYCEL_AREA_MODEL_B : MYCEL_AREA_MODEL;
}

/* Stands in for an encoder's output: the header in the patch has to be the one that it would write. */
static int compare_header(void *user, uint32_t offset, const void *data, size_t bytes)
{
    (void)offset;
    return memcmp(user, data, bytes) == 0 ? MYCEL_OK : MYCEL_E_MALFORMED;
}

/* The frame that begins at `at` of the patch. Its bytes, or an error. */
static int open_frame(struct client *c, uint32_t at, struct codec_encoder *frame)
{
    uint8_t head[CODEC_HEADER_BYTES];
    int rc = area_read(c, MYCEL_AREA_PATCH, at, head, sizeof head);
    if (rc < 0) {
        return rc;
    }
    const struct codec_header header = {.codec = (enum codec_id)head[3],
                                        .params = get_u32le(head + 4),
                                        .base_version = get_u32le(head + 8),
                                        .seed = get_u32le(head + 12),
                                        .weight = get_u32le(head + 16)};
    if (head[3] >= CODEC_COUNT || codec_has_residual(header.codec) ||
        header.params != c->job.params) {
        return MYCEL_E_MALFORMED;
    }
    rc = codec_encode_begin(frame, &header, compare_header, head);
    return rc < 0 ? rc : (int)codec_frame_bytes(header.codec, header.params);
}

/* Adds what one frame says of parameters first … first + count - 1. `out`: a chunk of room. */
static int add_frame(struct client *c, uint32_t at, const struct codec_encoder *frame,
                     uint32_t first, uint32_t count, float *sum, float *out)
{
    uint32_t last = (first + count - 1u) >> frame->block_log2;
    for (uint32_t block = first >> frame->block_log2; block <= last; block++) {
        uint8_t codes[PROTO_PATCH_CODES_BYTES_MAX];
        uint8_t scale[2] = {0, 0};
        struct codec_place place;
        codec_block_place(frame, block, &place);
        if (place.codes_bytes > sizeof codes) {
            return MYCEL_E_UNSUPPORTED;
        }
        int rc = area_read(c, MYCEL_AREA_PATCH, at + place.codes_at, codes, place.codes_bytes);
        if (rc >= 0 && place.scale_at > 0) {
            rc = area_read(c, MYCEL_AREA_PATCH, at + place.scale_at, scale, sizeof scale);
        }
        if (rc < 0) {
            return rc;
        }
        codec_decode_block(frame, block, scale, codes, out);
        for (uint32_t i = 0; i < place.count; i++) {
            sum[place.first - first + i] += out[i];
        }
    }
    return MYCEL_OK;
}

static int add_frames(struct client *c, uint32_t first, uint32_t count, float *sum, float *out)
{
    uint32_t at = 0;
    for (unsigned frames = 0; at < c->job.patch_bytes; frames++) {
        struct codec_encoder frame;
        int bytes = frames < PROTO_PATCH_FRAMES_MAX ? open_frame(c, at, &frame) : MYCEL_E_MALFORMED;
        if (bytes < 0) {
            return bytes;
        }
        if ((uint32_t)bytes > c->job.patch_bytes - at) {
            return MYCEL_E_MALFORMED;
        }
        int rc = add_frame(c, at, &frame, first, count, sum, out);
        if (rc < 0) {
            return rc;
        }
        at += (uint32_t)bytes;
    }
    return MYCEL_OK;
}

static int build_piece(struct client *c, uint32_t first, uint32_t count)
{
    float *sum = c->config->scratch;
    int rc = MYCEL_OK;
    if (c->job.patch_key) {
        memset(sum, 0, count * sizeof *sum);
    } else {
        rc = area_read_params(c, patch_model_area(c), first, sum, count);
    }
    if (rc >= 0) {
        rc = add_frames(c, first, count, sum, sum + CLIENT_CHUNK_PARAMS);
    }
    return rc < 0 ? rc : area_write_params(c, patch_next_area(c), first, sum, count);
}

int patch_build(struct client *c)
{
    struct client_fetch *f = &c->in.fetch;
    int rc = MYCEL_OK;
    if (f->built == 0) {
        rc = c->port->store->erase(c->port->store_ctx, patch_next_area(c));
    }
    for (unsigned i = 0; i < PIECES_PER_POLL && f->built < c->job.params && rc >= 0; i++) {
        uint32_t left = c->job.params - f->built;
        uint32_t count = left < CLIENT_CHUNK_PARAMS ? left : CLIENT_CHUNK_PARAMS;
        rc = build_piece(c, f->built, count);
        f->built += count;
    }
    return rc < 0 ? rc : f->built < c->job.params;
}

int patch_adopt(struct client *c, const uint8_t sha256[SHA256_BYTES])
{
    int rc = c->port->store->sync(c->port->store_ctx, patch_next_area(c));
    if (rc < 0) {
        return rc;
    }
    c->progress.model.place = patch_next_area(c) == MYCEL_AREA_MODEL ? 1u : 2u;
    memcpy(c->progress.model.sha256, sha256, PROTO_HELD_BYTES);
    c->job.held = true;
    c->job.patched = false;
    return journal_update(c);
}

int patch_expect_model(struct client *c)
{
    mycel_Lease lease;
    int rc = journal_lease(c, &lease);
    if (rc == MYCEL_OK) {
        memcpy(c->job.blob_sha256, lease.model_sha256, sizeof c->job.blob_sha256);
    }
    return rc;
}

int patch_give_up(struct client *c)
{
    int rc = patch_expect_model(c);
    if (rc < 0) {
        return rc;
    }
    c->job.patched = false;
    c->progress.whole = true;
    c->progress.fetched = 0;
    requests_cancel(c);
    c->in.fetch = (struct client_fetch){.part = CLIENT_FETCH_MODEL};
    return journal_update(c);
}
