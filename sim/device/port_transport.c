/*
 * The client's transport over simulated links: slots, a session that costs a handshake once and lives
 * on while the device sleeps (connection ids, RFC 9146), and the answers that have arrived.
 */
#include "sim/world/world.h"

#include <mycel/error.h>

static struct fleet_device *device_of(const struct live *live)
{
    return &live->world->fleet.devices[live->device];
}

static bool session_is_ready(const struct live *live)
{
    return device_of(live)->session != 0 && live->handshake == TRIP_NONE;
}

static int transport_open(void *ctx)
{
    struct live *live = ctx;
    if (device_of(live)->session != 0) {
        return MYCEL_OK;
    }
    live->handshake = trip_handshake(live->world, live->device);
    return live->handshake == TRIP_NONE ? MYCEL_E_NO_MEMORY : MYCEL_OK;
}

static int transport_send(void *ctx, unsigned slot, const struct mycel_request *request)
{
    struct live *live = ctx;
    if (!session_is_ready(live)) {
        return 0;
    }
    uint32_t id = trip_begin(live->world, live->device, slot, request);
    if (id == TRIP_NONE) {
        return MYCEL_E_NO_MEMORY;
    }
    live->slots[slot] = id;
    return 1;
}

static int transport_receive(void *ctx, struct mycel_response *response)
{
    struct live *live = ctx;
    while (live->inbox != TRIP_NONE) {
        uint32_t id = live->inbox;
        struct trip *t = trip_at(&live->world->trips, id);
        live->inbox = t->next;
        t->arrived = false;
        unsigned slot = t->slot;
        if (live->slots[slot] != id) {
            trip_cancel(live->world, id); /* cancelled while it lay here */
            continue;
        }
        port_store_arrived(&live->store, t->blob);
        *response = t->response;
        response->slot = (uint8_t)slot;
        live->slots[slot] = TRIP_NONE;
        /* The record may be reused only after this answer was looked at: the next call, at the
         * earliest, begins another. */
        trip_cancel(live->world, id);
        return 1;
    }
    return 0;
}

static void transport_cancel(void *ctx, unsigned slot)
{
    struct live *live = ctx;
    uint32_t id = live->slots[slot];
    if (id == TRIP_NONE) {
        return;
    }
    live->slots[slot] = TRIP_NONE;
    if (!trip_at(&live->world->trips, id)->arrived) {
        trip_cancel(live->world, id);
    }
}

void port_transport_drop(struct live *live)
{
    for (unsigned i = 0; i < MYCEL_REQUEST_SLOTS; i++) {
        transport_cancel(live, i);
    }
    while (live->inbox != TRIP_NONE) {
        uint32_t id = live->inbox;
        struct trip *t = trip_at(&live->world->trips, id);
        live->inbox = t->next;
        t->arrived = false;
        trip_cancel(live->world, id);
    }
    if (live->handshake != TRIP_NONE) {
        trip_cancel(live->world, live->handshake);
        live->handshake = TRIP_NONE;
    }
}

static void transport_close(void *ctx)
{
    struct live *live = ctx;
    port_transport_drop(live);
    if (!live->parking) {
        device_of(live)->session = 0;
    }
}

const struct mycel_transport port_transport = {transport_open, transport_send, transport_receive,
                                               transport_cancel, transport_close};
