/* See fault.h. */
#include "sim/world/fault.h"

#include "sim/coordinator/coordinator.h"
#include "sim/world/world.h"

#include <math.h>
#include <mycel/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    if (s->reboots <= 0 || fault_healed(world)) {
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
    if (token_of(live, id) != token || world->fleet.devices[live->device].live != id ||
        fault_healed(world)) {
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

bool fault_vanishes(const struct world *world, uint32_t device, uint32_t lease)
{
    uint64_t draw = chance_u64(world->scenario->seed, CHANCE_FAULT, device, (uint64_t)lease << 32);
    return !fault_healed(world) && chance_happens(draw, world->scenario->vanish);
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
    if (fault_healed(world) || coordinator_epoch(world->coordinator) == 0) {
        return;
    }
    world->tally.crashes++;
    coordinator_crash(world->coordinator);
    if (world->scenario->down_s > 0) {
        world_push(world, world->now_us + (uint64_t)(world->scenario->down_s * 1e6), WORLD_START,
                   0);
    } else {
        coordinator_start(world->coordinator);
    }
}

/* ---- crashes by number -------------------------------------------------------------------- */

static bool planned(const uint64_t *numbers, uint32_t count, uint64_t number)
{
    for (uint32_t i = 0; i < count; i++) {
        if (numbers[i] == number) {
            return true;
        }
    }
    return false;
}

bool fault_after_event(const struct world *world)
{
    const struct fault_plan *plan = &world->faults;
    return plan->event_count > 0 && planned(plan->events, plan->event_count, world->tally.events);
}

bool fault_at_commit(struct world *world)
{
    struct fault_plan *plan = &world->faults;
    plan->committed++;
    return planned(plan->commits, plan->commit_count, plan->committed) && !fault_healed(world);
}

bool fault_healed(const struct world *world)
{
    return world->now_us >= world->faults.heal_us;
}

static bool add_number(uint64_t *numbers, uint32_t *count, uint64_t number)
{
    if (*count == FAULT_CRASHES_MAX) {
        return false;
    }
    numbers[(*count)++] = number;
    return true;
}

/* One element of the list; where the next one begins, or NULL. */
static const char *read_number(struct fault_plan *plan, const char *at)
{
    static const char commit[] = "commit:";
    bool is_commit = strncmp(at, commit, sizeof commit - 1u) == 0;
    at += is_commit ? sizeof commit - 1u : 0;
    char *end = NULL;
    unsigned long long number = *at >= '0' && *at <= '9' ? strtoull(at, &end, 10) : 0;
    bool good = end != NULL && (*end == ',' || *end == '\0') &&
                (is_commit ? add_number(plan->commits, &plan->commit_count, number)
                           : add_number(plan->events, &plan->event_count, number));
    return good ? end + (*end == ',') : NULL;
}

int fault_init(struct world *world, char *problem)
{
    const struct scenario *s = world->scenario;
    world->faults =
        (struct fault_plan){.heal_us = s->heal_s > 0 ? (uint64_t)(s->heal_s * 1e6) : UINT64_MAX};
    for (const char *at = s->crash_at; at != NULL && *at != '\0';) {
        at = read_number(&world->faults, at);
        if (at == NULL) {
            (void)snprintf(problem, SCENARIO_PROBLEM_BYTES,
                           "crash_at = %s: must be numbers of events, and of commits as commit:N, "
                           "with commas between them; %u of each at most",
                           s->crash_at, FAULT_CRASHES_MAX);
            return MYCEL_E_INVALID;
        }
    }
    return MYCEL_OK;
}
