/*
 * The life of a context: made in the caller's arena, started, asked where it stands. It owns the
 * arena's first bytes; there is nothing to release.
 */
#include <string.h>

#include "client/nn/nn_internal.h"
#include "mycel/error.h"

int mycel_nn_init(struct mycel_nn **nn, const struct mycel_nn_plan *plan, void *arena,
                  size_t arena_bytes)
{
    size_t skew = (MYCEL_NN_ALIGN - (uintptr_t)arena % MYCEL_NN_ALIGN) % MYCEL_NN_ALIGN;
    if (arena_bytes < skew || arena_bytes - skew < plan->arena_bytes) {
        return MYCEL_E_NO_MEMORY;
    }
    const struct nn_kernels *kernels = nn_kernels_select(plan->config.kernels);
    if (kernels == NULL) {
        return MYCEL_E_UNSUPPORTED;
    }
    uint8_t *start = (uint8_t *)arena + skew;
    memset(start, 0, plan->arena_bytes);
    struct mycel_nn *context = (struct mycel_nn *)(void *)start;
    context->plan = plan;
    context->model = plan->model;
    context->kernels = kernels;
    context->direct = nn_plan_is_direct(plan);
    context->arena = start;
    context->inputs = (const void **)(void *)(start + plan->batch_offset);
    context->targets = (const float **)(void *)(context->inputs + plan->micro_batch);
    context->labels = (uint32_t *)(void *)(context->targets + plan->micro_batch);
    mycel_nn_start(context, 0, 0.0f);
    *nn = context;
    return 0;
}

void mycel_nn_start(struct mycel_nn *nn, uint64_t seed, float learning_rate)
{
    const struct mycel_nn_plan *plan = nn->plan;
    nn->seed = seed;
    nn->learning_rate = learning_rate != 0.0f ? learning_rate : plan->config.learning_rate;
    nn->steps = 0;
    nn->epochs = 0;
    nn->position = 0;
    nn->seen = 0;
    nn->loss = 0.0f;
    nn->epoch_loss = 0.0f;
    nn->epoch_sum = 0.0f;
    nn->gradient_norm = 0.0f;
    if (plan->optimizer_offset != NN_NONE) {
        memset(nn_at(nn, plan->optimizer_offset), 0, plan->bytes.optimizer);
    }
}

void mycel_nn_status(const struct mycel_nn *nn, struct mycel_nn_status *status)
{
    *status = (struct mycel_nn_status){
        .steps = nn->steps,
        .epochs = nn->epochs,
        .samples = nn->seen,
        .loss = nn->loss,
        .epoch_loss = nn->epoch_loss,
        .learning_rate = nn_rate(nn),
        .gradient_norm = nn->gradient_norm,
        .kernels = nn->kernels->name,
    };
}
