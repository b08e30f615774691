/* Chance and circumstances of a simulated device, and what its client tells. */
#include "sim/world/world.h"

static uint64_t platform_random(void *ctx)
{
    struct live *live = ctx;
    struct world *world = live->world;
    struct fleet_device *device = &world->fleet.devices[live->device];
    return chance_u64(world->scenario->seed, CHANCE_CLIENT, live->device, device->draws++);
}

static void platform_conditions(void *ctx, bool training, struct mycel_conditions *conditions)
{
    struct live *live = ctx;
    (void)training; /* simulated owners do not mind their own client's load */
    struct availability_now now;
    world_look(live->world, live->device, &now);
    conditions->idle = now.idle;
    conditions->battery_percent = now.battery_percent;
}

static void platform_event(void *ctx, const struct mycel_event *event)
{
    struct live *live = ctx;
    switch (event->kind) {
    case MYCEL_EVENT_LEASE:
        live->troubled = false;
        world_leased(live->world, live);
        break;
    case MYCEL_EVENT_WINDOW:
    case MYCEL_EVENT_RECEIPT:
        live->troubled = false;
        break;
    case MYCEL_EVENT_PAUSED:
        port_training_pause(live);
        break;
    case MYCEL_EVENT_PROBLEM:
        live->troubled = true;
        break;
    default:
        break;
    }
}

const struct mycel_platform port_platform = {platform_random, platform_conditions, platform_event};
