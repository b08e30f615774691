/* Birth, death and rebirth of the simulated coordinator. See coordinator.h. */
#include "sim/coordinator/internal.h"

#include "sim/coordinator/run_spec.h"
#include "sim/world/watch.h"

#include <math.h>
#include <mycel/model.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODIES_BYTES_MAX ((uint64_t)1 << 34)
#define BODIES_EXPIRY_MS 900000u

static int parse_strategy(struct coordinator *c, char *problem)
{
    struct rule_error error;
    int rc = rule_parse(c->scenario->strategy, &c->strategy, &error);
    if (rc < 0) {
        (void)scenario_refuse_at(problem, "strategy", c->scenario->strategy, (int)error.column,
                                 error.text);
    }
    return rc;
}

/* The run as an operator would have created it: spec, task, initial parameters. */
static int create_run(struct coordinator *c, char *problem)
{
    const struct scenario *s = c->scenario;
    const struct mycel_model *model = &c->world->model;
    c->task = (struct desk_task){.model = s->model,
                                 .params = model->param_count,
                                 .epochs = s->epochs,
                                 .batch = s->batch,
                                 .steps_max = s->steps_max,
                                 .learning_rate = (float)s->rate,
                                 .momentum = (float)s->momentum,
                                 .prox_mu = rule_prox_mu(&c->strategy),
                                 .clip_norm = (float)s->clip_norm,
                                 .control = rule_needs_control(&c->strategy) != 0};
    c->downlink = downlink_from_name(s->downlink);
    if (c->downlink < 0 || (c->downlink != DOWNLINK_F32 && rule_needs_control(&c->strategy))) {
        return scenario_refuse(problem, "downlink", s->downlink,
                               "must be f32 or delta, and f32 with a control variate");
    }
    int rc = run_spec_make(s, model->param_count, &c->ledger.spec, problem);
    if (rc < 0) {
        return rc;
    }
    if (c->task.control && s->momentum > 0) {
        (void)snprintf(problem, SCENARIO_PROBLEM_BYTES,
                       "momentum = %g: strategy %s corrects the steps of plain SGD only",
                       s->momentum, s->strategy);
        return MYCEL_E_INVALID;
    }
    c->ledger.spec.features = c->task.control ? PROTO_FEATURE_CONTROL : 0;
    float *initial = malloc(((size_t)model->param_count + 1u) * sizeof *initial);
    if (initial == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    mycel_model_init_params(model, s->seed, initial);
    c->ledger.model = blob_new(initial, (size_t)model->param_count * sizeof *initial);
    free(initial);
    if (c->ledger.model == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    memcpy(c->ledger.progress.base.sha256, c->ledger.model->sha256, PROTO_SHA256_BYTES);
    version_put(c, c->ledger.model, &c->ledger.held);
    return MYCEL_OK;
}

static int make_triggered(struct coordinator *c, const struct dataset *test, char *problem)
{
    struct dataset triggered;
    int rc = attack_trigger_set(&c->world->adversary.spec, test, &triggered);
    if (rc < 0) {
        (void)scenario_refuse(problem, "attack", c->scenario->attack,
                              "these data have no such class, or no classes at all");
        return rc;
    }
    return eval_adopt(&triggered, &c->triggered);
}

static int open_test(struct coordinator *c, char *problem)
{
    struct dataset test;
    int rc = fleet_read_test(c->scenario, &test, problem);
    if (rc == 0 && c->world->adversary.spec.kind == ATTACK_BACKDOOR) {
        rc = make_triggered(c, &test, problem);
    }
    if (rc < 0) {
        dataset_free(&test);
        return rc;
    }
    return eval_adopt(&test, &c->test);
}

/* An engine that knows what the ledger knows. */
static int start(struct coordinator *c)
{
    const struct engine_config config = {.device_max = c->world->fleet.count,
                                         .run_max = 1,
                                         .grace_ms = COORDINATOR_GRACE_MS,
                                         .window_ms_max =
                                             (uint32_t)lround(c->scenario->window_max_s * 1000.0)};
    size_t bytes = engine_bytes(&config);
    c->engine_memory = bytes > 0 ? calloc(1, bytes) : NULL;
    if (c->engine_memory == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    int rc = engine_init(c->engine_memory, bytes, &config, &c->engine);
    if (rc == 0) {
        rc = ledger_restore(&c->ledger, c->engine, c->world->now_us);
    }
    const struct body_limits limits = {.device_bytes = PROTO_UPDATE_BYTES_MAX,
                                       .total_bytes = BODIES_BYTES_MAX,
                                       .expiry_ms = BODIES_EXPIRY_MS};
    if (rc == 0) {
        rc = body_table_init(&c->bodies, &limits, c->scenario->seed);
    }
    if (rc == 0) {
        struct engine_event event = {.type = ENGINE_EVENT_RESTORED};
        if (c->world->watch != NULL) {
            c->world->watch->restored(c->world->watch->user, c->world);
        }
        c->epoch++;
        c->tick_us = UINT64_MAX;
        coordinator_step(c, &event);
    }
    return rc;
}

static void stop(struct coordinator *c)
{
    coordinator_forget(c);
    if (c->bodies.bucket != NULL) {
        body_table_deinit(&c->bodies);
    }
    free(c->engine_memory);
    c->engine_memory = NULL;
    c->engine = NULL;
}

int coordinator_open(struct coordinator **out, struct world *world, char *problem)
{
    struct coordinator *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    c->world = world;
    c->scenario = world->scenario;
    world->coordinator = c;
    int rc = ledger_init(&c->ledger, world->fleet.count);
    if (rc == 0) {
        rc = parse_strategy(c, problem);
    }
    if (rc == 0) {
        rc = create_run(c, problem);
    }
    if (rc == 0) {
        rc = open_test(c, problem);
    }
    if (rc == 0) {
        rc = root_open(c);
    }
    if (rc == 0) {
        rc = start(c);
    }
    if (rc < 0) {
        coordinator_close(c);
        world->coordinator = NULL;
        return rc;
    }
    *out = c;
    return MYCEL_OK;
}

void coordinator_close(struct coordinator *c)
{
    if (c == NULL) {
        return;
    }
    stop(c);
    versions_free(c);
    for (uint32_t i = 0; i < VERSIONS_KEPT; i++) {
        blob_unref(c->controls[i]);
    }
    eval_close(c->test);
    eval_close(c->triggered);
    eval_close(c->root);
    ledger_free(&c->ledger);
    free(c);
}

void coordinator_crash(struct coordinator *c)
{
    stop(c);
}

void coordinator_start(struct coordinator *c)
{
    int rc = start(c);
    if (rc < 0) {
        world_fail(c->world, rc, "the coordinator cannot be restarted from its store");
    }
}

uint32_t coordinator_epoch(const struct coordinator *c)
{
    return c->engine != NULL ? c->epoch : 0;
}

bool coordinator_done(const struct coordinator *c)
{
    return c->ledger.progress.phase == ENGINE_PHASE_FINISHED ||
           c->ledger.progress.phase == ENGINE_PHASE_STOPPED;
}

const struct engine *coordinator_engine(const struct coordinator *c)
{
    return c->engine;
}

const struct ledger *coordinator_ledger(const struct coordinator *c)
{
    return &c->ledger;
}
