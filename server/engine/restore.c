#include "server/engine/restore.h"

#include "server/engine/device.h"
#include "server/engine/key.h"
#include "server/engine/lease.h"
#include "server/engine/receipt.h"
#include "server/engine/round.h"
#include "server/engine/run.h"
#include "server/engine/spec.h"
#include "server/engine/update.h"

static int restore_round(struct engine *e, const struct engine_event_round *row)
{
    uint32_t run_slot = run_find(e, row->run);

    return run_slot == ENGINE_NO_SLOT ? MYCEL_OK : round_restore(e, &e->runs[run_slot], row);
}

static int restore_device(struct engine *e, const struct engine_event_device *row)
{
    uint32_t slot = device_get(e, row->device);

    if (slot == ENGINE_NO_SLOT) {
        return MYCEL_E_FULL;
    }
    uint64_t left =
        row->quarantine_ms < e->config.quarantine_ms ? row->quarantine_ms : e->config.quarantine_ms;

    e->devices[slot].revoked = row->revoked;
    e->devices[slot].strikes = row->strikes;
    e->devices[slot].quarantine_ms = left > 0 ? e->now_ms + left : 0;
    return MYCEL_OK;
}

/* Both slots of a row, or why there is none: MYCEL_OK with *run_slot ENGINE_NO_SLOT for a row of a
 * run that has ended. */
static int find_slots(struct engine *e, uint32_t device, uint32_t run, uint32_t *device_slot,
                      uint32_t *run_slot)
{
    *run_slot = run_find(e, run);
    if (*run_slot == ENGINE_NO_SLOT) {
        return MYCEL_OK;
    }
    *device_slot = device_get(e, device);
    return *device_slot == ENGINE_NO_SLOT ? MYCEL_E_FULL : MYCEL_OK;
}

static int restore_share(struct engine *e, const struct engine_event_share *row)
{
    uint32_t device_slot = 0;
    uint32_t run_slot = 0;
    int rc = find_slots(e, row->device, row->run, &device_slot, &run_slot);

    if (rc == MYCEL_OK && run_slot != ENGINE_NO_SLOT) {
        struct share *share = share_of(e, device_slot, run_slot);

        share->accepted = row->accepted;
        share->counted_round = row->last_round;
        share->eligible = true; /* it was; its next check-in may say otherwise */
        e->runs[run_slot].accepted += row->accepted;
        e->runs[run_slot].eligible++;
    }
    return rc;
}

/* What a lease has left: what the wall clock says, within grace and whole; nothing when its seat was
 * taken back for another reason than time. */
static uint64_t lease_left_ms(const struct engine *e, const struct run *run,
                              const struct device *device, const struct engine_event_lease *row)
{
    uint32_t whole = spec_clock(&run->spec, &run->learned).lease_ms;
    uint64_t grace = e->config.grace_ms < whole ? e->config.grace_ms : whole;
    uint64_t left = row->left_ms < whole ? row->left_ms : whole;
    bool stale = run->base.version - row->lease.base.version > run->spec.staleness_max;
    bool old_attempt = run->spec.staleness_max == 0 && row->lease.round == run->round.number &&
                       row->lease.attempt < run->round.attempt;

    if (device->revoked || stale || old_attempt) {
        return 0;
    }
    return left > grace ? left : grace;
}

static int restore_lease(struct engine *e, const struct engine_event_lease *row)
{
    struct engine_lease what = row->lease;
    uint32_t device_slot = 0;
    uint32_t run_slot = 0;
    int rc = find_slots(e, what.device, what.run, &device_slot, &run_slot);

    if (rc < 0 || run_slot == ENGINE_NO_SLOT) {
        return rc;
    }
    const struct run *run = &e->runs[run_slot];

    key_derive(&what);
    if (!key_equal(what.key, row->lease.key) || what.round > run->round.number ||
        what.base.version > run->base.version) {
        return MYCEL_E_INVALID;
    }
    lease_restore(e, device_slot, run_slot, &what,
                  lease_left_ms(e, run, &e->devices[device_slot], row));
    return MYCEL_OK;
}

/* Into the sum that it is part of; those of earlier rounds are versions already. */
static void restore_tally(struct run *run, uint32_t counted_round, uint64_t weight)
{
    struct tally *tally = &run->round.tally;

    if (counted_round < run->round.number) {
        return;
    }
    if (counted_round > run->round.number) {
        tally = &run->carry;
    }
    tally->accepted++;
    tally->weight += weight;
}

/* A lease that was given up for the one that this receipt answers stays given up. */
static void drop_older_lease(struct engine *e, uint32_t device_slot, uint32_t run_slot,
                             const struct engine_receipt *receipt)
{
    const struct lease *lease = &e->devices[device_slot].lease;
    const struct engine_lease *what = &lease->what;

    if (lease->state != LEASE_NONE && lease->run_slot == run_slot &&
        (what->round < receipt->round ||
         (what->round == receipt->round && what->attempt < receipt->attempt))) {
        lease_drop(e, device_slot);
    }
}

static int restore_update(struct engine *e, const struct engine_event_restore_update *row)
{
    const struct engine_receipt *receipt = &row->receipt;
    uint32_t device_slot = 0;
    uint32_t run_slot = 0;
    int rc = find_slots(e, receipt->device, receipt->run, &device_slot, &run_slot);

    if (rc < 0 || run_slot == ENGINE_NO_SLOT) {
        return rc;
    }
    if (receipt->attempt == 0) {
        return MYCEL_E_INVALID;
    }
    struct run *run = &e->runs[run_slot];
    struct share *share = share_of(e, device_slot, run_slot);
    uint64_t weight = update_weight(&run->spec, &row->report);

    receipt_keep(e, receipt, 0);
    update_mark(share, receipt->round, receipt->attempt);
    drop_older_lease(e, device_slot, run_slot, receipt);
    if (receipt->counted_round > 0) {
        restore_tally(run, receipt->counted_round, weight);
        update_learn(e, device_slot, run_slot, receipt, &row->report, row->norm);
    } else if (!receipt->late && receipt->round == run->round.number) {
        round_reject(run, receipt->status);
    }
    return MYCEL_OK;
}

int restore_row(struct engine *e, const struct engine_event *event)
{
    switch (event->type) {
    case ENGINE_EVENT_RESTORE_ROUND:
        return restore_round(e, &event->u.round);
    case ENGINE_EVENT_RESTORE_DEVICE:
        return restore_device(e, &event->u.restore_device);
    case ENGINE_EVENT_RESTORE_SHARE:
        return restore_share(e, &event->u.share);
    case ENGINE_EVENT_RESTORE_LEASE:
        return restore_lease(e, &event->u.lease);
    default:
        return restore_update(e, &event->u.restore_update);
    }
}
