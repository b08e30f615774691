/*
 * SCAFFOLD on the device (Karimireddy et al., "SCAFFOLD: Stochastic Controlled Averaging for Federated
 * Learning", ICML 2020, Algorithm 1 with option II): every gradient is corrected by c - c_i, and after
 * K steps of rate h that made the update D the device's variate becomes c_i+ = c_i - c - D / (K h).
 *
 * D is read back from the encoded frame, and not what training gave: the coordinator moves c by
 * -c - D / (K h) with the D that it decodes, and c remains the mean of all c_i only if both subtract the
 * same. It owns what becomes of c_i; which of its two areas holds is kept.c's, and c_i+ becomes valid only
 * when the update was counted. A c_i that cannot be read counts as zero, as before the first round.
 */
#include "client/runtime/internal.h"

#include <string.h>

#define PIECE_PARAMS (CLIENT_CHUNK_PARAMS / 2u) /* of c and of c_i at once, in half of scratch */

_Static_assert(PROTO_CONTROL_HEAD_BYTES % sizeof(float) == 0, "c lies at whole parameters");

uint32_t control_feature(const struct client *c)
{
    bool able =
        (c->port->store->areas & MYCEL_STORE_CONTROL) != 0 && c->port->trainer->correct != NULL;
    return able ? PROTO_FEATURE_CONTROL : 0;
}

uint32_t control_bytes(const struct client *c)
{
    bool fetched = c->job.control && !c->job.control_is_zero;
    return fetched ? PROTO_CONTROL_HEAD_BYTES + c->job.model_bytes : 0;
}

/* c, of the version that is trained. */
static int read_control(struct client *c, uint32_t first, float *values, uint32_t count)
{
    if (c->job.control_is_zero) {
        memset(values, 0, count * sizeof *values);
        return MYCEL_OK;
    }
    return area_read_params(c, MYCEL_AREA_CONTROL_SERVER,
                            first + PROTO_CONTROL_HEAD_BYTES / (uint32_t)sizeof(float), values,
                            count);
}

/* c - c_i of the next parameters. */
static int read_correction(struct client *c, uint32_t count, float *values)
{
    float *own = values + CLIENT_CHUNK_PARAMS;
    uint32_t first = c->in.train.position;
    int rc = read_control(c, first, values, count);
    if (rc >= 0) {
        rc = kept_read(c, CLIENT_KEPT_CONTROL, first, own, count);
    }
    for (uint32_t i = 0; rc >= 0 && i < count; i++) {
        values[i] -= own[i];
        if (values[i] - values[i] != 0.0f) {
            return MYCEL_E_NONFINITE;
        }
    }
    return rc;
}

int control_correct(struct client *c)
{
    struct client_train *t = &c->in.train;
    float *values = c->config->scratch;
    if (!c->job.control) {
        return 0;
    }
    for (unsigned i = 0; i < CLIENT_CHUNKS_PER_POLL && t->position < c->job.params; i++) {
        uint32_t left = c->job.params - t->position;
        uint32_t count = left < CLIENT_CHUNK_PARAMS ? left : CLIENT_CHUNK_PARAMS;
        int rc = read_correction(c, count, values);
        if (rc >= 0) {
            rc = c->port->trainer->correct(c->port->trainer_ctx, t->position, values, count);
        }
        if (rc < 0) {
            return rc;
        }
        t->position += count;
    }
    return t->position < c->job.params;
}

/* D of one block of the frame, in the second half of scratch; the first half is used on the way. */
static int read_block(struct client *c, uint32_t block, struct codec_place *place, float **sent)
{
    struct client_train *t = &c->in.train;
    uint8_t *codes = c->config->scratch;
    uint8_t scale[2] = {0, 0};
    codec_block_place(&t->encoder, block, place);
    *sent = (float *)c->config->scratch + CLIENT_CHUNK_PARAMS;
    int rc =
        area_read(c, MYCEL_AREA_BODY, t->head_bytes + place->codes_at, codes, place->codes_bytes);
    if (rc >= 0 && place->scale_at > 0) {
        rc = area_read(c, MYCEL_AREA_BODY, t->head_bytes + place->scale_at, scale, sizeof scale);
    }
    if (rc >= 0) {
        codec_decode_block(&t->encoder, block, scale, codes, *sent);
    }
    return rc;
}

/* c_i+ = c_i - c - D / (K h), for `count` parameters from `first` on. */
static int update_piece(struct client *c, uint32_t first, uint32_t count, const float *sent)
{
    float *control = c->config->scratch;
    float *own = control + PIECE_PARAMS;
    int rc = read_control(c, first, control, count);
    if (rc >= 0) {
        rc = kept_read(c, CLIENT_KEPT_CONTROL, first, own, count);
    }
    if (rc < 0) {
        return rc;
    }
    for (uint32_t i = 0; i < count; i++) {
        own[i] = own[i] - control[i] - sent[i] * c->in.train.step_share;
    }
    return kept_write(c, CLIENT_KEPT_CONTROL, first, own, count);
}

static int update_block(struct client *c, uint32_t block)
{
    struct codec_place place;
    float *sent;
    int rc = read_block(c, block, &place, &sent);
    for (uint32_t done = 0; rc >= 0 && done < place.count; done += PIECE_PARAMS) {
        uint32_t left = place.count - done;
        rc = update_piece(c, place.first + done, left < PIECE_PARAMS ? left : PIECE_PARAMS,
                          sent + done);
    }
    c->in.train.position = place.first + place.count;
    return rc;
}

/* Once, before the first block: the lease is too large for the stack below the decoder. */
static int begin_update(struct client *c)
{
    struct mycel_train_result result = {0};
    mycel_Lease lease;
    int rc = journal_lease(c, &lease);
    if (rc < 0) {
        return rc;
    }
    c->port->trainer->result(c->port->trainer_ctx, &result);
    float steps = (float)(result.steps > 0 ? result.steps : 1u);
    c->in.train.step_share = 1.0f / (steps * lease.plan.learning_rate);
    c->in.train.updating = true;
    return kept_begin(c, CLIENT_KEPT_CONTROL);
}

int control_update(struct client *c)
{
    struct client_train *t = &c->in.train;
    if (!c->job.control) {
        return 0;
    }
    if (!t->updating) {
        int rc = begin_update(c);
        return rc < 0 ? rc : 1;
    }
    int rc = MYCEL_OK;
    uint32_t block_params = UINT32_C(1) << t->encoder.block_log2;
    for (unsigned i = 0; i < CLIENT_CHUNKS_PER_POLL && t->position < c->job.params && rc >= 0;
         i++) {
        rc = update_block(c, t->position / block_params);
    }
    return rc < 0 ? rc : t->position < c->job.params;
}
