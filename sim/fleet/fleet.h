/*
 * The devices: 64 bytes for each of them, asleep or not. What a device needs only while it is awake is
 * in live.h. Owns who they are; it must never know what they do.
 */
#ifndef MYCEL_SIM_FLEET_FLEET_H
#define MYCEL_SIM_FLEET_FLEET_H

#include "data/partition.h"
#include "data/skew.h"
#include "sim/fleet/availability.h"
#include "sim/fleet/device_class.h"
#include "sim/network/link.h"
#include "sim/scenario/scenario.h"

#include <stdbool.h>
#include <stdint.h>

#define FLEET_CLASSES_MAX 8u

enum fleet_trait {
    FLEET_SLOW = 1,
    FLEET_LYING = 2,
    FLEET_ATTACKER = 4,
};

struct fleet_device {
    uint64_t wake_us;   /* its next moment; other events for it are stale */
    uint64_t timer_us;  /* an event that comes no later than that, unless it is over */
    uint32_t live;      /* its live state; LIVE_NONE: asleep */
    uint32_t session;   /* the coordinator's epoch of its DTLS session; 0: none */
    uint32_t draws;     /* random numbers its client has taken */
    uint32_t leases;    /* it was given */
    uint32_t datagrams; /* sent and received: what chance decides of a link counts them */
    uint16_t gateway;
    uint8_t class;  /* index into fleet.classes */
    uint8_t traits; /* enum fleet_trait */
    struct link_state link;
    struct battery_state battery;
};

_Static_assert(sizeof(struct fleet_device) <= 64, "a million devices in 64 MB");

struct fleet {
    struct fleet_device *devices;
    uint32_t count;
    const struct device_class *classes[FLEET_CLASSES_MAX];
    struct battery batteries[FLEET_CLASSES_MAX]; /* capacity 0 where the scenario has none */
    struct availability availability;
    uint32_t class_devices[FLEET_CLASSES_MAX];
    uint32_t class_count;
    struct dataset data; /* all samples */
    struct skew_spec skew;
    uint64_t seed; /* of the skew */
    struct partition parts;
    void *trace_memory;
};

/* Gives each device its class, gateway, traits and samples. Reads the training data. INVALID with words
 * in `problem` (SCENARIO_PROBLEM_BYTES), NO_MEMORY, or what reading the data says. */
int fleet_init(struct fleet *fleet, const struct scenario *scenario, char *problem);
void fleet_free(struct fleet *fleet);

/* fleet_data.c: the samples and who has which; the held-out set; a trace of when devices are idle. */
int fleet_read_data(struct fleet *fleet, const struct scenario *scenario, char *problem);
int fleet_read_test(const struct scenario *scenario, struct dataset *out, char *problem);
int fleet_read_trace(struct fleet *fleet, const struct scenario *scenario, char *problem);

/* The samples of a device. */
static inline const uint32_t *fleet_indices(const struct fleet *fleet, uint32_t device,
                                            uint32_t *count)
{
    uint32_t first = (uint32_t)fleet->parts.offsets[device];
    *count = (uint32_t)fleet->parts.offsets[device + 1u] - first;
    return fleet->parts.indices + first;
}

#endif
