/*
 * From gradients to weights. Plain SGD needs nothing but the weights: the loss's gradient is scaled
 * by -rate from the start, so that layers add to them directly. The other optimizers get each
 * layer's gradient in a small space and use it up at once; only clipping and micro-batches keep a
 * whole gradient. It owns the learning rate's schedule and the step count's meaning.
 */
#include <string.h>

#include "client/nn/nn_internal.h"
#include "client/nn/nn_math.h"

/* x^n by squaring; n has 32 bits, so there are at most 32 rounds. */
static float power(float x, uint32_t n)
{
    float y = 1.0f;
    for (; n > 0; n >>= 1) {
        y = (n & 1u) != 0 ? y * x : y;
        x *= x;
    }
    return y;
}

float nn_rate(const struct mycel_nn *nn)
{
    const struct mycel_nn_config *c = &nn->plan->config;
    float rate = nn->learning_rate;
    if (!MYCEL_NN_WITH_SCHEDULES) {
        return rate;
    }
    uint32_t steps = c->schedule_steps;
    float share = steps > 0 && nn->steps < steps ? (float)nn->steps / (float)steps : 1.0f;
    switch (c->schedule) {
    case MYCEL_NN_STEP:
        rate *= power(c->schedule_factor, nn->steps / steps);
        break;
    case MYCEL_NN_LINEAR:
        rate *= 1.0f + (c->schedule_factor - 1.0f) * share;
        break;
    case MYCEL_NN_COSINE:
        rate *= c->schedule_factor + (1.0f - c->schedule_factor) * 0.5f * (1.0f + nn_cospif(share));
        break;
    default:
        break;
    }
    if (nn->steps < c->warmup_steps) {
        rate *= (float)(nn->steps + 1) / (float)c->warmup_steps;
    }
    return rate;
}

static float *state_at(const struct mycel_nn *nn, uint32_t region, uint32_t i, uint32_t from)
{
    if (region == NN_NONE) {
        return NULL;
    }
    return nn_at(nn, region + nn->plan->layer[i].state_offset) + from;
}

/* One optimizer step on values from … from + count of layer i, given their gradient. */
static void apply(struct mycel_nn *nn, uint32_t i, uint32_t from, uint32_t count, const float *g,
                  float scale)
{
    const struct mycel_nn_plan *plan = nn->plan;
    const struct mycel_nn_config *c = &plan->config;
    bool adam = c->optimizer == MYCEL_NN_ADAMW;
    float *m = state_at(nn, plan->optimizer_offset, i, from);
    const struct nn_update job = {
        .optimizer = c->optimizer,
        .count = count,
        .w = nn_params(nn, i) + from,
        .g = g,
        .m = m,
        .v = adam ? m + plan->trained_bytes / 4u : NULL,
        .base = state_at(nn, plan->base_offset, i, from),
        .correction = state_at(nn, plan->correction_offset, i, from),
        .scale = scale,
        .rate = nn_rate(nn),
        .decay = c->weight_decay,
        .prox = c->prox,
        .momentum = c->momentum,
        .beta2 = c->beta2,
        .epsilon = c->epsilon,
        .correct1 = adam ? 1.0f / (1.0f - power(c->momentum, nn->update_step)) : 1.0f,
        .correct2 = adam ? 1.0f / (1.0f - power(c->beta2, nn->update_step)) : 1.0f,
    };
    nn->kernels->update(&job);
}

uint32_t nn_target_space(const struct mycel_nn_plan *plan, uint32_t count)
{
    bool needed = NN_WITH_UPDATES && !nn_plan_is_direct(plan) && plan->gradients_offset == NN_NONE;
    return needed ? count * 4u : 0;
}

float *nn_target(struct mycel_nn *nn, uint32_t i, uint32_t from, uint32_t count, float *space)
{
    const struct mycel_nn_layer_plan *p = &nn->plan->layer[i];
    if (MYCEL_NN_WITH_GRADIENTS && p->gradient_offset != NN_NONE) {
        return nn_at(nn, p->gradient_offset) + from;
    }
    if (!NN_WITH_UPDATES || nn->direct) {
        return nn_params(nn, i) + from;
    }
    memset(space, 0, (size_t)count * 4u);
    return space;
}

void nn_target_done(struct mycel_nn *nn, uint32_t i, uint32_t from, uint32_t count,
                    const float *space)
{
    if (NN_WITH_UPDATES && nn_target_space(nn->plan, count) > 0) {
        apply(nn, i, from, count, space, 1.0f);
    }
}

void nn_step_begin(struct mycel_nn *nn, uint32_t batch)
{
    const struct mycel_nn_plan *plan = nn->plan;
    nn->update_step = nn->steps + 1;
    nn->gradient_scale = (nn->direct ? -nn_rate(nn) : 1.0f) / (float)batch;
    if (MYCEL_NN_WITH_GRADIENTS && plan->gradients_offset != NN_NONE) {
        memset(nn_at(nn, plan->gradients_offset), 0, plan->gradients_bytes);
    }
}

/* The L2 norm of the whole gradient; padding is 0 and adds nothing. */
static float gradient_norm(const struct mycel_nn *nn)
{
    const float *g = nn_at(nn, nn->plan->gradients_offset);
    float sum = 0.0f;
    for (uint32_t k = 0; k < nn->plan->gradients_bytes / 4u; k++) {
        sum += g[k] * g[k];
    }
    return nn_sqrtf(sum);
}

void nn_step_end(struct mycel_nn *nn)
{
    const struct mycel_nn_plan *plan = nn->plan;
    float scale = 1.0f;
    if (!MYCEL_NN_WITH_GRADIENTS || plan->gradients_offset == NN_NONE) {
        return;
    }
    if (plan->config.clip_norm > 0.0f) {
        nn->gradient_norm = gradient_norm(nn);
        if (nn->gradient_norm > plan->config.clip_norm) {
            scale = plan->config.clip_norm / nn->gradient_norm;
        }
    }
    for (uint32_t i = plan->first_trained; i < nn->model->layer_count; i++) {
        const struct mycel_nn_layer_plan *p = &plan->layer[i];
        if (p->trains) {
            apply(nn, i, 0, nn_trained_values(plan, i), nn_at(nn, p->gradient_offset), scale);
        }
    }
}
