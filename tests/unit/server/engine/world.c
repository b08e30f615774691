#include "tests/unit/server/engine/world.h"

#include "common/assert.h"
#include "common/rng.h"
#include "server/engine/key.h"

#include <stdlib.h>
#include <string.h>

#define DEVICES 24
#define KEYS 4 /* leases that a device remembers */
#define HELD_MAX 8192
#define WORK_MAX 64
#define HEAL_STEPS 4000

struct holder {
    struct engine_lease leases[KEYS]; /* newest first */
    uint32_t count;
};

struct world {
    struct shell shell;
    uint64_t seed;
    uint64_t drawn;
    bool healed;
    struct holder devices[DEVICES + 1];
    struct engine_action held[HELD_MAX]; /* replies and work that wait for their batch */
    uint32_t held_count;
    struct engine_action work[WORK_MAX]; /* with a worker */
    uint32_t work_count;
    struct world_figures figures;
    world_tap *tap;
    void *user;
};

/* --- chance --------------------------------------------------------------------------------- */

static uint32_t draw(struct world *w, uint32_t bound)
{
    return rng_below(w->seed, 1, w->drawn++, bound);
}

static bool chance(struct world *w, uint32_t percent)
{
    return draw(w, 100) < percent;
}

static void random_spec(struct world *w, uint32_t run, struct engine_spec *s)
{
    static const uint32_t staleness[] = {0, 0, 4, 20};

    memset(s, 0, sizeof *s);
    s->run = run;
    s->seed = w->seed + run;
    s->goal = 1 + draw(w, 6);
    s->minimum = 1 + draw(w, s->goal);
    s->staleness_max = staleness[draw(w, 4)];
    s->staleness_discount = chance(w, 50);
    s->concurrency = s->staleness_max > 0 && chance(w, 50) ? s->goal + draw(w, 5) : 0;
    s->over_permille = 1000 + 100 * draw(w, 8);
    s->over_learn = chance(w, 50);
    s->weighting = chance(w, 50) ? ENGINE_WEIGHT_SAMPLES : ENGINE_WEIGHT_UNIFORM;
    s->soft_ms = 500 + draw(w, 2000);
    s->hard_ms = s->soft_ms + draw(w, 2000);
    s->select_ms = 100 + draw(w, s->soft_ms - 100);
    s->lease_ms = 200 + draw(w, 3000);
    s->soft_learn = chance(w, 30);
    s->soft_min_ms = 1 + draw(w, 500);
    s->soft_max_ms = 500 + draw(w, 5000);
    s->pace_ms = 1 + draw(w, 500);
    s->interval_ms = chance(w, 20) ? draw(w, 3000) : 0;
    s->spacing_rounds = chance(w, 20) ? 1 : 0;
    s->cap = chance(w, 10) ? 20 : 0;
    s->fair_permille = chance(w, 30) ? draw(w, 1001) : 0;
    s->utility_permille = chance(w, 30) ? draw(w, 1001) : 0;
    s->round_limit = chance(w, 20) ? 1 + draw(w, 20) : 0;
    s->target_set = chance(w, 20);
    s->target = 0.99f;
    s->patience = chance(w, 10) ? 20 : 0;
}

/* --- what the engine asks for --------------------------------------------------------------- */

static bool waits(const struct engine_action *action)
{
    return action->type <= ENGINE_ACTION_LOOKUP_RECEIPT ||
           action->type == ENGINE_ACTION_AGGREGATE || action->type == ENGINE_ACTION_EVALUATE;
}

static void remember(struct holder *holder, const struct engine_lease *lease)
{
    if (holder->count > 0 && memcmp(holder->leases[0].key, lease->key, PROTO_KEY_BYTES) == 0) {
        return;
    }
    memmove(&holder->leases[1], &holder->leases[0], (KEYS - 1) * sizeof *lease);
    holder->leases[0] = *lease;
    holder->count = holder->count < KEYS ? holder->count + 1 : KEYS;
}

/* What is said is on the disk, word for word. */
static void check_receipt(const struct world *w, const struct engine_receipt *said)
{
    const struct engine_receipt *stored = shell_receipt(&w->shell, said->key);

    MYCEL_ASSERT(stored != NULL);
    MYCEL_ASSERT(memcmp(stored, said, sizeof *said) == 0);
}

static void check_lease(const struct world *w, const struct engine_lease *said)
{
    bool found = false;

    for (uint32_t i = 0; i < w->shell.lease_count && !found; i++) {
        found = memcmp(w->shell.leases[i].lease.key, said->key, PROTO_KEY_BYTES) == 0;
    }
    MYCEL_ASSERT(found);
}

static void carry_out(struct world *w, const struct engine_action *action)
{
    if (action->type == ENGINE_ACTION_REPLY_LEASE) {
        check_lease(w, &action->u.lease.lease);
        remember(&w->devices[action->u.lease.lease.device], &action->u.lease.lease);
    } else if (action->type == ENGINE_ACTION_REPLY_RECEIPT) {
        check_receipt(w, &action->u.receipt);
    } else if (action->type == ENGINE_ACTION_AGGREGATE || action->type == ENGINE_ACTION_EVALUATE) {
        MYCEL_ASSERT(w->work_count < WORK_MAX);
        w->work[w->work_count++] = *action;
    }
}

static void release_held(struct world *w)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < w->held_count; i++) {
        if (w->held[i].after <= w->shell.committed) {
            carry_out(w, &w->held[i]);
        } else {
            w->held[kept++] = w->held[i];
        }
    }
    w->held_count = kept;
}

static void count(struct world *w, const struct engine_action *action)
{
    if (action->type == ENGINE_ACTION_STORE_UPDATE) {
        const struct engine_receipt *receipt = &action->u.update_row.receipt;

        w->figures.counted += receipt->status == 0;
        w->figures.rejected += receipt->status < 0 && !receipt->late;
        w->figures.late += receipt->late;
    }
    w->figures.versions += action->type == ENGINE_ACTION_PUBLISH;
}

static void take(struct world *w, const struct engine_actions *actions)
{
    for (uint32_t i = 0; i < actions->count; i++) {
        count(w, &actions->list[i]);
        if (waits(&actions->list[i])) {
            MYCEL_ASSERT(w->held_count < HELD_MAX);
            w->held[w->held_count++] = actions->list[i];
        }
    }
    release_held(w);
}

static int step(struct world *w, struct engine_event *event)
{
    struct engine_actions actions;
    int rc = shell_step(&w->shell, event, &actions);

    if (w->tap != NULL) {
        w->tap(w->user, event, &actions, false);
    }
    take(w, &actions);
    return rc;
}

/* --- what happens --------------------------------------------------------------------------- */

static void commit(struct world *w, uint64_t batch)
{
    struct engine_event event = {.type = ENGINE_EVENT_COMMITTED};

    shell_apply(&w->shell, batch);
    event.u.committed = batch;
    release_held(w);
    step(w, &event);
}

static void happen_commit(struct world *w)
{
    uint64_t behind = w->shell.batch - w->shell.committed;

    commit(w, w->shell.committed + draw(w, (uint32_t)behind + 1));
}

static void happen_time(struct world *w)
{
    struct engine_event event = {.type = ENGINE_EVENT_TICK};

    if (chance(w, 3) && w->shell.now_ms > 50) {
        w->shell.now_ms -= draw(w, 50);
    } else {
        w->shell.now_ms += draw(w, chance(w, 10) ? 3000 : 200);
    }
    step(w, &event);
}

static void happen_checkin(struct world *w)
{
    struct engine_event event = {.type = ENGINE_EVENT_CHECKIN};
    struct engine_facts *facts = &event.u.checkin.facts;

    event.u.checkin.device = 1 + draw(w, DEVICES);
    facts->samples = draw(w, 200);
    facts->idle = w->healed || chance(w, 90);
    facts->battery_percent = 255;
    step(w, &event);
}

static void random_update(struct world *w, const struct engine_lease *lease,
                          struct engine_event_update *update)
{
    static const int32_t faults[] = {MYCEL_E_MALFORMED, MYCEL_E_SHAPE, MYCEL_E_NONFINITE,
                                     MYCEL_E_IO};
    bool good = w->healed || chance(w, 85);

    memcpy(update->key, lease->key, PROTO_KEY_BYTES);
    memset(update->digest, (int)(good ? update->device : draw(w, 256)), PROTO_SHA256_BYTES);
    update->status = good || chance(w, 50) ? 0 : faults[draw(w, 4)];
    update->norm = good ? 1.0f : (float)draw(w, 100);
    update->report.run = lease->run;
    update->report.round = lease->round;
    update->report.base_version = lease->base.version;
    update->report.samples = good ? 1 + draw(w, 200) : 0;
    update->report.loss_last = 0.5f;
}

static void happen_update(struct world *w)
{
    struct engine_event event = {.type = ENGINE_EVENT_UPDATE};
    uint32_t device = 1 + draw(w, DEVICES);
    const struct holder *holder = &w->devices[device];

    if (holder->count == 0) {
        return;
    }
    event.u.update.device = w->healed || chance(w, 97) ? device : 1 + draw(w, DEVICES);
    random_update(w, &holder->leases[w->healed || chance(w, 70) ? 0 : draw(w, holder->count)],
                  &event.u.update);
    step(w, &event);
}

static void happen_query(struct world *w)
{
    struct engine_event event = {.type = ENGINE_EVENT_UPLOAD_QUERY};
    uint32_t device = 1 + draw(w, DEVICES);

    event.u.query.device = device;
    event.u.query.bytes = 1000;
    if (w->devices[device].count > 0) {
        memcpy(event.u.query.key, w->devices[device].leases[0].key, PROTO_KEY_BYTES);
    }
    step(w, &event);
}

static void finish_sum(struct world *w, const struct engine_action_aggregate *work)
{
    struct engine_event event = {.type = ENGINE_EVENT_AGGREGATED};

    event.u.aggregated.run = work->run;
    event.u.aggregated.round = work->round;
    event.u.aggregated.attempt = work->attempt;
    event.u.aggregated.status = !w->healed && chance(w, 5) ? MYCEL_E_NONFINITE : 0;
    memset(event.u.aggregated.sha256, (int)work->round, PROTO_SHA256_BYTES);
    step(w, &event);
}

static void finish_score(struct world *w, const struct engine_action_evaluate *work)
{
    struct engine_event event = {.type = ENGINE_EVENT_EVALUATED};

    event.u.evaluated.run = work->run;
    event.u.evaluated.version = work->version.version;
    event.u.evaluated.status = chance(w, 10) ? MYCEL_E_IO : 0;
    event.u.evaluated.metrics.accuracy = (float)draw(w, 100) / 100.0f;
    step(w, &event);
}

static void happen_work(struct world *w)
{
    uint32_t at;
    struct engine_action done;

    if (w->work_count == 0) {
        return;
    }
    at = draw(w, w->work_count);
    done = w->work[at];
    w->work[at] = w->work[--w->work_count];
    if (done.type == ENGINE_ACTION_AGGREGATE) {
        finish_sum(w, &done.u.aggregate);
    } else {
        finish_score(w, &done.u.evaluate);
    }
}

static void happen_run(struct world *w)
{
    struct engine_event event = {.type = ENGINE_EVENT_RUN};

    if (w->shell.run_count == SHELL_RUNS) {
        return;
    }
    random_spec(w, w->shell.run_count + 1, &event.u.run.spec);
    if (step(w, &event) == MYCEL_OK) {
        shell_add_run(&w->shell, &event.u.run.spec);
    }
}

static void happen_operator(struct world *w)
{
    static const enum engine_event_type types[] = {
        ENGINE_EVENT_RUN_PAUSED,  ENGINE_EVENT_RUN_RESUMED,    ENGINE_EVENT_RUN_RESUMED,
        ENGINE_EVENT_RUN_STOPPED, ENGINE_EVENT_DEVICE_REVOKED,
    };
    struct engine_event event = {.type = types[draw(w, 5)]};

    if (chance(w, 40)) {
        happen_run(w);
    } else {
        event.u.run_id = 1 + draw(w, event.type == ENGINE_EVENT_DEVICE_REVOKED ? 6 : SHELL_RUNS);
        step(w, &event);
    }
}

static void happen_restart(struct world *w)
{
    struct engine_actions actions;
    struct engine_event none = {.type = ENGINE_EVENT_RESTORED};

    w->held_count = 0;
    w->work_count = 0;
    if (chance(w, 20)) {
        w->shell.wall_offset_ms += (int64_t)draw(w, 100000) - 50000;
    }
    shell_restart(&w->shell, &actions);
    w->figures.restarts++;
    if (w->tap != NULL) {
        w->tap(w->user, &none, &actions, true);
    }
    take(w, &actions);
}

void world_step(struct world *w)
{
    uint32_t dice = draw(w, 1000);

    w->figures.steps++;
    if (dice < 300) {
        happen_checkin(w);
    } else if (dice < 600) {
        happen_update(w);
    } else if (dice < 650) {
        happen_query(w);
    } else if (dice < 800) {
        happen_commit(w);
    } else if (dice < 900) {
        happen_time(w);
    } else if (dice < 985) {
        happen_work(w);
    } else if (dice < 992) {
        happen_operator(w);
    } else {
        happen_restart(w);
    }
}

/* --- afterwards ----------------------------------------------------------------------------- */

static void heal_step(struct world *w)
{
    uint32_t dice = draw(w, 100);

    if (dice < 35) {
        happen_checkin(w);
    } else if (dice < 70) {
        happen_update(w);
    } else if (dice < 80) {
        happen_time(w);
    } else {
        happen_work(w);
    }
    commit(w, w->shell.batch);
}

/* Versions of the runs under way, or 0 if there is none (left) that devices may work for. */
static bool has_moved(const struct world *w, const uint32_t *versions)
{
    struct engine_run_view view;

    for (uint32_t i = 0; engine_run_view(w->shell.engine, i, &view) == MYCEL_OK; i++) {
        const struct engine_spec *spec = &w->shell.runs[view.run - 1].spec;

        if (view.phase == ENGINE_PHASE_RUNNING && spec->cap == 0 &&
            view.version <= versions[view.run]) {
            return false;
        }
    }
    return true;
}

void world_heal(struct world *w)
{
    uint32_t versions[SHELL_RUNS + 1] = {0};
    struct engine_run_view view;
    uint32_t steps = 0;

    w->healed = true;
    w->shell.now_ms += w->shell.config.quarantine_ms;
    for (uint32_t i = 0; engine_run_view(w->shell.engine, i, &view) == MYCEL_OK; i++) {
        versions[view.run] = view.version;
    }
    while (!has_moved(w, versions)) {
        MYCEL_ASSERT(steps < HEAL_STEPS);
        heal_step(w);
        steps++;
    }
}

struct world *world_open(uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    struct engine_config config = {.device_max = DEVICES,
                                   .run_max = 3,
                                   .receipt_max = 64,
                                   .quarantine_ms = 20000,
                                   .grace_ms = 300};
    struct engine_event event = {.type = ENGINE_EVENT_RESTORED};

    MYCEL_ASSERT(w != NULL);
    w->seed = seed;
    shell_init(&w->shell, &config);
    step(w, &event);
    happen_run(w);
    return w;
}

void world_close(struct world *w)
{
    shell_deinit(&w->shell);
    free(w);
}

void world_set_tap(struct world *w, world_tap *tap, void *user)
{
    w->tap = tap;
    w->user = user;
}

struct world_figures world_figures(const struct world *w)
{
    return w->figures;
}

const struct shell *world_shell(const struct world *w)
{
    return &w->shell;
}
