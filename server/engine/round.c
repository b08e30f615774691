#include "server/engine/round.h"

#include "server/engine/cohort.h"
#include "server/engine/emit.h"
#include "server/engine/lease.h"
#include "server/engine/run.h"
#include "server/engine/spec.h"

#include <string.h>

#define POLL_STEPS_MAX 8u /* transitions that one event can cause in one run */

#define REPORT_HISTORY_MIN 8u /* report times that are believed */
#define REPORT_PERMILLE 950u

#define BIT(state) (1u << ENGINE_ROUND_##state)

/* From each state, the states it may go to. */
static const uint32_t allowed[] = {
    [ENGINE_ROUND_IDLE] = BIT(SELECT),
    [ENGINE_ROUND_SELECT] = BIT(REPORT) | BIT(AGGREGATE) | BIT(ABANDONED),
    [ENGINE_ROUND_REPORT] = BIT(SELECT) | BIT(AGGREGATE) | BIT(ABANDONED),
    [ENGINE_ROUND_AGGREGATE] = BIT(PUBLISH) | BIT(ABANDONED),
    [ENGINE_ROUND_PUBLISH] = BIT(COMMITTED),
    [ENGINE_ROUND_COMMITTED] = BIT(SELECT),
    [ENGINE_ROUND_ABANDONED] = BIT(SELECT),
};

static void set_state(struct round *round, enum engine_round_state state)
{
    MYCEL_ASSERT((allowed[round->state] >> state & 1u) != 0);
    round->state = state;
}

/* --- between rounds ------------------------------------------------------------------------- */

static void begin_attempt(const struct engine *e, struct round *round)
{
    round->attempt++;
    round->granted = 0;
    round->expired = 0;
    memset(round->plain_seats, 0, sizeof round->plain_seats);
    round->opened_ms = e->now_ms;
    round->started = false;
}

static void open(struct engine *e, struct run *run)
{
    struct round *round = &run->round;

    if (round->state == ENGINE_ROUND_COMMITTED) {
        run->learned.gap_ms = stats_smooth(run->learned.gap_ms, e->now_ms - round->closed_ms);
    }
    set_state(round, ENGINE_ROUND_SELECT);
    round->number++;
    round->rejected = 0;
    round->outliers = 0;
    round->attempt = 0;
    begin_attempt(e, round);
    round->tally = run->carry;
    memset(&run->carry, 0, sizeof run->carry);
    if (round->tally.accepted > 0) {
        round_start(e, run);
    }
    emit_round(e, run);
}

uint64_t round_opens_ms(const struct run *run)
{
    return run->round.number > 0 ? run->round.opened_ms + run->spec.interval_ms : 0;
}

static bool next_round(struct engine *e, uint32_t run_slot)
{
    if (!run_may_open_round(e, run_slot) || e->now_ms < round_opens_ms(&e->runs[run_slot])) {
        return false;
    }
    open(e, &e->runs[run_slot]);
    return true;
}

/* --- collecting ----------------------------------------------------------------------------- */

void round_start(struct engine *e, struct run *run)
{
    struct round *round = &run->round;
    struct spec_clock clock = spec_clock(&run->spec, &run->learned);

    if (round->started) {
        return;
    }
    round->started = true;
    round->unsaved = true;
    round->started_ms = e->now_ms;
    round->select_end_ms = e->now_ms + clock.select_ms;
    round->soft_end_ms = e->now_ms + clock.soft_ms;
    round->hard_end_ms = e->now_ms + clock.hard_ms;
}

/* The share of leases that ended without an update, for over-selection. */
static void learn_drop_out(struct run *run)
{
    const struct round *round = &run->round;
    struct engine_learned *learned = &run->learned;
    uint64_t ended = (uint64_t)round->expired + round->tally.accepted + round->rejected;
    uint32_t permille;

    if (ended == 0) {
        return;
    }
    permille = (uint32_t)(round->expired * UINT64_C(1000) / ended);
    learned->drop_permille =
        learned->drop_rounds == 0 ? permille : (3u * learned->drop_permille + permille) / 4u;
    learned->drop_rounds++;
}

/* The deadlines of the next round. Few reports say little, and those of before a restart are gone: then what
 * was known stays. */
static void learn_report_time(struct run *run)
{
    if (run->report_times.count >= REPORT_HISTORY_MIN) {
        uint32_t slow = (uint32_t)stats_rank(&run->report_times, REPORT_PERMILLE);

        run->learned.report_ms = slow > 0 ? slow : 1u;
    }
}

static void ask_for_sum(struct engine *e, const struct run *run)
{
    struct engine_action_aggregate *work =
        &emit_after(e, ENGINE_ACTION_AGGREGATE, emit_batch(e))->u.aggregate;

    work->run = run->spec.run;
    work->round = run->round.number;
    work->attempt = run->round.attempt;
    work->base_version = run->base.version;
    work->accepted = run->round.tally.accepted;
    work->weight = run->round.tally.weight;
}

static void freeze(struct engine *e, struct run *run)
{
    learn_drop_out(run);
    learn_report_time(run);
    set_state(&run->round, ENGINE_ROUND_AGGREGATE);
    run->round.closed_ms = e->now_ms;
    run->round.summed = false;
    emit_round(e, run);
    emit_run(e, run);
    ask_for_sum(e, run);
}

void round_reject(struct run *run, int32_t status)
{
    run->round.rejected++;
    run->round.outliers += status == MYCEL_E_NORM;
}

/* When more updates were refused for their norm than were taken, it is the median that is wrong: one
 * poisoned version would have everybody's honest updates refused for ever. */
static void forget_norms(struct run *run)
{
    if (run->round.outliers > run->round.tally.accepted) {
        memset(&run->norms, 0, sizeof run->norms);
        run->round.outliers = 0;
    }
}

/* Below the minimum at the last deadline: the same round once more, with what it has. Nothing that
 * was acknowledged is thrown away. */
static void retry(struct engine *e, struct run *run)
{
    learn_drop_out(run);
    /* Those who were too slow were never seen: a deadline that was too short must not confirm itself. */
    if (run->learned.report_ms < run->spec.soft_max_ms) {
        run->learned.report_ms *= 2u;
    }
    forget_norms(run);
    emit_audit(e, ENGINE_AUDIT_ROUND_ABANDONED, run, 0, MYCEL_E_TIMEOUT);
    set_state(&run->round, ENGINE_ROUND_ABANDONED);
    set_state(&run->round, ENGINE_ROUND_SELECT);
    begin_attempt(e, &run->round);
    emit_round(e, run);
    emit_run(e, run);
}

/* Goal reached; or enough, and either the soft deadline has passed or nobody is left to wait for. */
static bool is_full(const struct engine *e, const struct run *run)
{
    const struct round *round = &run->round;

    if (round->tally.accepted >= run->spec.goal) {
        return true;
    }
    if (!round->started || round->tally.accepted < run->spec.minimum) {
        return false;
    }
    return e->now_ms >= round->soft_end_ms || (e->now_ms >= round->select_end_ms && run->live == 0);
}

static bool collect(struct engine *e, struct run *run)
{
    struct round *round = &run->round;
    enum engine_round_state state =
        cohort_seats_left(e, run) > 0 ? ENGINE_ROUND_SELECT : ENGINE_ROUND_REPORT;

    if (is_full(e, run)) {
        freeze(e, run);
        return true;
    }
    if (round->started && e->now_ms >= round->hard_end_ms) {
        retry(e, run);
        return true;
    }
    if (round->state != state) {
        set_state(round, state);
        round->unsaved = true;
    }
    if (round->unsaved) {
        emit_round(e, run);
    }
    return false;
}

uint32_t round_counting(const struct run *run)
{
    return run->round.number + (round_is_collecting(&run->round) ? 0 : 1);
}

uint32_t round_staleness(const struct run *run, uint32_t base_version)
{
    bool next_is_near =
        run->round.state == ENGINE_ROUND_AGGREGATE || run->round.state == ENGINE_ROUND_PUBLISH;

    return run->base.version + (next_is_near ? 1 : 0) - base_version;
}

void round_count(struct engine *e, struct run *run, uint64_t weight)
{
    struct tally *tally = &run->carry;

    if (round_is_collecting(&run->round)) {
        tally = &run->round.tally;
        round_start(e, run);
    }
    tally->accepted++;
    tally->weight += weight;
}

/* --- from the sum to the version ------------------------------------------------------------ */

static bool is_for_frozen_set(const struct round *round,
                              const struct engine_event_aggregated *aggregated)
{
    return round->state == ENGINE_ROUND_AGGREGATE && !round->summed &&
           round->number == aggregated->round && round->attempt == aggregated->attempt;
}

void round_summed(struct engine *e, const struct engine_event_aggregated *aggregated)
{
    uint32_t run_slot = run_find(e, aggregated->run);

    if (run_slot == ENGINE_NO_SLOT || !is_for_frozen_set(&e->runs[run_slot].round, aggregated)) {
        return;
    }
    struct run *run = &e->runs[run_slot];
    struct round *round = &run->round;

    if (aggregated->status < 0) {
        emit_audit(e, ENGINE_AUDIT_ROUND_ABANDONED, run, 0, aggregated->status);
        set_state(round, ENGINE_ROUND_ABANDONED);
        emit_round(e, run);
    } else {
        round->summed = true;
        round->next.version = run->base.version + 1;
        memcpy(round->next.sha256, aggregated->sha256, PROTO_SHA256_BYTES);
    }
}

/* Publishing waits for the score of the version before, so that a restart, which asks for the newest
 * version's score only, leaves none unscored. */
static bool publish(struct engine *e, struct run *run)
{
    struct round *round = &run->round;

    if (!round->summed || run->evaluating) {
        return false;
    }
    set_state(round, ENGINE_ROUND_PUBLISH);
    run->learned.round_ms =
        stats_smooth(run->learned.round_ms, round->closed_ms - round->granted_ms);

    struct engine_action_publish *row = &emit_store(e, ENGINE_ACTION_PUBLISH)->u.publish;

    row->run = run->spec.run;
    row->round = round->number;
    row->attempt = round->attempt;
    row->parent_version = run->base.version;
    row->version = round->next;
    emit_round(e, run);
    emit_run(e, run);
    round->publish_batch = emit_batch(e);
    return false;
}

static bool commit(struct engine *e, uint32_t run_slot)
{
    struct run *run = &e->runs[run_slot];

    if (e->committed < run->round.publish_batch) {
        return false;
    }
    set_state(&run->round, ENGINE_ROUND_COMMITTED);
    run->base = run->round.next;
    lease_end_of_run(e, run_slot, run->spec.staleness_max);
    run_ask_for_score(e, run);
    return true;
}

/* --- all of it ------------------------------------------------------------------------------ */

static bool advance(struct engine *e, uint32_t run_slot)
{
    struct run *run = &e->runs[run_slot];

    switch (run->round.state) {
    case ENGINE_ROUND_SELECT:
    case ENGINE_ROUND_REPORT:
        return collect(e, run);
    case ENGINE_ROUND_AGGREGATE:
        return publish(e, run);
    case ENGINE_ROUND_PUBLISH:
        return commit(e, run_slot);
    default: /* IDLE, COMMITTED, ABANDONED */
        return next_round(e, run_slot);
    }
}

void round_poll(struct engine *e, uint32_t run_slot)
{
    uint32_t steps = 0;

    while (advance(e, run_slot)) {
        steps++;
        MYCEL_ASSERT(steps < POLL_STEPS_MAX);
    }
}

void round_stop(struct engine *e, struct run *run)
{
    struct round *round = &run->round;

    if (round_is_collecting(round) || round->state == ENGINE_ROUND_AGGREGATE) {
        set_state(round, ENGINE_ROUND_ABANDONED);
        emit_round(e, run);
    }
}

/* --- restart -------------------------------------------------------------------------------- */

/* What is left of a deadline: what the wall clock says, but no less than the grace and no more than
 * the whole, since that clock may have been set in between. */
static uint64_t deadline_again(const struct engine *e, uint32_t whole_ms, uint64_t age_ms)
{
    uint64_t grace = e->config.grace_ms < whole_ms ? e->config.grace_ms : whole_ms;
    uint64_t left = age_ms < whole_ms ? whole_ms - age_ms : 0;

    return e->now_ms + (left > grace ? left : grace);
}

int round_restore(struct engine *e, struct run *run, const struct engine_event_round *row)
{
    struct round *round = &run->round;
    struct spec_clock clock = spec_clock(&run->spec, &run->learned);

    if (row->round == 0 || row->attempt == 0 || row->state == ENGINE_ROUND_IDLE ||
        row->state == ENGINE_ROUND_PUBLISH || (uint32_t)row->state > ENGINE_ROUND_ABANDONED) {
        return MYCEL_E_INVALID;
    }
    memset(round, 0, sizeof *round);
    round->number = row->round;
    round->attempt = row->attempt;
    round->state = row->state;
    round->granted = row->granted;
    round->opened_ms = e->now_ms;
    round->closed_ms = e->now_ms;
    round->started = row->started;
    round->started_ms = e->now_ms - (row->age_ms < clock.hard_ms ? row->age_ms : clock.hard_ms);
    round->granted_ms = e->now_ms;
    round->select_end_ms = deadline_again(e, clock.select_ms, row->age_ms);
    round->soft_end_ms = deadline_again(e, clock.soft_ms, row->age_ms);
    round->hard_end_ms = deadline_again(e, clock.hard_ms, row->age_ms);
    return MYCEL_OK;
}

void round_resume(struct engine *e, uint32_t run_slot)
{
    struct run *run = &e->runs[run_slot];

    if (run->round.state == ENGINE_ROUND_AGGREGATE) {
        ask_for_sum(e, run);
    }
    if (run->base.version > run->evaluated_version) {
        run_ask_for_score(e, run);
    }
    round_poll(e, run_slot);
}

uint64_t round_wake_ms(const struct engine *e, const struct run *run)
{
    const struct round *round = &run->round;
    const uint64_t times[] = {round->select_end_ms, round->soft_end_ms, round->hard_end_ms};
    uint64_t wake = ENGINE_NEVER;

    if (round->state == ENGINE_ROUND_COMMITTED && round_opens_ms(run) > e->now_ms) {
        return round_opens_ms(run);
    }
    if (!round->started || !round_is_collecting(round)) {
        return ENGINE_NEVER;
    }
    for (uint32_t i = 0; i < 3; i++) {
        if (times[i] > e->now_ms && times[i] < wake) {
            wake = times[i];
        }
    }
    return wake;
}
