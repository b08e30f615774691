#include "server/engine/checkin.h"

#include "server/engine/cohort.h"
#include "server/engine/device.h"
#include "server/engine/emit.h"
#include "server/engine/lease.h"
#include "server/engine/pace.h"
#include "server/engine/round.h"
#include "server/engine/window.h"

static void reply_lease(struct engine *e, const struct lease *lease)
{
    struct engine_action_lease *reply =
        &emit_after(e, ENGINE_ACTION_REPLY_LEASE, lease->batch)->u.lease;

    reply->lease = lease->what;
    reply->left_ms = lease->deadline_ms - e->now_ms;
}

static void reply_window(struct engine *e, uint32_t device_id, const struct run *run,
                         enum engine_why why, const struct engine_window *window)
{
    struct engine_action_window *reply = &emit_after(e, ENGINE_ACTION_REPLY_WINDOW, 0)->u.window;

    reply->device = device_id;
    reply->run = run != NULL ? run->spec.run : 0;
    reply->why = why;
    reply->window = *window;
}

static void refuse(struct engine *e, uint32_t device_slot, const struct run *run,
                   enum engine_why why)
{
    const struct device *device = &e->devices[device_slot];
    struct engine_window window = pace_refused(e, run, device, why);

    window_told(e, device_slot, &window);
    device_set_why(e, device_slot, run != NULL ? run->spec.run : 0, why);
    reply_window(e, device->id, run, why, &window);
}

static void grant(struct engine *e, uint32_t device_slot, uint32_t run_slot, uint8_t codec)
{
    struct run *run = &e->runs[run_slot];
    struct lease *lease = &e->devices[device_slot].lease;

    cohort_take_seat(e, device_slot, run_slot);
    round_start(e, run);
    lease_grant(e, device_slot, run_slot, codec);
    window_forget(e, device_slot);

    struct engine_action_lease_row *row = &emit_store(e, ENGINE_ACTION_STORE_LEASE)->u.lease_row;

    row->lease = lease->what;
    row->left_ms = lease->deadline_ms - e->now_ms;
    lease->batch = emit_batch(e);
    reply_lease(e, lease);
}

void checkin_take(struct engine *e, const struct engine_event_checkin *checkin)
{
    uint32_t slot = device_get(e, checkin->device);
    struct cohort_choice choice;

    if (slot == ENGINE_NO_SLOT) {
        const struct engine_window latest = {e->config.window_ms_max, e->config.window_ms_max};

        reply_window(e, checkin->device, NULL, ENGINE_WHY_FULL, &latest);
        return;
    }
    if (e->devices[slot].revoked) {
        emit_problem(e, MYCEL_E_REVOKED, NULL);
        return;
    }
    if (e->devices[slot].lease.state == LEASE_LIVE) {
        reply_lease(e, &e->devices[slot].lease);
        return;
    }
    if (window_is_early(e, slot)) {
        const struct engine_window rest = window_rest(e, slot);

        reply_window(e, checkin->device, NULL, ENGINE_WHY_EARLY, &rest);
        return;
    }
    if (device_is_quarantined(e, slot)) {
        refuse(e, slot, NULL, ENGINE_WHY_QUARANTINED);
        return;
    }
    choice = cohort_choose(e, slot, &checkin->facts);
    if (choice.why == ENGINE_WHY_SELECTED) {
        grant(e, slot, choice.run_slot, choice.codec);
    } else {
        refuse(e, slot, choice.run_slot != ENGINE_NO_SLOT ? &e->runs[choice.run_slot] : NULL,
               choice.why);
    }
}
