#include "server/engine/device.h"

#include "common/rng.h"
#include "server/engine/emit.h"

uint32_t device_find(const struct engine *e, uint32_t id)
{
    uint32_t slot = table_first(&e->by_id, rng_mix64(id));

    while (slot != TABLE_END && e->devices[slot].id != id) {
        slot = table_next(&e->by_id, slot);
    }
    return slot == TABLE_END ? ENGINE_NO_SLOT : slot;
}

uint32_t device_get(struct engine *e, uint32_t id)
{
    uint32_t slot = device_find(e, id);

    if (slot == ENGINE_NO_SLOT && e->device_count < e->config.device_max) {
        slot = e->device_count++;
        e->devices[slot].id = id;
        table_put(&e->by_id, rng_mix64(id), slot);
    }
    return slot;
}

bool device_is_quarantined(const struct engine *e, uint32_t slot)
{
    return e->devices[slot].quarantine_ms > e->now_ms;
}

static void store(struct engine *e, const struct device *device)
{
    struct engine_action_device *row = &emit_store(e, ENGINE_ACTION_STORE_DEVICE)->u.device_row;

    row->device = device->id;
    row->strikes = device->strikes;
    row->quarantine_ms = device->quarantine_ms > e->now_ms ? device->quarantine_ms - e->now_ms : 0;
}

void device_strike(struct engine *e, uint32_t slot, const struct run *run, int32_t status)
{
    struct device *device = &e->devices[slot];

    emit_audit(e, ENGINE_AUDIT_UPDATE_REJECTED, run, device->id, status);
    device->strikes++;
    if (device->strikes >= e->config.strikes_max) {
        device->quarantine_ms = e->now_ms + e->config.quarantine_ms;
        emit_audit(e, ENGINE_AUDIT_DEVICE_QUARANTINED, run, device->id, status);
    }
    store(e, device);
}

void device_forgive(struct engine *e, uint32_t slot)
{
    struct device *device = &e->devices[slot];

    if (device->strikes > 0) {
        device->strikes = 0;
        store(e, device);
    }
}

void device_set_why(struct engine *e, uint32_t slot, uint32_t run, enum engine_why why)
{
    struct device *device = &e->devices[slot];

    /* A write for every look at a round that is just being summed would tell nobody anything. */
    if (why == ENGINE_WHY_BETWEEN_ROUNDS || (device->why == why && device->why_run == run)) {
        return;
    }
    device->why = why;
    device->why_run = run;

    struct engine_action_why *row = &emit_store(e, ENGINE_ACTION_STORE_WHY)->u.why_row;

    row->device = device->id;
    row->run = run;
    row->why = why;
}
