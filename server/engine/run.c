#include "server/engine/run.h"

#include "server/engine/emit.h"
#include "server/engine/lease.h"
#include "server/engine/round.h"
#include "server/engine/spec.h"

#include <string.h>

uint32_t run_find(const struct engine *e, uint32_t id)
{
    for (uint32_t slot = 0; slot < e->run_count; slot++) {
        if (e->runs[slot].spec.run == id) {
            return slot;
        }
    }
    return ENGINE_NO_SLOT;
}

/* A slot of an ended run is free once that end is durable, and with it a version that was on its way
 * (else a restart would find one run too many), and the score of that version has come. */
static bool is_reusable(const struct engine *e, const struct run *run)
{
    return !run_is_open(run) && e->committed >= run->ended_batch && !run->evaluating;
}

static uint32_t find_room(struct engine *e)
{
    if (e->run_count < e->config.run_max) {
        return e->run_count++;
    }
    for (uint32_t slot = 0; slot < e->run_count; slot++) {
        if (is_reusable(e, &e->runs[slot])) {
            return slot;
        }
    }
    return ENGINE_NO_SLOT;
}

/* Forgets the run that had the slot before: its devices' shares and the leases that name it. */
static void clear_slot(struct engine *e, uint32_t run_slot)
{
    for (uint32_t i = 0; i < e->device_count; i++) {
        if (e->devices[i].lease.run_slot == run_slot) {
            lease_drop(e, i);
        }
        memset(share_of(e, i, run_slot), 0, sizeof(struct share));
    }
    memset(&e->runs[run_slot], 0, sizeof e->runs[run_slot]);
}

int run_add(struct engine *e, const struct engine_event_run *event, uint32_t *run_slot)
{
    const struct engine_progress *progress = &event->progress;
    uint32_t slot;

    if (engine_spec_check(&event->spec, NULL) < 0 ||
        (progress->phase != ENGINE_PHASE_RUNNING && progress->phase != ENGINE_PHASE_PAUSED)) {
        return MYCEL_E_INVALID;
    }
    if (run_find(e, event->spec.run) != ENGINE_NO_SLOT) {
        return MYCEL_E_EXISTS;
    }
    slot = find_room(e);
    if (slot == ENGINE_NO_SLOT) {
        return MYCEL_E_FULL;
    }
    clear_slot(e, slot);

    struct run *run = &e->runs[slot];

    run->spec = event->spec;
    spec_defaults(&run->spec);
    run->phase = progress->phase;
    run->base = progress->base;
    run->evaluated_version = progress->evaluated_version;
    run->learned = progress->learned;
    *run_slot = slot;
    return MYCEL_OK;
}

int run_pause(struct engine *e, uint32_t run_slot)
{
    struct run *run = &e->runs[run_slot];

    if (run->phase != ENGINE_PHASE_RUNNING) {
        return MYCEL_E_STATE;
    }
    run->phase = ENGINE_PHASE_PAUSED;
    emit_run(e, run);
    emit_audit(e, ENGINE_AUDIT_RUN_PAUSED, run, 0, 0);
    return MYCEL_OK;
}

int run_unpause(struct engine *e, uint32_t run_slot)
{
    struct run *run = &e->runs[run_slot];

    if (run->phase != ENGINE_PHASE_PAUSED) {
        return MYCEL_E_STATE;
    }
    run->phase = ENGINE_PHASE_RUNNING;
    emit_run(e, run);
    emit_audit(e, ENGINE_AUDIT_RUN_RESUMED, run, 0, 0);
    return MYCEL_OK;
}

static void end(struct engine *e, uint32_t run_slot, enum engine_phase phase,
                enum engine_audit what)
{
    struct run *run = &e->runs[run_slot];

    run->phase = phase;
    lease_end_of_run(e, run_slot, LEASE_END_ALL);
    emit_run(e, run);
    emit_audit(e, what, run, 0, 0);
    run->ended_batch = emit_batch(e);
}

int run_stop(struct engine *e, uint32_t run_slot)
{
    if (!run_is_open(&e->runs[run_slot])) {
        return MYCEL_E_STATE;
    }
    round_stop(e, &e->runs[run_slot]);
    end(e, run_slot, ENGINE_PHASE_STOPPED, ENGINE_AUDIT_RUN_STOPPED);
    return MYCEL_OK;
}

static bool is_complete(const struct run *run)
{
    const struct engine_spec *spec = &run->spec;
    const struct engine_learned *learned = &run->learned;

    return (spec->round_limit > 0 && run->base.version >= spec->round_limit) ||
           (spec->target_set && learned->evaluated && learned->best >= spec->target) ||
           (spec->patience > 0 && learned->evaluated &&
            run->base.version - learned->best_version >= spec->patience);
}

bool run_may_open_round(struct engine *e, uint32_t run_slot)
{
    struct run *run = &e->runs[run_slot];
    bool score_decides = run->spec.target_set || run->spec.patience > 0 || is_complete(run);

    if (!run_is_open(run) || (run->evaluating && score_decides)) {
        return false;
    }
    if (is_complete(run)) {
        end(e, run_slot, ENGINE_PHASE_FINISHED, ENGINE_AUDIT_RUN_FINISHED);
        return false;
    }
    return run->phase == ENGINE_PHASE_RUNNING;
}

void run_ask_for_score(struct engine *e, struct run *run)
{
    struct engine_action_evaluate *work =
        &emit_after(e, ENGINE_ACTION_EVALUATE, run->round.publish_batch)->u.evaluate;

    work->run = run->spec.run;
    work->version = run->base;
    run->evaluating = true;
}

static void learn_score(struct run *run, uint32_t version, float accuracy)
{
    struct engine_learned *learned = &run->learned;

    if (stats_is_finite(accuracy) && (!learned->evaluated || accuracy > learned->best)) {
        learned->evaluated = true;
        learned->best = accuracy;
        learned->best_version = version;
    }
}

void run_scored(struct engine *e, const struct engine_event_evaluated *evaluated)
{
    uint32_t run_slot = run_find(e, evaluated->run);

    if (run_slot == ENGINE_NO_SLOT) {
        return;
    }
    struct run *run = &e->runs[run_slot];

    if (!run->evaluating || evaluated->version != run->base.version) {
        return;
    }
    run->evaluating = false;
    run->evaluated_version = evaluated->version;
    if (evaluated->status < 0) {
        return;
    }
    learn_score(run, evaluated->version, evaluated->metrics.accuracy);

    struct engine_action_metrics *row = &emit_store(e, ENGINE_ACTION_STORE_METRICS)->u.metrics_row;

    row->run = run->spec.run;
    row->version = evaluated->version;
    row->metrics = evaluated->metrics;
    emit_run(e, run);
}
