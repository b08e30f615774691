/*
 * Decides whether a lease is one that this device can and may carry out. Pure: no I/O, no state. A lease
 * comes from the network or from a journal, and both are checked the same way.
 */
#include "client/runtime/internal.h"

#include <string.h>

#define LEASE_EPOCHS_MAX 10000u
#define LEASE_BATCH_MAX 65536u

uint32_t lease_codecs(const struct client *c)
{
    bool keeps_residuals = (c->port->store->areas & MYCEL_STORE_RESIDUAL) != 0;
    uint32_t able = 0;
    for (uint32_t codec = 0; codec < CODEC_COUNT; codec++) {
        if (keeps_residuals || !codec_has_residual((enum codec_id)codec)) {
            able |= 1u << codec;
        }
    }
    return client_setting(c->config->codecs, able) & able;
}

/* Whose vectors are kept: the first bytes of a digest over run and model. */
static void make_tag(uint8_t tag[CLIENT_TAG_BYTES], const mycel_Lease *lease)
{
    const uint8_t run[4] = {(uint8_t)lease->run, (uint8_t)(lease->run >> 8),
                            (uint8_t)(lease->run >> 16), (uint8_t)(lease->run >> 24)};
    uint8_t digest[SHA256_BYTES];
    struct sha256 sha;
    sha256_init(&sha);
    sha256_update(&sha, run, sizeof run);
    sha256_update(&sha, lease->model, strlen(lease->model));
    sha256_final(&sha, digest);
    memcpy(tag, digest, CLIENT_TAG_BYTES);
}

/* True for finite values in low … high; false for NaN without needing a math library. */
static bool in_range(float value, float low, float high)
{
    return value >= low && value <= high;
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
    uint8_t any = 0;
    for (size_t i = 0; i < count; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

static bool plan_is_sane(const mycel_Plan *plan)
{
    return plan->epochs >= 1 && plan->epochs <= LEASE_EPOCHS_MAX && plan->batch >= 1 &&
           plan->batch <= LEASE_BATCH_MAX && in_range(plan->learning_rate, 0.0f, 1e6f) &&
           in_range(plan->prox_mu, 0.0f, 1e6f) && in_range(plan->momentum, 0.0f, 1.0f);
}

int lease_to_job(struct client_job *job, const mycel_Lease *lease, const struct client *c)
{
    uint32_t bytes_max = client_setting(c->config->model_bytes_max, CLIENT_MODEL_BYTES_MAX);
    if (!lease->has_plan || !plan_is_sane(&lease->plan) || lease->model[0] == '\0' ||
        lease->params == 0 || lease->deadline_ms == 0 ||
        lease->model_bytes != (uint64_t)lease->params * sizeof(float) ||
        !in_range(lease->clip_norm, 0.0f, 1e30f)) {
        return MYCEL_E_MALFORMED;
    }
    if (lease->control && (!(lease->plan.learning_rate > 0.0f) || lease->plan.momentum > 0.0f)) {
        return MYCEL_E_MALFORMED; /* c_i follows from the update by plain SGD's step only */
    }
    if (lease->control && control_feature(c) == 0) {
        return MYCEL_E_UNSUPPORTED;
    }
    if (lease->params > PROTO_MODEL_PARAMS_MAX || lease->model_bytes > bytes_max) {
        return MYCEL_E_TOO_LARGE;
    }
    if ((uint32_t)lease->codec >= CODEC_COUNT ||
        !(lease_codecs(c) >> (uint32_t)lease->codec & 1u)) {
        return MYCEL_E_CODEC;
    }
    *job = (struct client_job){
        .run = lease->run,
        .round = lease->round,
        .base_version = lease->base_version,
        .params = lease->params,
        .model_bytes = (uint32_t)lease->model_bytes,
        .seed = (uint32_t)lease->plan.seed,
        .clip_norm = lease->clip_norm,
        .codec = (uint8_t)lease->codec,
        .control = lease->control,
        .control_is_zero = is_zero(lease->control_sha256, sizeof lease->control_sha256),
    };
    memcpy(job->blob_sha256, lease->model_sha256, sizeof job->blob_sha256);
    memcpy(job->key, lease->update_key, sizeof job->key);
    make_tag(job->tag, lease);
    return patch_of_lease(job, lease, c);
}
