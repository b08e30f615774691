#include "server/engine/update.h"

#include "server/engine/device.h"
#include "server/engine/emit.h"
#include "server/engine/lease.h"
#include "server/engine/pace.h"
#include "server/engine/receipt.h"
#include "server/engine/round.h"
#include "server/engine/window.h"

#include <string.h>

#define NORM_FACTOR 10.0f   /* times the running median: absurd */
#define NORM_HISTORY_MIN 8u /* norms that the median needs before it is believed */

/* What is to be said of an update whose lease is known. */
struct verdict {
    int32_t status;
    bool late;
    uint32_t counted_round;
    uint32_t staleness;
};

static void reply_receipt(struct engine *e, const struct engine_receipt *receipt, uint64_t batch)
{
    emit_after(e, ENGINE_ACTION_REPLY_RECEIPT, batch)->u.receipt = *receipt;
}

static void look_up(struct engine *e, uint32_t device, const uint8_t key[PROTO_KEY_BYTES],
                    const uint8_t *digest)
{
    struct engine_action_lookup *lookup = &emit_after(e, ENGINE_ACTION_LOOKUP_RECEIPT, 0)->u.lookup;

    lookup->device = device;
    memcpy(lookup->key, key, PROTO_KEY_BYTES);
    if (digest != NULL) {
        lookup->digest_set = true;
        memcpy(lookup->digest, digest, PROTO_SHA256_BYTES);
    }
}

/* Refuses a device that was revoked. */
static bool refuse_revoked(struct engine *e, uint32_t device_id)
{
    uint32_t slot = device_find(e, device_id);

    if (slot == ENGINE_NO_SLOT || !e->devices[slot].revoked) {
        return false;
    }
    emit_problem(e, MYCEL_E_REVOKED, NULL);
    return true;
}

/* The slot of the lease with this key if it is this device's. */
static uint32_t own_lease(const struct engine *e, uint32_t device_id,
                          const uint8_t key[PROTO_KEY_BYTES])
{
    uint32_t slot = lease_find(e, key);

    return slot != ENGINE_NO_SLOT && e->devices[slot].id == device_id ? slot : ENGINE_NO_SLOT;
}

/* Whether an update of this lease would still be part of a sum. */
static bool is_timely(const struct run *run, const struct engine_lease *what)
{
    return run_is_open(run) && round_staleness(run, what->base.version) <= run->spec.staleness_max;
}

/* --- may it come in? ------------------------------------------------------------------------ */

void update_query(struct engine *e, const struct engine_event_query *query)
{
    const struct receipt_slot *known = receipt_find(e, query->key);
    uint32_t slot = own_lease(e, query->device, query->key);

    if (refuse_revoked(e, query->device)) {
        return;
    }
    if (known != NULL && known->receipt.device == query->device) {
        reply_receipt(e, &known->receipt, known->batch);
        return;
    }
    if (slot == ENGINE_NO_SLOT) {
        look_up(e, query->device, query->key, NULL);
        return;
    }

    const struct run *run = &e->runs[e->devices[slot].lease.run_slot];

    if (!is_timely(run, &e->devices[slot].lease.what)) {
        struct engine_window window = pace_next_round(e, run);

        window_told(e, slot, &window);
        emit_problem(e, MYCEL_E_LEASE, &window);
    } else if (query->bytes > run->spec.update_bytes_max) {
        emit_problem(e, MYCEL_E_TOO_LARGE, NULL)->bytes_max = run->spec.update_bytes_max;
    } else {
        struct engine_action_admit *admit = &emit_after(e, ENGINE_ACTION_REPLY_ADMIT, 0)->u.admit;

        admit->run = run->spec.run;
        admit->bytes_max = run->spec.update_bytes_max;
    }
}

/* --- does it count? ------------------------------------------------------------------------- */

static int32_t check_report(const struct run *run, const struct engine_lease *what,
                            const struct engine_report *report)
{
    if (report->run != what->run || report->round != what->round ||
        report->base_version != what->base.version) {
        return MYCEL_E_BASE;
    }
    if (report->codec != what->codec) {
        return MYCEL_E_CODEC;
    }
    if (report->samples == 0 || report->samples > run->spec.samples_max) {
        return MYCEL_E_WEIGHT;
    }
    return MYCEL_OK;
}

static int32_t check_norm(const struct run *run, float norm)
{
    float median = stats_median(&run->norms);

    if (!stats_is_finite(norm)) {
        return MYCEL_E_NONFINITE;
    }
    if (run->norms.count >= NORM_HISTORY_MIN && median > 0.0f && norm > NORM_FACTOR * median) {
        return MYCEL_E_NORM;
    }
    return MYCEL_OK;
}

static struct verdict judge(const struct run *run, const struct share *share,
                            const struct lease *lease, const struct engine_event_update *update)
{
    struct verdict verdict = {update->status, false, 0, 0};

    if (verdict.status == 0) {
        verdict.status = check_report(run, &lease->what, &update->report);
    }
    if (verdict.status == 0) {
        verdict.status = check_norm(run, update->norm);
    }
    if (verdict.status != 0) {
        return verdict;
    }
    if (!is_timely(run, &lease->what)) {
        verdict.status = MYCEL_E_TIMEOUT;
        verdict.late = true;
    } else if (share->counted_round >= round_counting(run)) {
        verdict.status = MYCEL_E_EXISTS; /* once per device and round, whatever happened before */
    } else {
        verdict.counted_round = round_counting(run);
        verdict.staleness = round_staleness(run, lease->what.base.version);
        verdict.late = verdict.counted_round != lease->what.round;
    }
    return verdict;
}

uint64_t update_weight(const struct engine_spec *spec, const struct engine_report *report)
{
    return spec->weighting == ENGINE_WEIGHT_SAMPLES ? report->samples : 1u;
}

void update_learn(struct engine *e, uint32_t device_slot, uint32_t run_slot,
                  const struct engine_receipt *receipt, const struct engine_report *report,
                  float norm)
{
    struct run *run = &e->runs[run_slot];
    struct share *share = share_of(e, device_slot, run_slot);
    float utility = (float)report->samples * report->loss_last;

    share->counted_round = receipt->counted_round;
    if (stats_is_finite(utility) && utility > 0.0f) {
        share->utility = utility;
        stats_push(&run->utilities, utility);
    }
    stats_push(&run->norms, norm);
}

/* The receipt, with the window in which the device is to come back. */
static struct engine_receipt write_receipt(const struct engine *e, const struct run *run,
                                           const struct device *device,
                                           const struct engine_event_update *update,
                                           const struct verdict *verdict)
{
    const struct engine_lease *what = &device->lease.what;
    struct engine_receipt receipt;

    memset(&receipt, 0, sizeof receipt);
    memcpy(receipt.key, what->key, PROTO_KEY_BYTES);
    memcpy(receipt.digest, update->digest, PROTO_SHA256_BYTES);
    receipt.device = what->device;
    receipt.run = what->run;
    receipt.round = what->round;
    receipt.attempt = what->attempt;
    receipt.base_version = what->base.version;
    receipt.counted_round = verdict->counted_round;
    receipt.status = verdict->status;
    receipt.late = verdict->late;
    receipt.window = pace_next_round(e, run);
    if (device->quarantine_ms > e->now_ms) {
        receipt.window = pace_refused(e, run, device, ENGINE_WHY_QUARANTINED);
    }
    return receipt;
}

static void store_update(struct engine *e, const struct run *run,
                         const struct engine_receipt *receipt,
                         const struct engine_event_update *update, const struct verdict *verdict)
{
    struct engine_action_update *row = &emit_store(e, ENGINE_ACTION_STORE_UPDATE)->u.update_row;

    row->receipt = *receipt;
    row->report = update->report;
    row->norm = update->norm;
    row->weight = receipt->counted_round > 0 ? update_weight(&run->spec, &update->report) : 0;
    row->staleness = verdict->staleness;
    row->scale_q16 = stats_staleness_q16(run->spec.staleness_discount ? verdict->staleness : 0);
}

void update_mark(struct share *share, uint32_t round, uint32_t attempt)
{
    if (round > share->verdict_round ||
        (round == share->verdict_round && attempt > share->verdict_attempt)) {
        share->verdict_round = round;
        share->verdict_attempt = attempt;
    }
}

/* Late ones too: they are those whom the deadline is about. */
static void learn_report_time(const struct engine *e, struct run *run, const struct lease *lease,
                              const struct engine_receipt *receipt)
{
    if (run->spec.soft_learn && lease->timed && (receipt->counted_round > 0 || receipt->late)) {
        stats_push(&run->report_times, (float)(e->now_ms - lease->granted_ms));
    }
}

static void book(struct engine *e, uint32_t device_slot, const struct engine_receipt *receipt,
                 const struct engine_event_update *update)
{
    uint32_t run_slot = e->devices[device_slot].lease.run_slot;
    struct run *run = &e->runs[run_slot];
    struct share *share = share_of(e, device_slot, run_slot);

    update_mark(share, receipt->round, receipt->attempt);
    learn_report_time(e, run, &e->devices[device_slot].lease, receipt);
    if (receipt->counted_round > 0) {
        round_count(e, run, update_weight(&run->spec, &update->report));
        update_learn(e, device_slot, run_slot, receipt, &update->report, update->norm);
        share->accepted++;
        run->accepted++;
    } else if (!receipt->late && receipt->round == run->round.number) {
        round_reject(run, receipt->status);
    }
}

static void decide(struct engine *e, uint32_t device_slot, const struct engine_event_update *update)
{
    const struct device *device = &e->devices[device_slot];
    uint32_t run_slot = device->lease.run_slot;
    const struct run *run = &e->runs[run_slot];
    struct verdict verdict = judge(run, share_of(e, device_slot, run_slot), &device->lease, update);
    struct engine_receipt receipt;

    if (verdict.counted_round > 0) {
        device_forgive(e, device_slot);
    } else if (mycel_error_class(verdict.status) == MYCEL_CLASS_PEER) {
        device_strike(e, device_slot, run, verdict.status);
    }
    receipt = write_receipt(e, run, device, update, &verdict);
    store_update(e, run, &receipt, update, &verdict);
    book(e, device_slot, &receipt, update);
    receipt_keep(e, &receipt, emit_batch(e));
    reply_receipt(e, &receipt, emit_batch(e));
    window_told(e, device_slot, &receipt.window);
    lease_drop(e, device_slot);
}

void update_take(struct engine *e, const struct engine_event_update *update)
{
    const struct receipt_slot *known = receipt_find(e, update->key);
    uint32_t slot = own_lease(e, update->device, update->key);

    if (refuse_revoked(e, update->device)) {
        return;
    }
    if (known != NULL && known->receipt.device == update->device) {
        if (memcmp(known->receipt.digest, update->digest, PROTO_SHA256_BYTES) == 0) {
            reply_receipt(e, &known->receipt, known->batch);
        } else {
            emit_audit(e, ENGINE_AUDIT_UPDATE_CONFLICT, NULL, update->device, MYCEL_E_CONFLICT);
            emit_problem(e, MYCEL_E_CONFLICT, NULL);
        }
    } else if (slot == ENGINE_NO_SLOT) {
        look_up(e, update->device, update->key, update->digest);
    } else if (update->status != 0 && mycel_error_class(update->status) != MYCEL_CLASS_PEER) {
        emit_problem(e, MYCEL_E_BUSY, NULL); /* our fault: the device may send it again */
    } else {
        decide(e, slot, update);
    }
}
