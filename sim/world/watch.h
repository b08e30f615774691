/*
 * What an onlooker is told while the world runs: enough to keep books of his own and to compare them
 * with everybody else's (sim/check.h does). All of it is constant but the world, which he may end by
 * world_fail(); he must never change anything else.
 */
#ifndef MYCEL_SIM_WORLD_WATCH_H
#define MYCEL_SIM_WORLD_WATCH_H

#include "server/engine/engine.h"
#include "sim/network/network.h"
#include "sim/world/queue.h"

struct world;

struct watch_datagram {
    uint32_t device;
    bool up;        /* to the coordinator */
    uint32_t bytes; /* with all headers above the radio's frames */
    const struct link_result *result;
    const struct network_arrivals *arrivals;
};

/* All of these are there. */
struct world_watch {
    void *user;
    /* An event of the queue has been carried out. */
    void (*event)(void *user, struct world *world, const struct queue_event *event);
    /* A datagram was handed to the radio; and one arrives, before anybody looks at it. */
    void (*sent)(void *user, struct world *world, const struct watch_datagram *datagram);
    void (*arrived)(void *user, struct world *world, uint32_t device, bool up);
    /* The engine has answered; none of the actions is carried out yet. */
    void (*stepped)(void *user, struct world *world, const struct engine_event *event,
                    const struct engine_actions *actions);
    /* A row was written to the ledger; PUBLISH rows before what they free. */
    void (*stored)(void *user, struct world *world, const struct engine_action *row);
    /* All rows of a group are durable; nothing that waited for them was told yet. */
    void (*committed)(void *user, struct world *world);
    /* A reply is about to leave the coordinator. */
    void (*told_receipt)(void *user, struct world *world, const struct engine_receipt *receipt);
    void (*told_lease)(void *user, struct world *world, const struct engine_lease *lease);
    /* A new engine was made from the ledger; its first step follows. */
    void (*restored)(void *user, struct world *world);
};

#endif
