/* See fault.h. */
#include "sim/fault.h"

#include "sim/coordinator.h"
#include "sim/world.h"

#include <math.h>
#include <mycel/error.h>

#define DAY_US 86400e6
#define AWAY_US_MIN 3600000000u  /* a device that vanished is back after one hour … */
#define AWAY_US_MAX 86400000000u /* … to a day */
#define USES 1024u               /* of a live record that a token tells apart */

/* Time to the next event of a Poisson process, never 0. */
static uint64_t exponential_us(uint64_t draw, double per_day)
{
    double uniform = ((double)(draw >> 11) + 0.5) * 0x1p-53;
    return (uint64_t)(-log(uniform) * DAY_US / per_day) + 1u;
}

/* A live record by its place and use: one that was reused since has another token. */
static uint32_t token_of(const struct live *live, uint32_t id)
{
    return id * USES + live->use % USES;
}

void fault_plan_reboot(struct world *world, uint32_t id)
{
    const struct scenario *s = world->scenario;
    struct live *live = live_at(&world->lives, id);
    if (s->reboots <= 0) {
        return;
    }
    struct fleet_device *device = &world->fleet.devices[live->device];
    uint64_t draw = chance_u64(s->seed, CHANCE_FAULT, live->device, device->datagrams);
    world_push(world, world->now_us + exponential_us(draw, s->reboots), WORLD_REBOOT,
               token_of(live, id));
}

void fault_reboot(struct world *world, uint32_t token)
{
    uint32_t id = token / USES;
    struct live *live = live_at(&world->lives, id);
    if (token_of(live, id) != token || world->fleet.devices[live->device].live != id) {
        return; /* it went to sleep in time */
    }
    world->tally.reboots++;
    int rc = live_reboot(world, live);
    if (rc < 0) {
        world_fail(world, rc, "a client cannot be restarted");
        return;
    }
    fault_plan_reboot(world, id);
    world_poll(world, live->device);
}

int fault_vanishes(const struct world *world, uint32_t device, uint32_t lease)
{
    uint64_t draw = chance_u64(world->scenario->seed, CHANCE_FAULT, device, (uint64_t)lease << 32);
    return (double)(draw >> 11) * 0x1p-53 < world->scenario->vanish;
}

void fault_vanish(struct world *world, uint32_t device)
{
    struct fleet_device *d = &world->fleet.devices[device];
    uint64_t draw =
        chance_u64(world->scenario->seed, CHANCE_FAULT, device, (uint64_t)d->leases << 32 | 1u);
    world->tally.vanished++;
    live_end(world, d->live);
    d->session = 0;
    world_wake_at(world, device,
                  world->now_us + AWAY_US_MIN + chance_below(draw, AWAY_US_MAX - AWAY_US_MIN));
}

void fault_plan_crash(struct world *world)
{
    const struct scenario *s = world->scenario;
    if (s->crashes > 0) {
        uint64_t draw = chance_u64(s->seed, CHANCE_COORDINATOR, 0, world->now_us);
        world_push(world, world->now_us + exponential_us(draw, s->crashes), WORLD_CRASH, 0);
    }
}

void fault_crash(struct world *world)
{
    world->tally.crashes++;
    coordinator_crash(world->coordinator);
    fault_plan_crash(world);
}
