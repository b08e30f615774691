/* Sums and scores: the work is real and done at once; its answer comes when virtual time says so. */
#include "sim/coordinator/internal.h"

#include "server/desk/sum.h"

#include <stdlib.h>
#include <string.h>

#define US_PER_MS 1000u

void sum_clear(struct sum *sum)
{
    blob_unref(sum->model);
    ledger_held_unref(&sum->held);
    free(sum->state);
    *sum = (struct sum){0};
}

static void answer_later(struct coordinator *c, struct work *work, double ms)
{
    work->pending = true;
    work->due_us = c->world->now_us + (uint64_t)(ms * US_PER_MS);
    world_push(c->world, work->due_us, WORLD_WORK, c->epoch);
}

/* ---- the sum ------------------------------------------------------------------------------ */

struct summing {
    struct coordinator *c;
    const struct engine_action_aggregate *order;
    struct rule_round round;
    uint32_t count;
    uint32_t weight_max;
    float *next;
    float *state;
    float *reference; /* NULL: the rule needs none */
    void *work;
};

/* What the engine counted and what is durable must be the same set. */
static int survey(struct summing *s)
{
    const struct ledger *ledger = &s->c->ledger;
    uint64_t weight = 0;
    const struct ledger_update *u = NULL;
    while ((u = ledger_waiting(ledger, s->order->round, u)) != NULL) {
        s->count++;
        weight += u->row.weight;
        s->weight_max = u->row.weight > s->weight_max ? (uint32_t)u->row.weight : s->weight_max;
    }
    return s->count == s->order->accepted && weight == s->order->weight ? MYCEL_OK
                                                                        : MYCEL_E_CORRUPT;
}

static int begin(struct summing *s)
{
    struct coordinator *c = s->c;
    uint64_t floats = rule_state_floats(&c->strategy, c->task.params);
    s->next = malloc((size_t)c->task.params * sizeof(float));
    s->state = malloc((size_t)floats * sizeof(float) + 1u);
    if (s->next == NULL || s->state == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    if (c->ledger.state != NULL) {
        memcpy(s->state, c->ledger.state, (size_t)floats * sizeof(float));
    } else {
        rule_state_init(&c->strategy, c->task.params, s->state);
    }
    struct rule_setup setup = {.strategy = &c->strategy,
                               .params = c->task.params,
                               .updates_max = s->count,
                               .weight_max = s->weight_max,
                               .clients = c->world->fleet.count,
                               .learning_rate = c->task.learning_rate,
                               .state = s->state,
                               .reference = s->reference};
    setup.work_bytes = rule_work_bytes(&setup);
    s->work = setup.work = setup.work_bytes > 0 ? malloc(setup.work_bytes) : NULL;
    return s->work == NULL ? MYCEL_E_NO_MEMORY : rule_begin(&s->round, &setup);
}

static struct sum_body body_of(const struct ledger_update *u)
{
    return (struct sum_body){.row = {.device = u->row.receipt.device,
                                     .weight = (uint32_t)u->row.weight,
                                     .steps = u->row.report.steps,
                                     .scale_q16 = u->row.scale_q16,
                                     .loss_first = u->row.report.loss_first},
                             .body = u->body,
                             .bytes = u->body_bytes};
}

static int add_all(struct summing *s)
{
    struct sum_body batch[RULE_BATCH_MAX];
    const struct ledger_update *u = NULL;
    uint32_t count = 0;
    int rc = MYCEL_OK;
    while (rc == 0 && (u = ledger_waiting(&s->c->ledger, s->order->round, u)) != NULL) {
        batch[count++] = body_of(u);
        if (count == RULE_BATCH_MAX) {
            rc = sum_add_bodies(&s->round, batch, count);
            count = 0;
        }
    }
    return rc == 0 && count > 0 ? sum_add_bodies(&s->round, batch, count) : rc;
}

static int sum_round(struct summing *s)
{
    int rc = survey(s);
    if (rc == 0) {
        rc = root_reference(s->c, s->order->base_version, &s->reference);
    }
    if (rc == 0) {
        rc = begin(s);
    }
    if (rc == 0) {
        rc = add_all(s);
    }
    const float *base = (const float *)(const void *)s->c->ledger.model->data;
    return rc == 0 ? rule_finish(&s->round, base, s->next, NULL) : rc;
}

void work_aggregate(struct coordinator *c, const struct engine_action_aggregate *order)
{
    struct summing s = {.c = c, .order = order};
    int rc = sum_round(&s);
    sum_clear(&c->sum);
    if (rc == 0) {
        c->sum = (struct sum){.round = order->round,
                              .attempt = order->attempt,
                              .model = blob_new(s.next, (size_t)c->task.params * sizeof(float)),
                              .state = s.state};
        s.state = NULL;
        rc = c->sum.model != NULL ? held_make(c, c->ledger.progress.base.version + 1u, &c->sum)
                                  : MYCEL_E_NO_MEMORY;
    }
    struct engine_event event = {.type = ENGINE_EVENT_AGGREGATED};
    event.u.aggregated = (struct engine_event_aggregated){
        .run = order->run, .round = order->round, .attempt = order->attempt, .status = rc};
    if (rc == 0) {
        memcpy(event.u.aggregated.sha256, c->sum.model->sha256, PROTO_SHA256_BYTES);
    }
    c->aggregation.event = event;
    answer_later(c, &c->aggregation, c->scenario->aggregate_ms);
    free(s.next);
    free(s.state);
    free(s.reference);
    free(s.work);
}

/* ---- the score ---------------------------------------------------------------------------- */

static int score(struct coordinator *c, uint32_t version, struct engine_metrics *metrics)
{
    struct eval_score result;
    const struct blob *model = c->ledger.model;
    if (version % c->scenario->evaluate_every != 0) {
        return MYCEL_E_UNSUPPORTED; /* this one is left out */
    }
    int rc = eval_model(c->test, c->scenario->model, (const float *)(const void *)model->data,
                        c->task.params, &result);
    if (rc == 0) {
        *metrics = (struct engine_metrics){
            .loss = result.loss, .accuracy = result.accuracy, .samples = result.samples};
    }
    return rc;
}

void work_evaluate(struct coordinator *c, const struct engine_action_evaluate *order)
{
    struct engine_event event = {.type = ENGINE_EVENT_EVALUATED};
    event.u.evaluated.run = order->run;
    event.u.evaluated.version = order->version.version;
    event.u.evaluated.status = score(c, order->version.version, &event.u.evaluated.metrics);
    c->evaluation.event = event;
    answer_later(c, &c->evaluation, c->scenario->evaluate_ms);
}

static const float *newest(const struct coordinator *c)
{
    return (const float *)(const void *)c->ledger.model->data;
}

int coordinator_classes(const struct coordinator *c, float *share, uint32_t capacity)
{
    return eval_classes(c->test, c->scenario->model, newest(c), c->task.params, share, capacity);
}

int coordinator_backdoor(const struct coordinator *c, float *success)
{
    struct eval_score score;
    if (c->triggered == NULL) {
        return MYCEL_E_UNSUPPORTED;
    }
    int rc = eval_model(c->triggered, c->scenario->model, newest(c), c->task.params, &score);
    *success = score.accuracy;
    return rc;
}

/* ---- answers ------------------------------------------------------------------------------ */

static void answer_if_due(struct coordinator *c, struct work *work)
{
    if (work->pending && c->world->now_us >= work->due_us) {
        work->pending = false;
        struct engine_event event = work->event;
        coordinator_step(c, &event);
    }
}

void coordinator_worked(struct coordinator *c, uint32_t epoch)
{
    if (epoch != coordinator_epoch(c)) {
        return;
    }
    answer_if_due(c, &c->aggregation);
    struct world *world = c->world;
    if (c->evaluation.pending && world->now_us >= c->evaluation.due_us && world->scored != NULL) {
        world->scored(world->scored_user, &c->evaluation.event.u.evaluated);
    }
    answer_if_due(c, &c->evaluation);
}
