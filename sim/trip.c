/* See trip.h. */
#include "sim/trip.h"

#include "sim/coordinator.h"
#include "sim/wire_size.h"
#include "sim/world.h"

#include <mycel/error.h>
#include <string.h>

#define ACK_S 2.0       /* RFC 7252 §4.8: who asks for more patience means it */
#define FLIGHT_SHARE 2u /* RFC 6347 §4.2.4.1: half of CoAP's patience, 1 s by default */
#define RETRANSMITS_MAX 4u

/* ---- records ------------------------------------------------------------------------------ */

static uint32_t take(struct world *world, uint32_t device)
{
    uint32_t id = pool_take(&world->trips);
    if (id == TRIP_NONE) {
        world_fail(world, MYCEL_E_NO_MEMORY, "no memory for another request");
        return TRIP_NONE;
    }
    struct trip *e = trip_at(&world->trips, id);
    uint32_t use = e->use + 1u;
    uint64_t timer_us = e->timer_us;
    memset(e, 0, offsetof(struct trip, segment));
    e->use = use;
    e->timer_us = timer_us;
    e->device = device;
    e->session = world->fleet.devices[device].session;
    e->next = TRIP_NONE;
    e->refs = 1;
    e->bound = true;
    return id;
}

static void unref(struct world *world, uint32_t id)
{
    struct trip *e = trip_at(&world->trips, id);
    if (--e->refs > 0) {
        return;
    }
    blob_unref(e->blob);
    e->blob = NULL;
    pool_put(&world->trips, id);
}

void trips_free(struct pool *trips)
{
    for (uint32_t i = 0; i < pool_count(trips); i++) {
        blob_unref(trip_at(trips, i)->blob);
    }
    pool_free(trips);
}

/* ---- datagrams ---------------------------------------------------------------------------- */

/* One timer a record: most answers come long before it is due, so it is only looked at then, and set
 * anew if it came too early. */
static void arm(struct world *world, uint32_t id)
{
    struct trip *e = trip_at(&world->trips, id);
    if (e->timer_us <= world->now_us || e->timer_us > e->retry_us) {
        e->timer_us = e->retry_us;
        world_push(world, e->retry_us, WORLD_RETRY, id);
    }
}

static uint64_t timeout_us(struct world *world, const struct trip *e)
{
    uint64_t ack_us = (uint64_t)(world->scenario->ack_s * 1e6);
    if (e->request.timeout_ms > 0 && world->scenario->ack_s <= ACK_S) {
        ack_us = e->request.timeout_ms * UINT64_C(1000); /* as the client has measured the way */
    }
    if (e->kind == TRIP_HANDSHAKE) {
        return ack_us / FLIGHT_SHARE << e->tries;
    }
    /* ACK_RANDOM_FACTOR is 1.5 (RFC 7252 §4.8). */
    uint64_t draw = chance_u64(world->scenario->seed, CHANCE_RETRANSMIT, e->device, e->use);
    return (ack_us + chance_below(draw, ack_us / 2u + 1u)) << e->tries;
}

/* `arrival`: WORLD_UP or WORLD_DOWN. */
static void send(struct world *world, uint32_t id, uint32_t bytes, enum world_kind arrival)
{
    struct network_arrivals arrivals;
    network_send(world, trip_at(&world->trips, id)->device, arrival == WORLD_UP, bytes, &arrivals);
    for (uint32_t i = 0; i < arrivals.count; i++) {
        trip_at(&world->trips, id)->refs++;
        world_push(world, arrivals.at_us[i], arrival, id);
    }
}

static void transmit(struct world *world, uint32_t id)
{
    struct trip *e = trip_at(&world->trips, id);
    uint32_t bytes =
        e->kind == TRIP_HANDSHAKE ? wire_handshake_up[e->flight] : wire_request_bytes(&e->request);
    send(world, id, bytes, WORLD_UP);
    e->sent_us = world->now_us;
    e->retry_us = world->now_us + timeout_us(world, e);
    arm(world, id);
}

static void transmit_back(struct world *world, uint32_t id)
{
    struct trip *e = trip_at(&world->trips, id);
    uint32_t bytes = e->kind == TRIP_HANDSHAKE ? wire_handshake_down[e->flight]
                                               : wire_response_bytes(&e->response);
    send(world, id, bytes, WORLD_DOWN);
}

/* ---- the device's side -------------------------------------------------------------------- */

static void copy_request(struct trip *e, const struct mycel_request *request)
{
    e->request = *request;
    for (unsigned i = 0; i < 2; i++) {
        if (request->path[i] != NULL) {
            size_t bytes = strlen(request->path[i]) + 1u;
            bytes = bytes < TRIP_SEGMENT_BYTES ? bytes : TRIP_SEGMENT_BYTES;
            memcpy(e->segment[i], request->path[i], bytes);
            e->segment[i][TRIP_SEGMENT_BYTES - 1u] = '\0';
            e->request.path[i] = e->segment[i];
        }
    }
    if (request->payload_bytes > 0) {
        memcpy(e->payload, request->payload, request->payload_bytes);
        e->request.payload = e->payload;
    }
}

uint32_t trip_begin(struct world *world, uint32_t device, unsigned slot,
                    const struct mycel_request *request)
{
    uint32_t id = take(world, device);
    if (id != TRIP_NONE) {
        struct trip *e = trip_at(&world->trips, id);
        e->slot = (uint8_t)slot;
        copy_request(e, request);
        transmit(world, id);
    }
    return id;
}

uint32_t trip_handshake(struct world *world, uint32_t device)
{
    uint32_t id = take(world, device);
    if (id != TRIP_NONE) {
        trip_at(&world->trips, id)->kind = TRIP_HANDSHAKE;
        transmit(world, id);
    }
    return id;
}

void trip_cancel(struct world *world, uint32_t id)
{
    trip_at(&world->trips, id)->bound = false;
    unref(world, id);
}

void trip_retry(struct world *world, uint32_t id)
{
    struct trip *e = trip_at(&world->trips, id);
    if (e->timer_us != world->now_us) {
        return; /* it was set anew since */
    }
    e->timer_us = 0;
    bool waits = e->bound && !e->arrived;
    if (waits && e->retry_us > world->now_us) {
        arm(world, id);
    } else if (waits && e->tries < RETRANSMITS_MAX) {
        e->tries++;
        transmit(world, id);
    }
}

/* The next flight, or the session stands. */
static void handshake_goes_on(struct world *world, struct live *live, struct trip *e, uint32_t id)
{
    if (e->flight + 1u < WIRE_HANDSHAKE_FLIGHTS) {
        e->flight++;
        e->tries = 0;
        e->taken = e->answered = false;
        transmit(world, id);
        return;
    }
    world->fleet.devices[e->device].session = e->epoch;
    live->handshake = TRIP_NONE;
    trip_cancel(world, id);
    world_poll(world, live->device);
}

static void append_to_inbox(struct world *world, struct live *live, uint32_t id)
{
    uint32_t *at = &live->inbox;
    while (*at != TRIP_NONE) {
        at = &trip_at(&world->trips, *at)->next;
    }
    *at = id;
    trip_at(&world->trips, id)->next = TRIP_NONE;
}

/* For the client's measure of the way, where a repetition makes the first sending meaningless. */
static uint16_t since_sent_ms(const struct world *world, const struct trip *e)
{
    uint64_t ms = (world->now_us - e->sent_us) / 1000u;
    return e->tries == 0 ? 0 : ms < UINT16_MAX ? (uint16_t)(ms + 1u) : UINT16_MAX;
}

void trip_down(struct world *world, uint32_t id)
{
    struct trip *e = trip_at(&world->trips, id);
    uint32_t live_id = world->fleet.devices[e->device].live;
    if (e->bound && !e->arrived && live_id != LIVE_NONE) {
        struct live *live = live_at(&world->lives, live_id);
        if (e->kind == TRIP_HANDSHAKE) {
            handshake_goes_on(world, live, e, id);
        } else {
            e->arrived = true;
            e->response.repeats = e->tries;
            e->response.since_ms = since_sent_ms(world, e);
            append_to_inbox(world, live, id);
            world_poll(world, live->device);
        }
    }
    unref(world, id);
}

/* ---- the coordinator's side --------------------------------------------------------------- */

void trip_up(struct world *world, uint32_t id)
{
    struct trip *e = trip_at(&world->trips, id);
    uint32_t epoch = coordinator_epoch(world->coordinator);
    if (e->taken && e->epoch != epoch) {
        e->taken = e->answered = false; /* whoever took it has died since */
    }
    bool known = e->kind == TRIP_HANDSHAKE || e->session == epoch;
    if (epoch == 0 || !known) {
        unref(world, id); /* nobody is there, or nobody who knows this session: silence */
        return;
    }
    if (e->taken) {
        if (e->answered) {
            transmit_back(world, id);
        }
        unref(world, id);
        return;
    }
    e->taken = true;
    e->epoch = epoch;
    if (e->kind == TRIP_HANDSHAKE) {
        e->answered = true;
        transmit_back(world, id);
    } else {
        e->refs++; /* until trip_answer or trip_drop */
        coordinator_request(world->coordinator, id);
    }
    unref(world, id);
}

void trip_answer(struct world *world, uint32_t id)
{
    struct trip *e = trip_at(&world->trips, id);
    e->answered = true;
    transmit_back(world, id);
    unref(world, id);
}

void trip_drop(struct world *world, uint32_t id)
{
    unref(world, id);
}
