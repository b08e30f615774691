#include "server/engine/lease.h"

#include "common/rng.h"
#include "server/engine/heap.h"
#include "server/engine/key.h"
#include "server/engine/spec.h"

#define RNG_STREAM_PLAN 0x504C414Eu /* "PLAN" */

uint32_t lease_find(const struct engine *e, const uint8_t key[PROTO_KEY_BYTES])
{
    uint32_t slot = table_first(&e->by_key, key_hash(key));

    while (slot != TABLE_END && !key_equal(e->devices[slot].lease.what.key, key)) {
        slot = table_next(&e->by_key, slot);
    }
    return slot == TABLE_END ? ENGINE_NO_SLOT : slot;
}

/* What the device will draw its randomness from: a function of the assignment alone. */
static uint64_t plan_seed(const struct run *run, const struct engine_lease *what)
{
    return rng_u64(run->spec.seed, RNG_STREAM_PLAN, (uint64_t)what->round << 32 | what->device);
}

static void make_live(struct engine *e, uint32_t device_slot)
{
    struct lease *lease = &e->devices[device_slot].lease;

    lease->state = LEASE_LIVE;
    e->runs[lease->run_slot].live++;
    heap_push(e, device_slot);
}

static void index_key(struct engine *e, uint32_t device_slot)
{
    table_put(&e->by_key, key_hash(e->devices[device_slot].lease.what.key), device_slot);
}

/* In synchronous rounds nothing counts after the round, so that no lease outlives it. */
static uint64_t deadline(const struct engine *e, const struct run *run, uint64_t left_ms)
{
    uint64_t at = e->now_ms + left_ms;

    return run->spec.staleness_max == 0 && at > run->round.hard_end_ms ? run->round.hard_end_ms
                                                                       : at;
}

void lease_grant(struct engine *e, uint32_t device_slot, uint32_t run_slot, uint8_t codec)
{
    const struct run *run = &e->runs[run_slot];
    struct device *device = &e->devices[device_slot];
    struct lease *lease = &device->lease;

    MYCEL_ASSERT(run->round.state == ENGINE_ROUND_SELECT && run->round.started);
    lease_drop(e, device_slot);
    lease->what.device = device->id;
    lease->what.run = run->spec.run;
    lease->what.round = run->round.number;
    lease->what.attempt = run->round.attempt;
    lease->what.base = run->base;
    lease->what.codec = codec;
    lease->what.seed = plan_seed(run, &lease->what);
    key_derive(&lease->what);
    lease->run_slot = run_slot;
    lease->deadline_ms = deadline(e, run, spec_clock(&run->spec, &run->learned).lease_ms);
    lease->timed = true;
    lease->granted_ms = e->now_ms;
    index_key(e, device_slot);
    make_live(e, device_slot);
}

void lease_restore(struct engine *e, uint32_t device_slot, uint32_t run_slot,
                   const struct engine_lease *what, uint64_t left_ms)
{
    const struct run *run = &e->runs[run_slot];
    struct lease *lease = &e->devices[device_slot].lease;

    lease_drop(e, device_slot);
    lease->what = *what;
    lease->run_slot = run_slot;
    lease->state = LEASE_OVER;
    lease->timed = false;
    index_key(e, device_slot);
    if (left_ms > 0) {
        lease->deadline_ms = deadline(e, run, left_ms);
        make_live(e, device_slot);
    }
}

void lease_end(struct engine *e, uint32_t device_slot)
{
    struct lease *lease = &e->devices[device_slot].lease;

    MYCEL_ASSERT(lease->state == LEASE_LIVE);
    MYCEL_ASSERT(e->runs[lease->run_slot].live > 0);
    heap_remove(e, device_slot);
    e->runs[lease->run_slot].live--;
    lease->state = LEASE_OVER;
}

void lease_drop(struct engine *e, uint32_t device_slot)
{
    struct lease *lease = &e->devices[device_slot].lease;

    if (lease->state == LEASE_NONE) {
        return;
    }
    if (lease->state == LEASE_LIVE) {
        lease_end(e, device_slot);
    }
    table_remove(&e->by_key, key_hash(lease->what.key), device_slot);
    lease->state = LEASE_NONE;
}

void lease_expire(struct engine *e)
{
    while (e->heap_count > 0 && e->devices[e->heap[0]].lease.deadline_ms <= e->now_ms) {
        uint32_t device_slot = e->heap[0];
        const struct lease *lease = &e->devices[device_slot].lease;

        e->runs[lease->run_slot].round.expired++;
        lease_end(e, device_slot);
    }
}

void lease_end_of_run(struct engine *e, uint32_t run_slot, uint32_t staleness)
{
    struct run *run = &e->runs[run_slot];
    uint32_t count = e->heap_count;

    /* The heap is built anew out of what stays: pushing never overtakes reading. */
    e->heap_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t device_slot = e->heap[i];
        struct lease *lease = &e->devices[device_slot].lease;

        if (lease->run_slot == run_slot &&
            (staleness == LEASE_END_ALL ||
             run->base.version - lease->what.base.version > staleness)) {
            lease->state = LEASE_OVER;
            run->live--;
        } else {
            heap_push(e, device_slot);
        }
    }
}
