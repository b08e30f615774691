/* See live.h. */
#include "sim/device/live.h"

#include "sim/world/world.h"

#include <mycel/error.h>
#include <string.h>

static void set_up(struct world *world, struct live *live, uint32_t device)
{
    live->world = world;
    live->device = device;
    live->handshake = live->inbox = TRIP_NONE;
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        live->slots[i] = TRIP_NONE;
    }
    live->parking = live->troubled = live->vanishing = false;
    live->training = (struct live_training){0};
    const struct mycel_store *store =
        strcmp(world->scenario->downlink, "delta") == 0 ? &port_store_patch : &port_store;
    live->port = (struct mycel_port){&port_transport, live, store, live, &port_trainer, live,
                                     &port_platform,  live, NULL,  NULL};
}

static int start_client(struct world *world, struct live *live)
{
    const struct fleet_device *device = &world->fleet.devices[live->device];
    return mycel_client_init(&live->client, &live->port, &world->configs[device->class],
                             world_local_ms(world, live->device));
}

uint32_t live_begin(struct world *world, uint32_t device)
{
    uint32_t id = pool_take(&world->lives);
    if (id == LIVE_NONE) {
        world_fail(world, MYCEL_E_NO_MEMORY, "no memory for another device");
        return LIVE_NONE;
    }
    struct live *live = live_at(&world->lives, id);
    live->use++;
    set_up(world, live, device);
    port_store_wake(live);
    world->fleet.devices[device].live = id;
    int rc = start_client(world, live);
    if (rc < 0) {
        world_fail(world, rc, "a client cannot be started");
    }
    return id;
}

int live_reboot(struct world *world, struct live *live)
{
    port_training_drop(live);
    live->parking = false;
    mycel_client_deinit(&live->client);
    port_transport_drop(live);
    world->fleet.devices[live->device].session = 0;
    return start_client(world, live);
}

void live_end(struct world *world, uint32_t id)
{
    struct live *live = live_at(&world->lives, id);
    port_training_drop(live);
    mycel_client_deinit(&live->client);
    port_transport_drop(live);
    if (live->parking) {
        port_store_park(live);
    } else {
        keep_drop(&world->keeps, live->device);
    }
    port_store_clear(&live->store);
    world->fleet.devices[live->device].live = LIVE_NONE;
    pool_put(&world->lives, id);
}

void lives_free(struct pool *lives)
{
    for (uint32_t i = 0; i < pool_count(lives); i++) {
        struct live *live = live_at(lives, i);
        port_store_clear(&live->store);
        training_free(live->training.work);
    }
    pool_free(lives);
}
