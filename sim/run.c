/* See run.h. */
#include "sim/run.h"

#include "sim/coordinator/coordinator.h"
#include "sim/coordinator/ledger.h"
#include "sim/fleet/daytime.h"
#include "sim/training/workers.h"
#include "sim/world/fault.h"
#include "sim/world/world.h"

#include <mycel/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_PER_LOOK 65536u /* between two looks at the observer */
#define US_PER_S 1000000u

struct run {
    struct world world;
    const struct run_observer *observer;
    struct run_figures figures;
};

/* ---- figures ------------------------------------------------------------------------------ */

static void collect(struct run *run)
{
    const struct world *w = &run->world;
    const struct ledger *ledger = coordinator_ledger(w->coordinator);
    struct run_figures *f = &run->figures;
    f->virtual_s = (double)w->now_us / US_PER_S;
    f->round = ledger->round.round;
    f->version = ledger->progress.base.version;
    f->accepted = ledger->counted;
    f->rejected = ledger->rejected;
    f->late = ledger->late;
    f->expired = ledger_expired(ledger, w->now_us);
    f->events = w->tally.events;
    f->bytes_up = f->bytes_down = f->trained = f->selected = f->protocol_only = 0;
    f->energy_j = 0;
    uint64_t published = 0;
    for (uint32_t i = 0; i < w->fleet.class_count; i++) {
        const struct world_class_tally *t = &w->tally.classes[i];
        f->bytes_up += t->bytes_up;
        f->bytes_down += t->bytes_down;
        f->trained += t->trained;
        f->selected += t->leases;
        f->protocol_only += t->check_ins - t->leases;
        published += t->published;
        f->energy_j += (double)t->compute_nj * 1e-9 + world_radio_j(w, i);
    }
    f->discarded = f->trained - (published < f->trained ? published : f->trained);
    memcpy(f->model_sha256, ledger->progress.base.sha256, sizeof f->model_sha256);
}

static void on_score(void *user, const struct engine_event_evaluated *score)
{
    struct run *run = user;
    collect(run);
    run->figures.scored = score->status == 0;
    run->figures.version = score->version;
    if (score->status == 0) {
        run->figures.accuracy = (double)score->metrics.accuracy;
        run->figures.loss = (double)score->metrics.loss;
    }
    if (run->observer->round != NULL && score->version > 0) {
        run->observer->round(run->observer->user, &run->world, &run->figures);
    }
}

/* ---- a world ------------------------------------------------------------------------------ */

static int parse_model(struct world *world, char *problem)
{
    struct mycel_model_error where;
    int rc = mycel_model_parse(&world->model, world->scenario->model, &where);
    if (rc < 0) {
        (void)scenario_refuse_at(problem, "model", world->scenario->model, where.column,
                                 where.text);
    }
    return rc;
}

static int make_clients(struct world *world)
{
    world->scratch = malloc(MYCEL_CLIENT_SCRATCH_BYTES);
    for (uint32_t i = 0; i < world->fleet.class_count; i++) {
        world->configs[i] = (struct mycel_client_config){
            .device_class = world->fleet.classes[i]->name,
            .model_bytes_max = world->fleet.classes[i]->model_bytes_max < UINT32_MAX
                                   ? (uint32_t)world->fleet.classes[i]->model_bytes_max
                                   : UINT32_MAX,
            .answer_ms = (uint32_t)(world->scenario->answer_s * 1000.0),
            .scratch = world->scratch,
            .scratch_bytes = MYCEL_CLIENT_SCRATCH_BYTES};
    }
    return world->scratch != NULL ? MYCEL_OK : MYCEL_E_NO_MEMORY;
}

/* A sleeping radio is a part of what its device draws all the time. */
static void power_radios(struct world *world)
{
    for (uint32_t i = 0; i < world->fleet.class_count; i++) {
        uint64_t hour_nj = network_asleep_nj(&world->network, i, DAYTIME_HOUR_US);
        world->fleet.batteries[i].idle_nw += hour_nj / (DAYTIME_HOUR_US / US_PER_S);
    }
}

static void wake_all(struct world *world)
{
    uint64_t spread_us = (uint64_t)(world->scenario->start_s * US_PER_S) + 1u;
    for (uint32_t i = 0; i < world->fleet.count; i++) {
        uint64_t draw = chance_u64(world->scenario->seed, CHANCE_START, i, 0);
        world_wake_at(world, i, chance_below(draw, spread_us));
    }
}

/* Who trains: threads of this process, and the peers, whose fleets were begun before this one's. */
static int open_trainers(struct world *world, char *problem)
{
    int rc = trainers_open(&world->trainers, &world->fleet, world->scenario->threads);
    if (rc == 0 && world->workers != NULL) {
        rc = workers_join(world->workers, world->trainers, &world->fleet, problem);
    }
    return rc;
}

static int build(struct world *world, struct peers *peers, char *problem)
{
    const struct scenario *s = world->scenario;
    pool_init(&world->lives, sizeof(struct live));
    pool_init(&world->trips, sizeof(struct trip));
    int rc = parse_model(world, problem);
    if (rc == 0 && peers != NULL) {
        rc = workers_begin(&world->workers, peers, s);
    }
    if (rc == 0) {
        rc = fault_init(world, problem);
    }
    if (rc == 0) {
        rc = fleet_init(&world->fleet, s, problem);
        world->keeps.devices = s->devices;
    }
    if (rc == 0) {
        rc = network_init(&world->network, &world->fleet, s, problem);
    }
    if (rc == 0) {
        power_radios(world);
    }
    if (rc == 0) {
        rc = adversary_init(&world->adversary, s, world->model.param_count, problem);
    }
    if (rc == 0) {
        rc = make_clients(world);
    }
    if (rc == 0) {
        rc = open_trainers(world, problem);
    }
    if (rc == 0) {
        rc = coordinator_open(&world->coordinator, world, problem);
    }
    if (rc == 0) {
        wake_all(world);
        fault_plan_crash(world);
    }
    return rc;
}

static void tear_down(struct world *world)
{
    for (uint32_t i = 0; i < world->fleet.count && world->fleet.devices != NULL; i++) {
        if (world->fleet.devices[i].live != LIVE_NONE) {
            live_end(world, world->fleet.devices[i].live);
        }
    }
    coordinator_close(world->coordinator);
    workers_end(world->workers);
    trainers_close(world->trainers);
    trips_free(&world->trips);
    lives_free(&world->lives);
    keeps_free(&world->keeps);
    adversary_free(&world->adversary);
    network_free(&world->network);
    fleet_free(&world->fleet);
    queue_free(&world->queue);
    free(world->scratch);
}

/* ---- the run ------------------------------------------------------------------------------ */

static int go_on(struct run *run)
{
    struct world *world = &run->world;
    const struct run_observer *o = run->observer;
    uint64_t end_us = (uint64_t)(world->scenario->virtual_max_s * US_PER_S);
    for (uint64_t i = 1; !coordinator_done(world->coordinator); i++) {
        if (!world_step(world)) {
            return world->status < 0 ? world->status : MYCEL_E_STATE;
        }
        if (world->now_us >= end_us) {
            return world->scenario->rounds == 0 ? MYCEL_OK : MYCEL_E_TIMEOUT;
        }
        if (i % EVENTS_PER_LOOK == 0) {
            if (o->stop != NULL && o->stop(o->user)) {
                return MYCEL_E_CLOSED;
            }
            collect(run);
            if (o->progress != NULL) {
                o->progress(o->user, &run->figures);
            }
        }
    }
    return MYCEL_OK;
}

int sim_run(const struct scenario *scenario, const struct run_observer *observer, char *problem)
{
    struct run *run = calloc(1, sizeof *run); /* plans and models are too large for a stack */
    if (run == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    struct world *world = &run->world;
    problem[0] = '\0';
    run->observer = observer;
    world->scenario = scenario;
    world->scored = on_score;
    world->scored_user = run;
    world->watch = observer->watch;
    int rc = build(world, observer->peers, problem);
    if (rc == 0) {
        if (observer->started != NULL) {
            observer->started(observer->user, world);
        }
        rc = go_on(run);
        if (rc < 0 && world->problem != NULL) {
            (void)snprintf(problem, SCENARIO_PROBLEM_BYTES, "%s", world->problem);
        }
        collect(run);
        if (observer->ended != NULL) {
            observer->ended(observer->user, world, &run->figures);
        }
    }
    tear_down(world);
    free(run);
    return rc;
}
