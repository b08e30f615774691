#include "server/engine/emit.h"

#include <string.h>

void emit_begin(struct engine *e, uint64_t tag)
{
    e->out.count = 0;
    e->out.batch = 0;
    e->out.tag = tag;
}

static struct engine_action *emit(struct engine *e, enum engine_action_type type, uint64_t after)
{
    MYCEL_ASSERT(e->out.count < ENGINE_ACTIONS_MAX);
    struct engine_action *action = &e->out.list[e->out.count++];

    memset(action, 0, sizeof *action); /* padding too: lists are compared byte by byte */
    action->type = type;
    action->tag = e->out.tag;
    action->after = after;
    return action;
}

struct engine_action *emit_store(struct engine *e, enum engine_action_type type)
{
    if (e->out.batch == 0) {
        e->out.batch = ++e->batch;
    }
    return emit(e, type, 0);
}

struct engine_action *emit_after(struct engine *e, enum engine_action_type type, uint64_t batch)
{
    return emit(e, type, batch > e->committed ? batch : 0);
}

uint64_t emit_batch(const struct engine *e)
{
    return e->out.batch;
}

void emit_audit(struct engine *e, enum engine_audit what, const struct run *run, uint32_t device,
                int32_t status)
{
    struct engine_action_audit *row = &emit_store(e, ENGINE_ACTION_STORE_AUDIT)->u.audit_row;

    row->what = what;
    row->run = run != NULL ? run->spec.run : 0;
    row->round = run != NULL ? run->round.number : 0;
    row->device = device;
    row->status = status;
}

void emit_run(struct engine *e, const struct run *run)
{
    struct engine_action_run *row = &emit_store(e, ENGINE_ACTION_STORE_RUN)->u.run_row;

    row->run = run->spec.run;
    row->phase = run->phase;
    row->learned = run->learned;
}

void emit_round(struct engine *e, struct run *run)
{
    struct engine_action_round *row = &emit_store(e, ENGINE_ACTION_STORE_ROUND)->u.round_row;
    struct round *round = &run->round;

    round->unsaved = false;
    row->run = run->spec.run;
    row->round = round->number;
    row->attempt = round->attempt;
    row->state = round->state;
    row->base_version = run->base.version;
    row->granted = round->granted;
    row->accepted = round->tally.accepted;
    row->rejected = round->rejected;
    row->weight = round->tally.weight;
    row->started = round->started;
    row->age_ms = round->started ? e->now_ms - round->started_ms : 0;
    if (round->state == ENGINE_ROUND_PUBLISH) {
        row->state = ENGINE_ROUND_COMMITTED; /* true as soon as the row is there */
        row->version = round->next.version;
    }
}

struct engine_action_problem *emit_problem(struct engine *e, int32_t status,
                                           const struct engine_window *window)
{
    struct engine_action_problem *problem =
        &emit_after(e, ENGINE_ACTION_REPLY_PROBLEM, 0)->u.problem;

    problem->status = status;
    if (window != NULL) {
        problem->window = *window;
    }
    return problem;
}
