/*
 * From trained weights to a durable update: delta = trained − base, with error feedback the residual of
 * earlier rounds added, clipped if asked, encoded chunk by chunk straight into the store, so no second
 * model is ever in memory. It owns the body's content; once
 * encode_persist returned 0 the body never changes again.
 */
#include "client/runtime/internal.h"

static uint32_t chunk_at(const struct client *c, uint32_t chunk)
{
    uint32_t left = c->job.params - c->in.train.position;
    return left < chunk ? left : chunk;
}

/* The next `count` values of the delta, in the first half of scratch. */
static int read_delta(struct client *c, uint32_t count, float **delta)
{
    float *trained = c->config->scratch;
    float *base = trained + CLIENT_CHUNK_PARAMS;
    uint32_t first = c->in.train.position;
    int rc = c->port->trainer->weights(c->port->trainer_ctx, first, trained, count);
    if (rc < 0) {
        return rc;
    }
    rc = area_read_params(c, patch_model_area(c), first, base, count);
    for (uint32_t i = 0; rc >= 0 && i < count; i++) {
        trained[i] -= base[i];
    }
    *delta = trained;
    return rc;
}

/* The next `count` values of what is to be sent: the delta, and in the second half of scratch what earlier
 * updates left out; NULL for codecs that leave nothing out. */
static int read_parts(struct client *c, uint32_t count, float **delta, float **residual)
{
    int rc = read_delta(c, count, delta);
    *residual = NULL;
    if (rc >= 0 && codec_has_residual((enum codec_id)c->job.codec)) {
        *residual = *delta + CLIENT_CHUNK_PARAMS;
        rc = kept_read(c, CLIENT_KEPT_RESIDUAL, c->in.train.position, *residual, count);
    }
    return rc;
}

/* Square root of a finite x > 0 by Newton's method from above, which falls monotonically: exact to an
 * ulp or so and the same on every machine, without a math library. */
static float square_root(float x)
{
    float root = x > 1.0f ? x : 1.0f;
    for (unsigned i = 0; i < 160u; i++) {
        float next = 0.5f * (root + x / root);
        if (next >= root) {
            break;
        }
        root = next;
    }
    return root;
}

/* min(1, C / ‖Δ + e‖): the factor that keeps what is sent within the plan's clip. What it takes away is
 * no residual: a clip is meant to stay. */
int encode_norm(struct client *c)
{
    struct client_train *t = &c->in.train;
    t->scale = 1.0f;
    if (c->job.clip_norm <= 0.0f) {
        return 0;
    }
    for (unsigned i = 0; i < CLIENT_CHUNKS_PER_POLL && t->position < c->job.params; i++) {
        uint32_t count = chunk_at(c, CLIENT_CHUNK_PARAMS);
        float *delta;
        float *residual;
        int rc = read_parts(c, count, &delta, &residual);
        if (rc < 0) {
            return rc;
        }
        float sum = 0.0f;
        for (uint32_t k = 0; k < count; k++) {
            float value = residual != NULL ? delta[k] + residual[k] : delta[k];
            sum += value * value;
        }
        t->squared_norm += sum;
        t->position += count;
    }
    if (t->position < c->job.params) {
        return 1;
    }
    if (t->squared_norm - t->squared_norm != 0.0f) {
        return MYCEL_E_NONFINITE;
    }
    if (t->squared_norm > c->job.clip_norm * c->job.clip_norm) {
        t->scale = c->job.clip_norm / square_root(t->squared_norm);
    }
    return 0;
}

static int write_frame(void *user, uint32_t offset, const void *data, size_t bytes)
{
    struct client *c = user;
    return c->port->store->write(c->port->store_ctx, MYCEL_AREA_BODY,
                                 c->in.train.head_bytes + offset, data, bytes);
}

int encode_begin(struct client *c)
{
    struct client_train *t = &c->in.train;
    struct mycel_train_result result = {0};
    c->port->trainer->result(c->port->trainer_ctx, &result);
    mycel_UpdateReport report = {
        .run = c->job.run,
        .round = c->job.round,
        .base_version = c->job.base_version,
        .samples = result.samples,
        .steps = result.steps,
        .loss_first = result.loss_first,
        .loss_last = result.loss_last,
        .train_ms = t->train_ms,
        .codec = (mycel_Codec)c->job.codec,
    };
    if (codec_has_residual((enum codec_id)c->job.codec)) {
        int rc = kept_begin(c, CLIENT_KEPT_RESIDUAL);
        if (rc < 0) {
            return rc;
        }
    }
    uint8_t head[WIRE_UPDATE_HEAD_MAX];
    int n = wire_update_head(&report, head, sizeof head);
    if (n < 0) {
        return n;
    }
    t->head_bytes = (uint32_t)n;
    uint32_t frame_bytes = codec_frame_bytes((enum codec_id)c->job.codec, c->job.params);
    if (frame_bytes > PROTO_UPDATE_BYTES_MAX - t->head_bytes) {
        return MYCEL_E_TOO_LARGE;
    }
    int rc = c->port->store->erase(c->port->store_ctx, MYCEL_AREA_BODY);
    if (rc < 0) {
        return rc;
    }
    rc = c->port->store->write(c->port->store_ctx, MYCEL_AREA_BODY, 0, head, t->head_bytes);
    if (rc < 0) {
        return rc;
    }
    struct codec_header header = {
        .codec = (enum codec_id)c->job.codec,
        .params = c->job.params,
        .base_version = c->job.base_version,
        .seed = c->job.seed,
        .weight = result.samples,
    };
    return codec_encode_begin(&t->encoder, &header, write_frame, c);
}

/* One block: what is sent goes to the body, what is left out to the next residual. */
static int encode_block(struct client *c, uint32_t count)
{
    struct client_train *t = &c->in.train;
    float *delta;
    float *residual;
    int rc = read_parts(c, count, &delta, &residual);
    if (rc < 0) {
        return rc;
    }
    for (uint32_t k = 0; t->scale < 1.0f && k < count; k++) {
        delta[k] *= t->scale;
        if (residual != NULL) {
            residual[k] *= t->scale;
        }
    }
    rc = codec_encode_block(&t->encoder, delta, count, residual);
    if (rc >= 0 && residual != NULL) {
        rc = kept_write(c, CLIENT_KEPT_RESIDUAL, t->position, residual, count);
    }
    return rc;
}

int encode_blocks(struct client *c)
{
    struct client_train *t = &c->in.train;
    uint32_t block = codec_block_params((enum codec_id)c->job.codec, c->job.params);
    MYCEL_ASSERT(block >= 1 && block <= CLIENT_CHUNK_PARAMS);
    for (unsigned i = 0; i < CLIENT_CHUNKS_PER_POLL && t->position < c->job.params; i++) {
        uint32_t count = chunk_at(c, block);
        int rc = encode_block(c, count);
        if (rc < 0) {
            return rc;
        }
        t->position += count;
    }
    return t->position < c->job.params;
}

static int sync_all(struct client *c)
{
    int rc = c->port->store->sync(c->port->store_ctx, MYCEL_AREA_BODY);
    if (rc >= 0 && codec_has_residual((enum codec_id)c->job.codec)) {
        rc = kept_sync(c, CLIENT_KEPT_RESIDUAL);
    }
    if (rc >= 0 && c->job.control) {
        rc = kept_sync(c, CLIENT_KEPT_CONTROL);
    }
    return rc;
}

/* Content first, then its digest, then the record that speaks of both. */
int encode_persist(struct client *c)
{
    struct client_train *t = &c->in.train;
    int rc;
    if (!t->hashing) {
        rc = codec_encode_end(&t->encoder);
        if (rc < 0) {
            return rc;
        }
        c->progress.body_bytes = t->head_bytes + (uint32_t)rc;
        rc = sync_all(c);
        if (rc < 0) {
            return rc;
        }
        t->hashing = true;
        area_hash_begin(c);
    }
    rc = area_hash(c, MYCEL_AREA_BODY, c->progress.body_bytes, c->progress.body_sha256);
    if (rc != 0) {
        return rc;
    }
    c->progress.phase = CLIENT_PHASE_ENCODED;
    return journal_update(c);
}
