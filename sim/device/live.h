/*
 * A device that is awake: the shipped client with its port. Owns the client's memory and what the port
 * keeps for it (flash, session, training); it must never decide when something happens in the world.
 */
#ifndef MYCEL_SIM_DEVICE_LIVE_H
#define MYCEL_SIM_DEVICE_LIVE_H

#include "sim/device/keep.h"
#include "sim/network/trip.h"
#include "sim/training/training.h"
#include "sim/world/pool.h"

#include <mycel/client.h>

struct world;

#define LIVE_NONE POOL_NONE
#define LIVE_JOURNAL_BYTES MYCEL_JOURNAL_BYTES_MAX

/* What was downloaded is shared, not copied: a blob from `first` on. */
struct live_shared {
    struct blob *blob; /* NULL: nothing, or what the device has made itself: */
    uint32_t first;
    uint8_t *own;
    uint32_t capacity; /* of `own` */
    uint32_t bytes;
};

/* The device's flash, but for what keep.h has. */
struct live_store {
    uint8_t journal[LIVE_JOURNAL_BYTES];
    uint32_t journal_bytes;
    struct live_shared models[KEEP_MODELS];
    uint8_t base; /* which of them was read last: what training begins with */
    struct live_shared patch;
    struct live_shared control; /* SCAFFOLD's c */
    struct blob *arrived;       /* that the newest answer's payload lies in */
    uint8_t *body;
    uint32_t body_bytes;
    uint32_t body_capacity;
};

/* The training under way, as the client's trainer table shows it. */
struct live_training {
    struct training *work;
    uint64_t flops;   /* of the whole training */
    uint64_t left_us; /* of virtual computing time */
    uint64_t total_us;
    uint64_t since_us; /* it runs since then, if `running` */
    bool started;
    bool running;
    bool complete;
};

struct live {
    struct mycel_client client;
    struct mycel_port port;
    struct world *world;
    uint32_t device;
    uint32_t use; /* counts how often the record was taken */
    uint32_t slots[MYCEL_REQUEST_SLOTS];
    uint32_t handshake; /* trip of the flight under way */
    uint32_t inbox;     /* answers that have arrived, oldest first */
    bool parking;       /* going to sleep: the session is kept */
    bool troubled;      /* something failed: the client counts failures in RAM */
    bool vanishing;     /* it will not come back from this training */
    struct live_store store;
    struct live_training training;
};

static inline struct live *live_at(const struct pool *lives, uint32_t id)
{
    return pool_at(lives, id);
}

/* Wakes a device: a record with an empty flash and a client in SLEEP. The id, or LIVE_NONE. */
uint32_t live_begin(struct world *world, uint32_t device);

/* The power goes off and on again: RAM is lost, flash stays. */
int live_reboot(struct world *world, struct live *live);

/* Puts the record back. Whatever the device had under way is gone; unless it is parking, so is what it
 * keeps, and it comes back with an empty flash. */
void live_end(struct world *world, uint32_t id);

void lives_free(struct pool *lives);

/* The four tables of the port. */
extern const struct mycel_transport port_transport;
extern const struct mycel_store port_store;
extern const struct mycel_store port_store_patch; /* of a device that keeps models */
extern const struct mycel_trainer port_trainer;
extern const struct mycel_platform port_platform;

void port_store_clear(struct live_store *store);
/* The model that the device trains, or has trained. */
const float *port_store_base(const struct live_store *store);
/* An answer came out of this blob (NULL: it did not): its blocks need not be copied. */
void port_store_arrived(struct live_store *store, struct blob *blob);
/* The device goes to sleep, and wakes: its journal goes with what it keeps, if anything. Parking fails the world
 * where there is no memory. */
void port_store_park(struct live *live);
void port_store_wake(struct live *live);
void port_training_drop(struct live *live);
void port_transport_drop(struct live *live);

/* Virtual time at which the training under way will be complete; UINT64_MAX: none is running. */
uint64_t port_training_end_us(const struct live *live);
/* The client was told to pause: computing stands still. */
void port_training_pause(struct live *live);

#endif
