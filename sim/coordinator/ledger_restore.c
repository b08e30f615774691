/* The engine is a function of what is durable: the rows as events, in the order of the contract. */
#include "sim/coordinator/ledger.h"

#define US_PER_MS 1000u

struct feeding {
    const struct ledger *ledger;
    struct engine *engine;
    uint64_t now_us;
};

static int feed(const struct feeding *f, struct engine_event *event)
{
    struct engine_actions actions; /* before RESTORED the engine asks for nothing */
    event->now_ms = f->now_us / US_PER_MS;
    return engine_step(f->engine, event, &actions);
}

static uint64_t ms_since(const struct feeding *f, uint64_t then_us)
{
    return (f->now_us - then_us) / US_PER_MS;
}

static int feed_run(const struct feeding *f)
{
    enum engine_phase phase = f->ledger->progress.phase;
    if (phase == ENGINE_PHASE_FINISHED || phase == ENGINE_PHASE_STOPPED) {
        return MYCEL_OK; /* an engine is told of open runs only, and ignores the rows of others */
    }
    struct engine_event event = {.type = ENGINE_EVENT_RUN};
    event.u.run.spec = f->ledger->spec;
    event.u.run.progress = f->ledger->progress;
    return feed(f, &event);
}

static int feed_round(const struct feeding *f)
{
    const struct engine_action_round *row = &f->ledger->round;
    if (!f->ledger->has_round) {
        return MYCEL_OK;
    }
    struct engine_event event = {.type = ENGINE_EVENT_RESTORE_ROUND};
    event.u.round = (struct engine_event_round){
        .run = row->run,
        .round = row->round,
        .attempt = row->attempt,
        .state = row->state,
        .granted = row->granted,
        .started = row->started,
        .age_ms = row->started ? row->age_ms + ms_since(f, f->ledger->round_us) : 0};
    return feed(f, &event);
}

static int feed_device(const struct feeding *f, uint32_t index)
{
    const struct engine_action_device *row = &f->ledger->strikes[index];
    if (row->device == 0) {
        return MYCEL_OK;
    }
    uint64_t passed = ms_since(f, f->ledger->strikes_us[index]);
    uint64_t left = row->quarantine_ms > passed ? row->quarantine_ms - passed : 0;
    if (row->strikes == 0 && left == 0) {
        return MYCEL_OK;
    }
    struct engine_event event = {.type = ENGINE_EVENT_RESTORE_DEVICE};
    event.u.restore_device.device = row->device;
    event.u.restore_device.strikes = row->strikes;
    event.u.restore_device.quarantine_ms = left;
    return feed(f, &event);
}

static int feed_share(const struct feeding *f, uint32_t index)
{
    const struct ledger_share *share = &f->ledger->shares[index];
    if (share->accepted == 0) {
        return MYCEL_OK;
    }
    struct engine_event event = {.type = ENGINE_EVENT_RESTORE_SHARE};
    event.u.share.device = index + 1u;
    event.u.share.run = f->ledger->spec.run;
    event.u.share.accepted = share->accepted;
    event.u.share.last_round = share->last_round;
    return feed(f, &event);
}

static int feed_lease(const struct feeding *f, uint32_t index)
{
    const struct ledger_lease *row = &f->ledger->leases[index];
    struct engine_event event = {.type = ENGINE_EVENT_RESTORE_LEASE};
    event.u.lease.lease = row->lease;
    event.u.lease.left_ms =
        row->deadline_us > f->now_us ? (row->deadline_us - f->now_us) / US_PER_MS : 0;
    return feed(f, &event);
}

/* Those leased in the newest round, counted in it or in the one after it, and some before. */
static int feed_update(const struct feeding *f, uint32_t index)
{
    const struct engine_action_update *row = &f->ledger->updates[index].row;
    struct engine_event event = {.type = ENGINE_EVENT_RESTORE_UPDATE};
    event.u.restore_update.receipt = row->receipt;
    event.u.restore_update.report = row->report;
    event.u.restore_update.norm = row->norm;
    return feed(f, &event);
}

static int each(const struct feeding *f, uint32_t count,
                int (*row)(const struct feeding *f, uint32_t index))
{
    int rc = MYCEL_OK;
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        rc = row(f, i);
    }
    return rc;
}

int ledger_restore(const struct ledger *ledger, struct engine *engine, uint64_t now_us)
{
    const struct feeding f = {.ledger = ledger, .engine = engine, .now_us = now_us};
    int rc = feed_run(&f);
    if (rc == 0) {
        rc = feed_round(&f);
    }
    if (rc == 0) {
        rc = each(&f, ledger->devices, feed_device);
    }
    if (rc == 0) {
        rc = each(&f, ledger->devices, feed_share);
    }
    if (rc == 0) {
        rc = each(&f, ledger->lease_count, feed_lease);
    }
    return rc == 0 ? each(&f, ledger->update_count, feed_update) : rc;
}
