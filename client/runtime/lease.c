/*
 * Decides whether a lease is one that this device can and may carry out. Pure: no I/O, no state. A lease
 * comes from the network or from a journal, and both are checked the same way.
 */
#include "client/runtime/internal.h"

#include <string.h>

#define LEASE_EPOCHS_MAX 10000u
#define LEASE_BATCH_MAX 65536u
#define LEASE_MODEL_BYTES_MAX (64u * 1024u * 1024u)

/* Codecs with a residual need an area for it that lives as long as the run; until the store has one
 * they are not offered. */
#define LEASE_CODECS_BUILT                                                                         \
    (1u << CODEC_F32 | 1u << CODEC_F16 | 1u << CODEC_INT8 | 1u << CODEC_INT4 | 1u << CODEC_EDEN2 | \
     1u << CODEC_DRIVE1)

uint32_t lease_codecs(const struct mycel_client_config *config)
{
    return client_setting(config->codecs, LEASE_CODECS_BUILT) & LEASE_CODECS_BUILT;
}

/* True for finite values in low … high; false for NaN without needing a math library. */
static bool in_range(float value, float low, float high)
{
    return value >= low && value <= high;
}

static bool plan_is_sane(const mycel_Plan *plan)
{
    return plan->epochs >= 1 && plan->epochs <= LEASE_EPOCHS_MAX && plan->batch >= 1 &&
           plan->batch <= LEASE_BATCH_MAX && in_range(plan->learning_rate, 0.0f, 1e6f) &&
           in_range(plan->prox_mu, 0.0f, 1e6f) && in_range(plan->momentum, 0.0f, 1.0f);
}

int lease_to_job(struct client_job *job, const mycel_Lease *lease,
                 const struct mycel_client_config *config)
{
    uint32_t bytes_max = client_setting(config->model_bytes_max, LEASE_MODEL_BYTES_MAX);
    if (!lease->has_plan || !plan_is_sane(&lease->plan) || lease->model[0] == '\0' ||
        lease->params == 0 || lease->deadline_ms == 0 ||
        lease->model_bytes != (uint64_t)lease->params * sizeof(float) ||
        !in_range(lease->clip_norm, 0.0f, 1e30f)) {
        return MYCEL_E_MALFORMED;
    }
    if (lease->params > PROTO_MODEL_PARAMS_MAX || lease->model_bytes > bytes_max) {
        return MYCEL_E_TOO_LARGE;
    }
    if ((uint32_t)lease->codec >= CODEC_COUNT ||
        !(lease_codecs(config) >> (uint32_t)lease->codec & 1u)) {
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
    };
    memcpy(job->model_sha256, lease->model_sha256, sizeof job->model_sha256);
    memcpy(job->key, lease->update_key, sizeof job->key);
    return MYCEL_OK;
}
