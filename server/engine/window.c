#include "server/engine/window.h"

void window_told(struct engine *e, uint32_t device_slot, const struct engine_window *window)
{
    struct told *told = &e->devices[device_slot].told;

    told->held_until_ms =
        e->now_ms + (uint64_t)window->earliest_ms * e->config.hold_permille / 1000u;
    told->earliest_ms = e->now_ms + window->earliest_ms;
    told->latest_ms = e->now_ms + window->latest_ms;
}

void window_forget(struct engine *e, uint32_t device_slot)
{
    e->devices[device_slot].told.held_until_ms = 0;
}

bool window_is_early(struct engine *e, uint32_t device_slot)
{
    struct device *device = &e->devices[device_slot];

    if (e->now_ms >= device->told.held_until_ms) {
        return false;
    }
    device->early++;
    return true;
}

struct engine_window window_rest(const struct engine *e, uint32_t device_slot)
{
    const struct told *told = &e->devices[device_slot].told;
    struct engine_window rest;

    rest.earliest_ms = (uint32_t)(told->earliest_ms - e->now_ms);
    rest.latest_ms = (uint32_t)(told->latest_ms - e->now_ms);
    return rest;
}
