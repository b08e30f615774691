/*
 * TRAIN: loads the model into the trainer and lets it work in small steps while the owner's idle policy
 * agrees; encode.c makes the update of it. It owns the order of these stages; it must never train
 * longer in one poll than steps_per_poll says.
 */
#include "client/runtime/internal.h"

#include "common/codec/half.h"

#define TRAIN_STEPS_PER_POLL 16u

/* 1: call again, 0: the stage is complete, <0: it failed. */
typedef int (*stage_fn)(struct client *c);

static int prepare(struct client *c)
{
    mycel_Lease lease;
    int rc = journal_lease(c, &lease);
    if (rc < 0) {
        return rc;
    }
    struct mycel_plan plan = {
        .model = lease.model,
        .params = lease.params,
        .epochs = lease.plan.epochs,
        .batch = lease.plan.batch,
        .steps_max = lease.plan.steps_max,
        .learning_rate = lease.plan.learning_rate,
        .momentum = lease.plan.momentum,
        .prox_mu = lease.plan.prox_mu,
        .seed = lease.plan.seed,
        .control = c->job.control,
    };
    uint32_t column = 0;
    rc = c->port->trainer->prepare(c->port->trainer_ctx, &plan, &column);
    c->trainer_ready = rc >= 0;
    if (rc < 0) {
        struct mycel_event event = {.kind = MYCEL_EVENT_PROBLEM,
                                    .code = rc,
                                    .column = column,
                                    .text =
                                        "the model cannot be trained here, or not with these data"};
        client_emit(c, &event);
    }
    return rc;
}

static int load(struct client *c)
{
    struct client_train *t = &c->in.train;
    float *values = c->config->scratch;
    for (unsigned i = 0; i < CLIENT_CHUNKS_PER_POLL && t->position < c->job.params; i++) {
        uint32_t left = c->job.params - t->position;
        uint32_t count = left < CLIENT_CHUNK_PARAMS ? left : CLIENT_CHUNK_PARAMS;
        int rc = area_read_params(c, patch_model_area(c), t->position, values, count);
        if (rc < 0) {
            return rc;
        }
        rc = c->port->trainer->load(c->port->trainer_ctx, t->position, values, count);
        if (rc < 0) {
            return rc;
        }
        t->position += count;
    }
    return t->position < c->job.params;
}

static int step(struct client *c)
{
    struct client_train *t = &c->in.train;
    int rc = c->port->trainer->step(
        c->port->trainer_ctx, client_setting(c->config->steps_per_poll, TRAIN_STEPS_PER_POLL));
    if (rc != 0) {
        return rc;
    }
    struct mycel_train_result result = {0};
    c->port->trainer->result(c->port->trainer_ctx, &result);
    if (!float_is_finite(result.loss_first) || !float_is_finite(result.loss_last)) {
        return MYCEL_E_NONFINITE;
    }
    if (result.samples == 0 || result.samples > PROTO_SAMPLES_MAX) {
        return MYCEL_E_WEIGHT;
    }
    t->train_ms += (uint32_t)(c->now_ms - t->running_since_ms);
    struct mycel_event event = {.kind = MYCEL_EVENT_TRAINED,
                                .steps = result.steps,
                                .wait_ms = t->train_ms,
                                .loss_first = result.loss_first,
                                .loss_last = result.loss_last};
    client_emit(c, &event);
    return 0;
}

static const struct {
    stage_fn run;
    const char *failure;
} stages[] = {
    [CLIENT_TRAIN_PREPARE] = {prepare, "the training cannot be prepared"},
    [CLIENT_TRAIN_LOAD] = {load, "the model cannot be loaded"},
    [CLIENT_TRAIN_CORRECT] = {control_correct, "the control variate cannot be loaded"},
    [CLIENT_TRAIN_STEP] = {step, "the training failed"},
    [CLIENT_TRAIN_NORM] = {encode_norm, "the update cannot be measured"},
    [CLIENT_TRAIN_BEGIN] = {encode_begin, "the update cannot be written"},
    [CLIENT_TRAIN_ENCODE] = {encode_blocks, "the update cannot be encoded"},
    [CLIENT_TRAIN_CONTROL] = {control_update, "the control variate cannot be written"},
    [CLIENT_TRAIN_PERSIST] = {encode_persist, "the update cannot be made durable"},
};

/* Whether the idle policy stands in the way. Behind the last step only milliseconds of work are left. */
static bool is_paused(struct client *c)
{
    struct client_train *t = &c->in.train;
    if (t->stage > CLIENT_TRAIN_STEP) {
        return false;
    }
    struct mycel_conditions conditions = {.idle = false};
    c->port->platform->conditions(c->port->platform_ctx,
                                  t->stage == CLIENT_TRAIN_STEP && !t->paused, &conditions);
    if (conditions.idle == !t->paused) {
        return t->paused;
    }
    t->paused = !conditions.idle;
    if (!t->paused) {
        t->running_since_ms = c->now_ms;
    } else if (t->stage == CLIENT_TRAIN_STEP) {
        t->train_ms += (uint32_t)(c->now_ms - t->running_since_ms);
    }
    return t->paused;
}

uint32_t train_step(struct client *c)
{
    struct client_train *t = &c->in.train;
    if (client_lease_expired(c)) {
        client_abandon(c, MYCEL_E_TIMEOUT, "the lease expired during the training", NULL);
        return 0;
    }
    if (is_paused(c)) {
        return client_wait_for_idle(c, "not idle");
    }
    int rc = stages[t->stage].run(c);
    if (rc < 0) {
        client_abandon(c, rc, stages[t->stage].failure, NULL);
        return 0;
    }
    if (rc == 0 && t->stage == CLIENT_TRAIN_PERSIST) {
        client_release_trainer(c);
        client_set_state(c, MYCEL_CLIENT_ENCODED);
        struct mycel_event event = {.kind = MYCEL_EVENT_ENCODED, .bytes = c->progress.body_bytes};
        client_emit(c, &event);
    } else if (rc == 0) {
        t->stage++;
        t->position = 0;
        if (t->stage == CLIENT_TRAIN_STEP) {
            t->running_since_ms = c->now_ms;
        }
    }
    return 0;
}
