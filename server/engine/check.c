/*
 * The invariants of docs/ENGINE.md, as assertions over the whole state.
 */
#include "server/engine/engine.h"

#include "server/engine/internal.h"
#include "server/engine/key.h"
#include "server/engine/lease.h"
#include "server/engine/receipt.h"

/* I1: run.live counts its LIVE leases, and the heap holds exactly these, earliest first. */
static void check_leases(const struct engine *e)
{
    uint32_t live[ENGINE_RUNS_MAX] = {0};
    uint32_t total = 0;

    for (uint32_t i = 0; i < e->device_count; i++) {
        const struct device *device = &e->devices[i];
        const struct lease *lease = &device->lease;

        if (lease->state != LEASE_NONE) {
            MYCEL_ASSERT(lease_find(e, lease->what.key) == i);
            MYCEL_ASSERT(lease->what.device == device->id);
            MYCEL_ASSERT(lease->what.run == e->runs[lease->run_slot].spec.run);
        }
        if (lease->state == LEASE_LIVE) {
            MYCEL_ASSERT(e->heap[device->heap_at] == i && !device->revoked);
            live[lease->run_slot]++;
            total++;
        }
    }
    MYCEL_ASSERT(total == e->heap_count);
    for (uint32_t i = 1; i < e->heap_count; i++) {
        MYCEL_ASSERT(e->devices[e->heap[(i - 1) / 2]].lease.deadline_ms <=
                     e->devices[e->heap[i]].lease.deadline_ms);
    }
    for (uint32_t slot = 0; slot < e->run_count; slot++) {
        MYCEL_ASSERT(e->runs[slot].live == live[slot]);
    }
}

/* I2: no LIVE lease lags too far behind, and none belongs to a run that has ended. */
static void check_live_lease(const struct engine *e, const struct lease *lease)
{
    const struct run *run = &e->runs[lease->run_slot];

    MYCEL_ASSERT(run_is_open(run));
    MYCEL_ASSERT(lease->what.base.version <= run->base.version);
    MYCEL_ASSERT(run->base.version - lease->what.base.version <= run->spec.staleness_max);
}

/* I3: a round is counted once per device; I4: tallies agree with the shares' marks. */
static void check_run(struct engine *e, uint32_t run_slot)
{
    const struct run *run = &e->runs[run_slot];
    const struct round *round = &run->round;
    uint32_t eligible = 0;
    uint32_t counted = 0;
    uint32_t carried = 0;

    for (uint32_t i = 0; i < e->device_count; i++) {
        const struct share *share = share_of(e, i, run_slot);

        eligible += share->eligible ? 1 : 0;
        counted += round->number > 0 && share->counted_round == round->number ? 1 : 0;
        carried += share->counted_round == round->number + 1 ? 1 : 0;
        MYCEL_ASSERT(share->counted_round <= round->number + 1);
    }
    MYCEL_ASSERT(eligible == run->eligible);
    MYCEL_ASSERT(carried == run->carry.accepted);
    /* A device whose update was carried over has left the mark of this round. */
    MYCEL_ASSERT(counted <= round->tally.accepted && round->tally.accepted <= counted + carried);
}

/* I5: what each state of a round means. */
static void check_round(const struct engine *e, const struct run *run)
{
    const struct round *round = &run->round;

    if (round_is_collecting(round)) {
        MYCEL_ASSERT(run_is_open(run) && round->number > 0 && round->attempt > 0);
        MYCEL_ASSERT(round->tally.accepted < run->spec.goal);
        MYCEL_ASSERT(run->carry.accepted == 0);
        MYCEL_ASSERT(round->started || round->granted == 0);
    }
    if (round->state == ENGINE_ROUND_AGGREGATE) {
        MYCEL_ASSERT(round->tally.accepted >= run->spec.minimum && run_is_open(run));
    }
    if (round->state == ENGINE_ROUND_PUBLISH) {
        MYCEL_ASSERT(round->publish_batch > e->committed);
        MYCEL_ASSERT(round->next.version == run->base.version + 1);
    }
    MYCEL_ASSERT(!round->unsaved || !run_is_open(run));
}

void engine_check(const struct engine *engine)
{
    struct engine *e = (struct engine *)(uintptr_t)engine; /* share_of() only reads here */

    MYCEL_ASSERT(e->committed <= e->batch);
    if (!e->restored) {
        return;
    }
    check_leases(e);
    for (uint32_t i = 0; i < e->heap_count; i++) {
        check_live_lease(e, &e->devices[e->heap[i]].lease);
        MYCEL_ASSERT(e->devices[e->heap[i]].lease.deadline_ms > e->now_ms);
    }
    for (uint32_t slot = 0; slot < e->run_count; slot++) {
        check_run(e, slot);
        check_round(e, &e->runs[slot]);
    }
    for (uint32_t i = 0; i < e->receipt_count; i++) {
        MYCEL_ASSERT(receipt_find(e, e->receipts[i].receipt.key) == &e->receipts[i]);
    }
}
