/*
 * The radio cells between devices and coordinator: one shared medium per gateway, one path per device
 * class. Owns the media; sim/network/link.h does the arithmetic.
 */
#ifndef MYCEL_SIM_NETWORK_NETWORK_H
#define MYCEL_SIM_NETWORK_NETWORK_H

#include "sim/fleet/fleet.h"
#include "sim/network/outage.h"

#include <stdbool.h>

struct world;

struct network {
    struct link_medium *media; /* by gateway */
    uint64_t *outage_us;       /* by gateway: time that it was down, as far as was looked at */
    uint32_t gateways;
    struct link_path paths[FLEET_CLASSES_MAX];
    struct link_path healed[FLEET_CLASSES_MAX]; /* the same without loss */
    const struct radio *radios[FLEET_CLASSES_MAX];
    bool sleeps[FLEET_CLASSES_MAX]; /* the class's radio does, between its polls */
    struct outage outages;
};

/* INVALID with words in `problem` (SCENARIO_PROBLEM_BYTES); NO_MEMORY. */
int network_init(struct network *network, const struct fleet *fleet,
                 const struct scenario *scenario, char *problem);
void network_free(struct network *network);

/* What the radio of one device of the class takes in that time besides its datagrams: asleep, and
 * polling. 0 for a radio that never sleeps, which counts as part of the board. */
uint64_t network_asleep_nj(const struct network *network, uint32_t class, uint64_t elapsed_us);

/* When a datagram arrives: never, once, or (where the scenario duplicates) twice. */
struct network_arrivals {
    uint32_t count;
    uint64_t at_us[2];
};

/* Sends one datagram now and charges the device for it. */
void network_send(struct world *world, uint32_t device, bool up, uint32_t bytes,
                  struct network_arrivals *arrivals);

#endif
