/*
 * The client's trainer in virtual time: the shipped trainer does the work somewhere (another thread,
 * another process), and the device is done when a device of its class would be. The result waits for
 * whichever is later.
 */
#include "sim/world/world.h"

#include <mycel/error.h>
#include <string.h>

static struct live_training *training_of(void *ctx)
{
    return &((struct live *)ctx)->training;
}

static uint32_t trainer_samples(void *ctx)
{
    const struct live *live = ctx;
    uint32_t count;
    (void)fleet_indices(&live->world->fleet, live->device, &count);
    return count;
}

/* What the training still needs of virtual computing time. */
static uint64_t left_us_at(const struct live_training *t, uint64_t now_us)
{
    uint64_t running_us = t->running ? now_us - t->since_us : 0;
    return running_us < t->left_us ? t->left_us - running_us : 0;
}

/* Operations that were done before the training was given up. */
static uint64_t flops_spent(const struct live_training *t, uint64_t now_us)
{
    uint64_t spent_us = t->total_us - left_us_at(t, now_us);
    return t->total_us == 0 ? 0
                            : (uint64_t)((double)t->flops * (double)spent_us / (double)t->total_us);
}

void port_training_drop(struct live *live)
{
    struct live_training *t = &live->training;
    struct world *world = live->world;
    if (t->started) {
        trainers_wait(world->trainers, t->work);
        if (!t->complete) {
            world_discarded(world, live->device, flops_spent(t, world->now_us));
        }
    }
    training_free(t->work);
    *t = (struct live_training){0};
}

static int trainer_prepare(void *ctx, const struct mycel_plan *plan, uint32_t *column)
{
    struct live *live = ctx;
    port_training_drop(live);
    (void)column; /* the coordinator's description was parsed when the scenario was read */
    live->training.work = training_new(plan);
    if (live->training.work == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    live->training.work->device = live->device;
    world_prepare_training(live->world, live);
    return MYCEL_OK;
}

static int trainer_load(void *ctx, uint32_t first, const float *values, uint32_t count)
{
    struct training *work = training_of(ctx)->work;
    memcpy(work->values + first, values, count * sizeof *values);
    return MYCEL_OK;
}

static int trainer_correct(void *ctx, uint32_t first, const float *values, uint32_t count)
{
    struct training *work = training_of(ctx)->work;
    memcpy(work->correction + first, values, count * sizeof *values);
    return MYCEL_OK;
}

/* Books the virtual time that has passed. */
static void advance(struct live_training *t, uint64_t now_us)
{
    t->left_us = left_us_at(t, now_us);
    t->since_us = now_us;
}

static int trainer_step(void *ctx, uint32_t steps)
{
    struct live *live = ctx;
    struct live_training *t = &live->training;
    (void)steps; /* how the work is cut into calls does not matter */
    if (!t->started) {
        trainers_start(live->world->trainers, t->work);
        t->started = true;
    }
    advance(t, live->world->now_us);
    t->running = true;
    if (t->left_us > 0) {
        return 1;
    }
    t->running = false;
    trainers_wait(live->world->trainers, t->work);
    if (t->work->status == 0) {
        t->complete = true;
        world_trained(live->world, live);
    }
    return t->work->status;
}

void port_training_pause(struct live *live)
{
    struct live_training *t = &live->training;
    if (t->running) {
        advance(t, live->world->now_us);
        t->running = false;
    }
}

uint64_t port_training_end_us(const struct live *live)
{
    const struct live_training *t = &live->training;
    return t->running && t->left_us > 0 ? t->since_us + t->left_us : UINT64_MAX;
}

static int trainer_weights(void *ctx, uint32_t first, float *values, uint32_t count)
{
    const struct training *work = training_of(ctx)->work;
    memcpy(values, work->values + first, count * sizeof *values);
    return MYCEL_OK;
}

static void trainer_result(void *ctx, struct mycel_train_result *result)
{
    *result = training_of(ctx)->work->result;
}

static void trainer_release(void *ctx)
{
    port_training_drop(ctx);
}

const struct mycel_trainer port_trainer = {trainer_samples, trainer_prepare, trainer_load,
                                           trainer_step,    trainer_weights, trainer_result,
                                           trainer_release, trainer_correct};
