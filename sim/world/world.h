/*
 * The world: virtual time, the devices and links in it, and one coordinator. It owns the order of
 * events and the figures; it must never decide for a device or for the coordinator what to do.
 */
#ifndef MYCEL_SIM_WORLD_WORLD_H
#define MYCEL_SIM_WORLD_WORLD_H

#include "server/engine/event.h"
#include "sim/device/keep.h"
#include "sim/device/live.h"
#include "sim/fleet/adversary.h"
#include "sim/network/network.h"
#include "sim/world/chance.h"
#include "sim/world/fault.h"
#include "sim/world/queue.h"

#include <stdio.h>

struct coordinator;
struct ledger_share;
struct world_watch;

/* X(name): what an event of the queue is about; `who` in the comment. */
enum world_kind {
    WORLD_DEVICE, /* a device's wake_us has come: the device */
    WORLD_UP,     /* a request reaches the coordinator: the trip */
    WORLD_DOWN,   /* an answer reaches the device: the trip */
    WORLD_RETRY,  /* time to repeat a request: the trip */
    WORLD_REBOOT, /* a device's power fails: the live record's use */
    WORLD_STORE,  /* the oldest group of rows is durable: the coordinator's epoch */
    WORLD_WORK,   /* a sum or a score is ready: the coordinator's epoch */
    WORLD_TICK,   /* the engine asked for it: the coordinator's epoch */
    WORLD_CRASH,  /* the coordinator dies */
    WORLD_START,  /* … and is started again */
};

#define WORLD_LIE_FACTOR 10u /* by which a lying device multiplies its samples */

/* Told when a version was scored (`status` 0) or passed over. */
typedef void (*world_score_fn)(void *user, const struct engine_event_evaluated *score);

/* Figures of one device class. */
struct world_class_tally {
    uint64_t trained; /* to the end */
    uint64_t compute_nj;
    uint64_t radio_nj; /* of datagrams */
    uint64_t bytes_up;
    uint64_t bytes_down;
    uint64_t check_ins;
    uint64_t leases;
    uint64_t published; /* updates that became part of a version */
};

struct world_tally {
    struct world_class_tally classes[FLEET_CLASSES_MAX];
    uint64_t reboots;
    uint64_t vanished;
    uint64_t crashes;
    uint64_t events;
};

struct world {
    const struct scenario *scenario;
    uint64_t now_us;
    struct queue queue;
    struct fleet fleet;
    struct network network;
    struct pool lives; /* struct live: devices that are awake */
    struct keeps keeps;
    struct pool trips; /* struct trip: requests under way */
    struct trainers *trainers;
    struct workers *workers; /* of other processes; NULL: none */
    struct coordinator *coordinator;
    struct mycel_model model;
    struct adversary adversary;
    struct fault_plan faults;
    const struct world_watch *watch; /* may be NULL */
    world_score_fn scored;           /* may be NULL */
    void *scored_user;
    struct mycel_client_config configs[FLEET_CLASSES_MAX];
    uint64_t *scratch; /* of all clients: one is polled at a time */
    struct world_tally tally;
    int status; /* first thing that failed; ends the run */
    const char *problem;
};

/* Announces an event; a failure ends the run. */
void world_push(struct world *world, uint64_t at_us, enum world_kind kind, uint32_t who);

/* Something that cannot be undone failed: the run ends with this status. */
void world_fail(struct world *world, int status, const char *problem);

/* Has the device polled now; harmless when it is asleep. */
void world_poll(struct world *world, uint32_t device);

/* Has the device polled at that time, if nothing wakes it before. */
void world_wake_at(struct world *world, uint32_t device, uint64_t at_us);

/* Carries out one event of the queue. False when there is none left. */
bool world_step(struct world *world);

/* A device's own clock, and when so many ms will have passed on it. */
uint64_t world_local_ms(const struct world *world, uint32_t device);
uint64_t world_after_local_ms(const struct world *world, uint32_t device, uint64_t ms);

/* How the device is now: idle or not, until when, and what is left in its battery. */
void world_look(struct world *world, uint32_t device, struct availability_now *now);

/* Energy of all radios of a class since the start: their datagrams, and asleep between them. */
double world_radio_j(const struct world *world, uint32_t class);

/* How often each device's updates were counted. */
const struct ledger_share *world_shares(const struct world *world);

/* ---- told by the port ------------------------------------------------------------------------- */

void world_leased(struct world *world, struct live *live);
/* Sets what live->training costs in time, and whether the device survives it. */
void world_prepare_training(struct world *world, struct live *live);
/* The training's result is there: charges it. */
void world_trained(struct world *world, struct live *live);
/* A training that was given up after so many operations. */
void world_discarded(struct world *world, uint32_t device, uint64_t flops);

#endif
