/* See live.h. */
#include "sim/live.h"

#include "sim/world.h"

#include <mycel/error.h>
#include <stdlib.h>
#include <string.h>

struct live *live_at(struct lives *lives, uint32_t id)
{
    return &lives->chunks[id / LIVE_CHUNK][id % LIVE_CHUNK];
}

static int grow(struct lives *lives)
{
    struct live **chunks =
        realloc(lives->chunks, (lives->chunk_count + 1u) * sizeof *lives->chunks);
    if (chunks == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    lives->chunks = chunks;
    struct live *chunk = calloc(LIVE_CHUNK, sizeof *chunk);
    if (chunk == NULL) {
        return MYCEL_E_NO_MEMORY;
    }
    chunks[lives->chunk_count] = chunk;
    uint32_t first = lives->chunk_count++ * LIVE_CHUNK;
    for (uint32_t i = 0; i < LIVE_CHUNK; i++) {
        chunk[i].next_free = i + 1u < LIVE_CHUNK ? first + i + 1u : LIVE_NONE;
    }
    lives->free = first;
    return MYCEL_OK;
}

static void set_up(struct world *world, struct live *live, uint32_t device)
{
    live->world = world;
    live->device = device;
    live->handshake = live->inbox = TRIP_NONE;
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        live->slots[i] = TRIP_NONE;
    }
    live->session = live->parking = live->troubled = live->vanishing = false;
    live->training = (struct live_training){0};
    live->port = (struct mycel_port){&port_transport, live, &port_store,    live,
                                     &port_trainer,   live, &port_platform, live};
}

static int start_client(struct world *world, struct live *live)
{
    const struct fleet_device *device = &world->fleet.devices[live->device];
    return mycel_client_init(&live->client, &live->port, &world->configs[device->class],
                             world_local_ms(world, live->device));
}

uint32_t live_begin(struct world *world, uint32_t device)
{
    struct lives *lives = &world->lives;
    if ((lives->chunk_count == 0 || lives->free == LIVE_NONE) && grow(lives) < 0) {
        world_fail(world, MYCEL_E_NO_MEMORY, "no memory for another device");
        return LIVE_NONE;
    }
    uint32_t id = lives->free;
    struct live *live = live_at(lives, id);
    lives->free = live->next_free;
    lives->count++;
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
    live->next_free = world->lives.free;
    world->lives.free = id;
    world->lives.count--;
}

void lives_free(struct lives *lives)
{
    for (uint32_t i = 0; i < lives->chunk_count; i++) {
        for (uint32_t j = 0; j < LIVE_CHUNK; j++) {
            port_store_clear(&lives->chunks[i][j].store);
            training_free(lives->chunks[i][j].training.work);
        }
        free(lives->chunks[i]);
    }
    free(lives->chunks);
    *lives = (struct lives){0};
}
