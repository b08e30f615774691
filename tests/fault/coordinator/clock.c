/*
 * Clocks that jump. A device takes a lease and vanishes; the coordinator is killed after pass N and comes
 * back with a wall clock that is years off and any monotonic clock; later, or never, it is set right and the
 * coordinator killed again.
 *
 * Premature would be: the vanished device's lease is gone at once, or the round's attempt ends within the
 * grace after a restart. Lost would be: the lease is never reclaimed, so that the round never ends.
 */
#include "sweep.h"

#include <stdio.h>
#include <string.h>

#define YEARS_10 (10ull * 365 * 86400 * 1000)
#define VANISHED 3u

/* How long the clock is wrong, in passes: until it is set right, or for good. */
static const unsigned passes_off[] = {3, FLEET_PASSES_MAX};

/* A restart gives the lease at most its whole life again; then its seat is free and the rest is quick. The
 * round's own deadline would come later: a lease that only it ends was not reclaimed. */
#define BOUND_MS(restarts) ((restarts)*FLEET_LEASE_MS + 20000u)

static const uint64_t walls[] = {
    FLEET_WALL_MS,
    FLEET_WALL_MS + YEARS_10,
    FLEET_WALL_MS - YEARS_10,
    0,              /* 1970, as without a battery */
    5000,           /* … a little later */
    2147483647000u, /* 2038 */
    2147483648000u,
    4294967296000u, /* 2106 */
};
static const uint64_t monotonic[] = {0, 1000000, 1ull << 40};

#define WALLS (sizeof walls / sizeof walls[0])
#define MONOTONIC (sizeof monotonic / sizeof monotonic[0])
#define VARIANTS (WALLS * MONOTONIC * 2)

static bool view(struct trial *trial, struct engine_run_view *out)
{
    return engine_run_view(trial->fleet.coordinator.live.engine, 0, out) == 0;
}

/* Its seat is still taken, and it may still upload. */
static void expect_lease(struct trial *trial, const struct engine_run_view *now)
{
    struct fleet *fleet = &trial->fleet;
    const struct fleet_device *device = &fleet->devices[VANISHED];
    if (now->round != device->lease.round || !device->has_lease ||
        fleet->elapsed_ms + 5000 > FLEET_LEASE_MS) {
        return;
    }
    int rc = fleet_query(fleet, VANISHED, device->lease.key, 1);
    if (rc < 0 || now->live == 0 || fleet->answer.action.type != ENGINE_ACTION_REPLY_ADMIT) {
        trial_complain(trial, "a lease ended before its time", rc);
    }
}

/* One life with a clock: until so many passes are over or the run is finished. */
static int live(struct trial *trial, unsigned passes)
{
    struct fleet *fleet = &trial->fleet;
    struct engine_run_view first, now;
    uint64_t from_ms = fleet->elapsed_ms;
    int rc = coordinator_start(&fleet->coordinator);
    if (rc < 0) {
        return rc;
    }
    bool open = view(trial, &first);
    if (open) {
        expect_lease(trial, &first);
    }
    int more = 1;
    for (unsigned i = 0; i < passes && more > 0; i++) {
        more = fleet_pass(fleet);
        bool same = open && view(trial, &now) && now.round == first.round;
        if (same && now.attempt != first.attempt && fleet->elapsed_ms < from_ms + FLEET_GRACE_MS) {
            trial_complain(trial, "a round's attempt ended before its time", 0);
        }
    }
    return more;
}

static bool jump(struct sweep *sweep, uint64_t after, uint64_t variant)
{
    struct trial *trial = &sweep->trial;
    struct fleet *fleet = &trial->fleet;
    trial_begin(sweep, trial, 1000); /* no seat to spare: the vanished device's has to come back */
    fleet->devices[VANISHED].conduct = FLEET_VANISHED;
    fleet->devices[FLEET_DEVICES].conduct = FLEET_HONEST;
    int more = live(trial, (unsigned)after);
    bool struck = more > 0;
    uint64_t from_ms = fleet->elapsed_ms;
    unsigned restarts = 0;
    if (more > 0) {
        restarts++;
        trial_restart(trial, monotonic[variant / WALLS % MONOTONIC]);
        fleet->coordinator.wall_ms = walls[variant % WALLS];
        more = live(trial, passes_off[variant / WALLS / MONOTONIC]);
    }
    if (more > 0) {
        restarts++;
        trial_restart(trial, 1000);
        fleet->coordinator.wall_ms = FLEET_WALL_MS + fleet->elapsed_ms;
        more = live(trial, FLEET_PASSES_MAX);
    }
    if (more != 0) {
        trial_complain(trial, "the run does not end", more);
    } else if (fleet->elapsed_ms - from_ms > BOUND_MS(restarts)) {
        trial_complain(trial, "a lease or a round was not reclaimed in time", 0);
    }
    trial_end(trial);
    return struck;
}

/* The model of this fleet, which is another one than that of the other sweeps. */
static void learn_reference(struct sweep *sweep)
{
    struct trial *trial = &sweep->trial;
    trial_begin(sweep, trial, 1000);
    trial->fleet.devices[VANISHED].conduct = FLEET_VANISHED;
    trial->fleet.devices[FLEET_DEVICES].conduct = FLEET_HONEST;
    int rc = live(trial, FLEET_PASSES_MAX);
    rc = rc == 0 ? fleet_model(&trial->fleet, sweep->reference) : rc;
    if (rc != 0) {
        trial_complain(trial, "the undisturbed run fails", rc);
    }
    sweep->wrong += trial->fleet.wrong;
    coordinator_stop(&trial->fleet.coordinator);
    disk_free(trial->disk);
}

void sweep_clock(struct sweep *sweep)
{
    bool struck = true;
    learn_reference(sweep);
    for (uint64_t after = 1; struck && after < FLEET_PASSES_MAX; after += sweep->stride) {
        for (uint64_t variant = 0; variant < VARIANTS; variant++) {
            uint64_t before = sweep->lost + sweep->doubled + sweep->wrong;
            struck = jump(sweep, after, variant);
            sweep_point_out(sweep, "clock jump after pass", after, variant, before);
            sweep->points += struck;
        }
    }
}
