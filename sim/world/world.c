/* Events in order, and what each of them sets going. See world.h. */
#include "sim/world/world.h"

#include "sim/coordinator/coordinator.h"
#include "sim/world/watch.h"

#include <mycel/error.h>

#define POLLS_MAX 1000000u /* in one moment: a client that wants more is broken */
#define HANDSHAKE_LOOK_MS 1000u
#define PARK_MS 500u /* a device that sleeps for less stays as it is */

void world_fail(struct world *world, int status, const char *problem)
{
    if (world->status == 0) {
        world->status = status;
        world->problem = problem;
    }
}

void world_push(struct world *world, uint64_t at_us, enum world_kind kind, uint32_t who)
{
    int rc = queue_push(&world->queue, at_us, kind, who);
    if (rc < 0) {
        world_fail(world, rc, "the queue of events is full");
    }
}

void world_wake_at(struct world *world, uint32_t device, uint64_t at_us)
{
    struct fleet_device *d = &world->fleet.devices[device];
    d->wake_us = at_us;
    if (d->timer_us > world->now_us && d->timer_us <= at_us) {
        return; /* the timer that is set comes first, and is set anew then */
    }
    d->timer_us = at_us;
    world_push(world, at_us, WORLD_DEVICE, device);
}

void world_poll(struct world *world, uint32_t device)
{
    struct fleet_device *d = &world->fleet.devices[device];
    if (d->live != LIVE_NONE && d->wake_us != world->now_us) {
        d->wake_us = world->now_us;
        world_push(world, world->now_us, WORLD_DEVICE, device);
    }
}

/* ---- a device's turn ---------------------------------------------------------------------- */

/* Asleep until its client wants to check in: only 64 bytes of it stay. */
static bool can_park(const struct live *live, uint64_t wait_ms)
{
    return mycel_client_state(&live->client) == MYCEL_CLIENT_SLEEP && !live->troubled &&
           live->training.work == NULL && wait_ms >= PARK_MS;
}

static void park(struct world *world, uint32_t device, uint64_t wait_ms)
{
    struct fleet_device *d = &world->fleet.devices[device];
    live_at(&world->lives, d->live)->parking = true;
    live_end(world, d->live);
    world_wake_at(world, device, world_after_local_ms(world, device, wait_ms));
}

/* Lets the client do what is due; the ms until it wants to be called again. */
static uint32_t run_client(struct world *world, struct live *live)
{
    uint64_t now_ms = world_local_ms(world, live->device);
    for (uint32_t i = 0; i < POLLS_MAX; i++) {
        uint32_t wait_ms = mycel_client_poll(&live->client, now_ms);
        if (wait_ms > 0 || port_training_end_us(live) != UINT64_MAX || live->vanishing) {
            return wait_ms;
        }
    }
    world_fail(world, MYCEL_E_STATE, "a client is busy for ever");
    return UINT32_MAX;
}

/* When a live device has to be looked at again. */
static uint64_t next_turn_us(struct world *world, const struct live *live, uint32_t wait_ms)
{
    uint64_t end_us = port_training_end_us(live);
    if (live->handshake != TRIP_NONE && wait_ms < HANDSHAKE_LOOK_MS) {
        wait_ms = HANDSHAKE_LOOK_MS; /* offers its request again and again: its end wakes it */
    }
    uint64_t next_us = world_after_local_ms(world, live->device, wait_ms);
    if (end_us == UINT64_MAX) {
        return next_us;
    }
    /* Training: until it is complete, or until its owner comes back. */
    struct availability_now now;
    world_look(world, live->device, &now);
    return end_us < now.next_change_us ? end_us : now.next_change_us;
}

static void take_turn(struct world *world, uint32_t device)
{
    struct fleet_device *d = &world->fleet.devices[device];
    struct live *live = live_at(&world->lives, d->live);
    uint32_t wait_ms = run_client(world, live);
    if (live->vanishing) {
        fault_vanish(world, device);
        return;
    }
    uint64_t now_ms = world_local_ms(world, device);
    uint64_t wake_ms = mycel_client_wake_ms(&live->client);
    uint64_t sleep_ms = wake_ms > now_ms ? wake_ms - now_ms : 0;
    if (can_park(live, sleep_ms)) {
        park(world, device, sleep_ms);
    } else {
        world_wake_at(world, device, next_turn_us(world, live, wait_ms));
    }
}

/* A sleeping device that its owner needs looks again when that changes: silence costs nothing. */
static void wake(struct world *world, uint32_t device)
{
    struct availability_now now;
    world_look(world, device, &now);
    if (!now.idle && now.next_change_us > world->now_us && now.next_change_us != UINT64_MAX) {
        world_wake_at(world, device, now.next_change_us);
        return;
    }
    uint32_t id = live_begin(world, device);
    if (id != LIVE_NONE) {
        fault_plan_reboot(world, id);
        take_turn(world, device);
    }
}

static void on_device(struct world *world, uint32_t device)
{
    const struct fleet_device *d = &world->fleet.devices[device];
    if (d->wake_us != world->now_us) {
        if (d->timer_us == world->now_us && d->wake_us > world->now_us) {
            world_wake_at(world, device, d->wake_us);
        }
        return; /* it was told another time since */
    }
    if (d->live == LIVE_NONE) {
        wake(world, device);
    } else {
        take_turn(world, device);
    }
}

/* The coordinator was to crash in this moment. */
static void crash(struct world *world)
{
    fault_crash(world);
    fault_plan_crash(world);
}

static void on_datagram(struct world *world, uint32_t trip, bool up)
{
    if (world->watch != NULL) {
        world->watch->arrived(world->watch->user, world, trip_at(&world->trips, trip)->device, up);
    }
    if (up) {
        trip_up(world, trip);
    } else {
        trip_down(world, trip);
    }
}

static void carry_out(struct world *world, const struct queue_event *event)
{
    switch ((enum world_kind)event->kind) {
    case WORLD_DEVICE:
        on_device(world, event->who);
        break;
    case WORLD_UP:
    case WORLD_DOWN:
        on_datagram(world, event->who, event->kind == WORLD_UP);
        break;
    case WORLD_RETRY:
        trip_retry(world, event->who);
        break;
    case WORLD_REBOOT:
        fault_reboot(world, event->who);
        break;
    case WORLD_STORE:
        coordinator_stored(world->coordinator, event->who);
        break;
    case WORLD_WORK:
        coordinator_worked(world->coordinator, event->who);
        break;
    case WORLD_TICK:
        coordinator_ticked(world->coordinator, event->who);
        break;
    case WORLD_CRASH:
        crash(world);
        break;
    case WORLD_START:
        coordinator_start(world->coordinator);
        break;
    }
}

bool world_step(struct world *world)
{
    struct queue_event event;
    if (world->status < 0 || !queue_pop(&world->queue, &event)) {
        return false;
    }
    world->now_us = event.at_us;
    world->tally.events++;
    carry_out(world, &event);
    if (fault_after_event(world)) {
        fault_crash(world);
    }
    if (world->watch != NULL) {
        world->watch->event(world->watch->user, world, &event);
    }
    return world->status == 0;
}
