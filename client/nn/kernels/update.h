/*
 * The optimizers, written once and compiled by each kernel set: plain loops without contraction, so
 * that every set gives the same bits from the same gradient. Sources: Sutskever et al. 2013
 * (momentum, Nesterov), Loshchilov and Hutter 2019 (AdamW), Li et al. 2020 (FedProx), Karimireddy
 * et al. 2020 (SCAFFOLD); conventions are PyTorch's.
 */
#ifndef MYCEL_NN_UPDATE_H
#define MYCEL_NN_UPDATE_H

#include "client/nn/kernels/walk.h"
#include "client/nn/nn_build.h"
#include "mycel/nn.h"

/* The gradient of value i with everything that is added to it. */
NN_INLINE float update_gradient(const struct nn_update *u, uint32_t i, float decay)
{
    float g = u->g[i] * u->scale;
    if (u->correction != NULL) {
        g += u->correction[i];
    }
    if (u->base != NULL) {
        g += u->prox * (u->w[i] - u->base[i]);
    }
    return g + decay * u->w[i];
}

static void update_sgd(const struct nn_update *u)
{
    for (uint32_t i = 0; i < u->count; i++) {
        u->w[i] -= u->rate * update_gradient(u, i, u->decay);
    }
}

static void update_momentum(const struct nn_update *u)
{
    const float look_ahead = u->optimizer == MYCEL_NN_NESTEROV ? u->momentum : 0.0f;
    const float keep = u->optimizer == MYCEL_NN_NESTEROV ? 1.0f : 0.0f;
    for (uint32_t i = 0; i < u->count; i++) {
        float g = update_gradient(u, i, u->decay);
        float m = u->momentum * u->m[i] + g;
        u->m[i] = m;
        float step = keep > 0.0f ? g + look_ahead * m : m;
        u->w[i] -= u->rate * step;
    }
}

static void update_adamw(const struct nn_update *u)
{
    const float keep = 1.0f - u->rate * u->decay;
    const float rest1 = 1.0f - u->momentum;
    const float rest2 = 1.0f - u->beta2;
    for (uint32_t i = 0; i < u->count; i++) {
        float g = update_gradient(u, i, 0.0f);
        float m = u->momentum * u->m[i] + rest1 * g;
        float v = u->beta2 * u->v[i] + rest2 * g * g;
        u->m[i] = m;
        u->v[i] = v;
        float spread = __builtin_sqrtf(v * u->correct2) + u->epsilon;
        u->w[i] = u->w[i] * keep - u->rate * (m * u->correct1) / spread;
    }
}

static void update_apply(const struct nn_update *u)
{
    switch (u->optimizer) {
    case MYCEL_NN_SGD:
        update_sgd(u);
        break;
    case MYCEL_NN_ADAMW:
        if (MYCEL_NN_WITH_ADAMW) {
            update_adamw(u);
        }
        break;
    default:
        if (MYCEL_NN_WITH_MOMENTUM) {
            update_momentum(u);
        }
    }
}

#endif
