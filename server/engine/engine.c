/*
 * Memory, time and dispatch. Each event goes to the file of its noun; what falls due by the clock is
 * done before the event that brings the time, so that ticks may come early, late or not at all.
 */
#include "server/engine/engine.h"

#include "server/engine/checkin.h"
#include "server/engine/device.h"
#include "server/engine/emit.h"
#include "server/engine/lease.h"
#include "server/engine/restore.h"
#include "server/engine/round.h"
#include "server/engine/run.h"
#include "server/engine/update.h"

#include <string.h>

#define ALIGNMENT 16u

/* --- memory --------------------------------------------------------------------------------- */

static void fill(uint32_t *value, uint32_t fallback)
{
    if (*value == 0) {
        *value = fallback;
    }
}

/* MYCEL_E_INVALID: a limit is exceeded. */
static int config_complete(struct engine_config *config)
{
    fill(&config->device_max, 1024);
    fill(&config->run_max, 4);
    fill(&config->receipt_max, 4096);
    fill(&config->strikes_max, 3);
    fill(&config->quarantine_ms, 3600000);
    fill(&config->grace_ms, 30000);
    fill(&config->idle_ms, 60000);
    fill(&config->window_ms_min, 100);
    fill(&config->window_ms_max, 3600000);
    return config->device_max <= ENGINE_DEVICES_MAX && config->run_max <= ENGINE_RUNS_MAX &&
                   config->receipt_max <= ENGINE_RECEIPTS_MAX &&
                   config->window_ms_min <= config->window_ms_max && config->hold_permille <= 1000
               ? MYCEL_OK
               : MYCEL_E_INVALID;
}

/* Where each array begins in the block. */
struct layout {
    size_t devices, shares, receipts, heap;
    size_t id_heads, id_next, key_heads, key_next, receipt_heads, receipt_next;
    size_t bytes;
};

static size_t reserve(size_t *bytes, size_t count, size_t size)
{
    size_t at = *bytes;

    *bytes += (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return at;
}

static struct layout layout_of(const struct engine_config *config)
{
    size_t devices = config->device_max;
    size_t receipts = config->receipt_max;
    struct layout l;

    l.bytes = 0;
    reserve(&l.bytes, 1, sizeof(struct engine));
    l.devices = reserve(&l.bytes, devices, sizeof(struct device));
    l.shares = reserve(&l.bytes, devices * config->run_max, sizeof(struct share));
    l.receipts = reserve(&l.bytes, receipts, sizeof(struct receipt_slot));
    l.heap = reserve(&l.bytes, devices, sizeof(uint32_t));
    l.id_heads = reserve(&l.bytes, table_buckets(config->device_max), sizeof(uint32_t));
    l.id_next = reserve(&l.bytes, devices, sizeof(uint32_t));
    l.key_heads = reserve(&l.bytes, table_buckets(config->device_max), sizeof(uint32_t));
    l.key_next = reserve(&l.bytes, devices, sizeof(uint32_t));
    l.receipt_heads = reserve(&l.bytes, table_buckets(config->receipt_max), sizeof(uint32_t));
    l.receipt_next = reserve(&l.bytes, receipts, sizeof(uint32_t));
    return l;
}

size_t engine_bytes(const struct engine_config *config)
{
    struct engine_config full = *config;

    return config_complete(&full) < 0 ? 0 : layout_of(&full).bytes;
}

static void *at(void *memory, size_t offset)
{
    return (uint8_t *)memory + offset;
}

int engine_init(void *memory, size_t bytes, const struct engine_config *config,
                struct engine **engine)
{
    struct engine_config full = *config;
    struct engine *e = memory;
    struct layout l;

    *engine = NULL;
    if (config_complete(&full) < 0) {
        return MYCEL_E_INVALID;
    }
    l = layout_of(&full);
    if (bytes < l.bytes) {
        return MYCEL_E_NO_MEMORY;
    }
    e->config = full;
    e->wake_ms = ENGINE_NEVER;
    e->devices = at(memory, l.devices);
    e->shares = at(memory, l.shares);
    e->receipts = at(memory, l.receipts);
    e->heap = at(memory, l.heap);
    table_init(&e->by_id, at(memory, l.id_heads), at(memory, l.id_next),
               table_buckets(full.device_max));
    table_init(&e->by_key, at(memory, l.key_heads), at(memory, l.key_next),
               table_buckets(full.device_max));
    table_init(&e->by_receipt, at(memory, l.receipt_heads), at(memory, l.receipt_next),
               table_buckets(full.receipt_max));
    /* Zeroed already; written so that the ring's memory is there from the start, and what the process takes
     * does not grow with the updates that it has seen. */
    memset(e->receipts, 0, (size_t)full.receipt_max * sizeof *e->receipts);
    memset(at(memory, l.receipt_next), 0, (size_t)full.receipt_max * sizeof(uint32_t));
    *engine = e;
    return MYCEL_OK;
}

/* --- time ----------------------------------------------------------------------------------- */

static void poll_runs(struct engine *e)
{
    for (uint32_t slot = 0; slot < e->run_count; slot++) {
        round_poll(e, slot);
    }
}

/* What has fallen due by now. */
static void take_what_is_due(struct engine *e)
{
    lease_expire(e);
    poll_runs(e);
}

static void wake(struct engine *e, bool timer_has_fired)
{
    uint64_t next = e->heap_count > 0 ? e->devices[e->heap[0]].lease.deadline_ms : ENGINE_NEVER;

    for (uint32_t slot = 0; slot < e->run_count; slot++) {
        uint64_t due = round_wake_ms(e, &e->runs[slot]);

        next = due < next ? due : next;
    }
    if (next != e->wake_ms || (timer_has_fired && next != ENGINE_NEVER)) {
        e->wake_ms = next;
        emit_after(e, ENGINE_ACTION_WAKE_AT, 0)->u.wake_at_ms = next;
    }
}

/* --- dispatch ------------------------------------------------------------------------------- */

static int add_run(struct engine *e, const struct engine_event_run *event)
{
    uint32_t slot;
    int rc = run_add(e, event, &slot);

    if (rc == MYCEL_OK && e->restored) {
        emit_run(e, &e->runs[slot]);
        emit_audit(e, ENGINE_AUDIT_RUN_CREATED, &e->runs[slot], 0, 0);
    }
    return rc;
}

static int operate_run(struct engine *e, enum engine_event_type type, uint32_t run)
{
    uint32_t slot = run_find(e, run);

    if (slot == ENGINE_NO_SLOT) {
        return MYCEL_E_NOT_FOUND;
    }
    switch (type) {
    case ENGINE_EVENT_RUN_PAUSED:
        return run_pause(e, slot);
    case ENGINE_EVENT_RUN_RESUMED:
        return run_unpause(e, slot);
    default:
        return run_stop(e, slot);
    }
}

/* What it has contributed stays in the sum; what it holds is taken away. */
static int revoke(struct engine *e, uint32_t device)
{
    uint32_t slot = device_get(e, device);

    if (slot == ENGINE_NO_SLOT) {
        return MYCEL_E_FULL;
    }
    if (!e->devices[slot].revoked) {
        e->devices[slot].revoked = true;
        lease_drop(e, slot);
        emit_audit(e, ENGINE_AUDIT_DEVICE_REVOKED, NULL, device, 0);
    }
    return MYCEL_OK;
}

static int start(struct engine *e)
{
    e->restored = true;
    for (uint32_t slot = 0; slot < e->run_count; slot++) {
        round_resume(e, slot);
    }
    return MYCEL_OK;
}

static int before_start(struct engine *e, const struct engine_event *event)
{
    switch (event->type) {
    case ENGINE_EVENT_RUN:
        return add_run(e, &event->u.run);
    case ENGINE_EVENT_RESTORE_ROUND:
    case ENGINE_EVENT_RESTORE_DEVICE:
    case ENGINE_EVENT_RESTORE_SHARE:
    case ENGINE_EVENT_RESTORE_LEASE:
    case ENGINE_EVENT_RESTORE_UPDATE:
        return restore_row(e, event);
    case ENGINE_EVENT_RESTORED:
        return start(e);
    default:
        return MYCEL_E_STATE;
    }
}

/* What an operator says: may be refused, and has then changed nothing. */
static int operate(struct engine *e, const struct engine_event *event)
{
    switch (event->type) {
    case ENGINE_EVENT_RUN:
        return add_run(e, &event->u.run);
    case ENGINE_EVENT_RUN_PAUSED:
    case ENGINE_EVENT_RUN_RESUMED:
    case ENGINE_EVENT_RUN_STOPPED:
        return operate_run(e, event->type, event->u.run_id);
    case ENGINE_EVENT_DEVICE_REVOKED:
        return revoke(e, event->u.device);
    default:
        return MYCEL_E_STATE;
    }
}

/* What devices, disk, workers and clock say: is always taken. */
static void happen(struct engine *e, const struct engine_event *event)
{
    switch (event->type) {
    case ENGINE_EVENT_CHECKIN:
        checkin_take(e, &event->u.checkin);
        break;
    case ENGINE_EVENT_UPLOAD_QUERY:
        update_query(e, &event->u.query);
        break;
    case ENGINE_EVENT_UPDATE:
        update_take(e, &event->u.update);
        break;
    case ENGINE_EVENT_COMMITTED:
        MYCEL_ASSERT(event->u.committed <= e->batch);
        e->committed = event->u.committed > e->committed ? event->u.committed : e->committed;
        break;
    case ENGINE_EVENT_AGGREGATED:
        round_summed(e, &event->u.aggregated);
        break;
    case ENGINE_EVENT_EVALUATED:
        run_scored(e, &event->u.evaluated);
        break;
    default: /* TICK: the time is all it brings */
        break;
    }
}

static bool just_happens(enum engine_event_type type)
{
    return type >= ENGINE_EVENT_CHECKIN && type <= ENGINE_EVENT_TICK;
}

/* Deadlines that have passed come before what happens, so that ticks may be early, late or missing.
 * An event that is refused leaves even the time as it was. */
static int dispatch(struct engine *e, const struct engine_event *event)
{
    if (!e->restored) {
        return before_start(e, event);
    }
    if (!just_happens(event->type)) {
        return operate(e, event);
    }
    take_what_is_due(e);
    happen(e, event);
    return MYCEL_OK;
}

int engine_step(struct engine *engine, const struct engine_event *event,
                struct engine_actions *actions)
{
    uint64_t before_ms = engine->now_ms;
    int rc;

    emit_begin(engine, event->tag);
    if (event->now_ms > engine->now_ms) {
        engine->now_ms = event->now_ms; /* a clock that goes backwards stands still here */
    }
    rc = dispatch(engine, event);
    if (rc < 0) {
        engine->now_ms = before_ms;
    } else if (engine->restored) {
        take_what_is_due(engine);
        wake(engine, event->type == ENGINE_EVENT_TICK);
    }
    actions->list = engine->out.list;
    actions->count = engine->out.count;
    actions->batch = engine->out.batch;
    return rc;
}
