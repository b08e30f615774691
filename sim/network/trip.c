/* See trip.h. */
#include "sim/network/trip.h"

#include "sim/coordinator/coordinator.h"
#include "sim/network/wire_size.h"
#include "sim/world/world.h"

#include <mycel/error.h>
#include <string.h>

#define ACK_S 2.0       /* RFC 7252 §4.8: who asks for more patience means it */
#define FLIGHT_SHARE 2u /* RFC 6347 §4.2.4.1: half of CoAP's patience, 1 s by default */
#define FLIGHTS_REPEATED_MAX 4u
#define JITTER_SHARE 4u     /* PROTOCOL.md §7: a pause is up to a quarter longer, … */
#define PAUSE_GROWTH_MAX 2u /* … and grows by half up to two timeouts */

/* ---- records ------------------------------------------------------------------------------ */

static uint32_t take(struct world *world, uint32_t device)
{
    uint32_t id = pool_take(&world->trips);
    if (id == TRIP_NONE) {
        world_fail(world, MYCEL_E_NO_MEMORY, "no memory for another request");
        return TRIP_NONE;
    }
    struct trip *t = trip_at(&world->trips, id);
    uint32_t use = t->use + 1u;
    uint64_t timer_us = t->timer_us;
    memset(t, 0, offsetof(struct trip, segment));
    t->use = use;
    t->timer_us = timer_us;
    t->device = device;
    t->session = world->fleet.devices[device].session;
    t->next = TRIP_NONE;
    t->refs = 1;
    t->bound = true;
    return id;
}

static void unref(struct world *world, uint32_t id)
{
    struct trip *t = trip_at(&world->trips, id);
    if (--t->refs > 0) {
        return;
    }
    blob_unref(t->blob);
    t->blob = NULL;
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
    struct trip *t = trip_at(&world->trips, id);
    if (t->timer_us <= world->now_us || t->timer_us > t->retry_us) {
        t->timer_us = t->retry_us;
        world_push(world, t->retry_us, WORLD_RETRY, id);
    }
}

static uint64_t timeout_us(struct world *world, const struct trip *t)
{
    uint64_t ack_us = (uint64_t)(world->scenario->ack_s * 1e6);
    if (t->request.timeout_ms > 0 && world->scenario->ack_s <= ACK_S) {
        ack_us = t->request.timeout_ms * UINT64_C(1000); /* as the client has measured the way */
    }
    if (t->kind == TRIP_HANDSHAKE) {
        return ack_us / FLIGHT_SHARE << t->tries;
    }
    uint64_t pause_us = t->tries > 0 ? ack_us + ack_us / 2u : ack_us;
    pause_us = t->tries > 1 ? ack_us * PAUSE_GROWTH_MAX : pause_us;
    uint64_t counter = (uint64_t)t->use << 8 | t->tries;
    uint64_t draw = chance_u64(world->scenario->seed, CHANCE_RETRANSMIT, t->device, counter);
    return pause_us + chance_below(draw, pause_us / JITTER_SHARE + 1u);
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
    struct trip *t = trip_at(&world->trips, id);
    uint32_t bytes =
        t->kind == TRIP_HANDSHAKE ? wire_handshake_up[t->flight] : wire_request_bytes(&t->request);
    send(world, id, bytes, WORLD_UP);
    t->sent_us = world->now_us;
    t->retry_us = world->now_us + timeout_us(world, t);
    arm(world, id);
}

static void transmit_back(struct world *world, uint32_t id)
{
    struct trip *t = trip_at(&world->trips, id);
    uint32_t bytes = t->kind == TRIP_HANDSHAKE ? wire_handshake_down[t->flight]
                                               : wire_response_bytes(&t->response);
    send(world, id, bytes, WORLD_DOWN);
}

/* ---- the device's side -------------------------------------------------------------------- */

static void copy_request(struct trip *t, const struct mycel_request *request)
{
    t->request = *request;
    for (unsigned i = 0; i < 2; i++) {
        if (request->path[i] != NULL) {
            size_t bytes = strlen(request->path[i]) + 1u;
            bytes = bytes < TRIP_SEGMENT_BYTES ? bytes : TRIP_SEGMENT_BYTES;
            memcpy(t->segment[i], request->path[i], bytes);
            t->segment[i][TRIP_SEGMENT_BYTES - 1u] = '\0';
            t->request.path[i] = t->segment[i];
        }
    }
    if (request->payload_bytes > 0) {
        memcpy(t->payload, request->payload, request->payload_bytes);
        t->request.payload = t->payload;
    }
}

uint32_t trip_begin(struct world *world, uint32_t device, unsigned slot,
                    const struct mycel_request *request)
{
    uint32_t id = take(world, device);
    if (id != TRIP_NONE) {
        struct trip *t = trip_at(&world->trips, id);
        t->slot = (uint8_t)slot;
        copy_request(t, request);
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
    struct trip *t = trip_at(&world->trips, id);
    if (t->timer_us != world->now_us) {
        return; /* it was set anew since */
    }
    t->timer_us = 0;
    bool waits = t->bound && !t->arrived;
    if (waits && t->retry_us > world->now_us) {
        arm(world, id);
    } else if (waits && (t->kind == TRIP_REQUEST || t->tries < FLIGHTS_REPEATED_MAX)) {
        t->tries = t->tries < UINT8_MAX ? (uint8_t)(t->tries + 1u) : UINT8_MAX;
        transmit(world, id);
    }
}

/* The next flight, or the session stands. */
static void handshake_goes_on(struct world *world, struct live *live, struct trip *t, uint32_t id)
{
    if (t->flight + 1u < WIRE_HANDSHAKE_FLIGHTS) {
        t->flight++;
        t->tries = 0;
        t->taken = t->answered = false;
        transmit(world, id);
        return;
    }
    world->fleet.devices[t->device].session = t->epoch;
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
static uint16_t since_sent_ms(const struct world *world, const struct trip *t)
{
    uint64_t ms = (world->now_us - t->sent_us) / 1000u;
    return t->tries == 0 ? 0 : ms < UINT16_MAX ? (uint16_t)(ms + 1u) : UINT16_MAX;
}

void trip_down(struct world *world, uint32_t id)
{
    struct trip *t = trip_at(&world->trips, id);
    uint32_t live_id = world->fleet.devices[t->device].live;
    if (t->bound && !t->arrived && live_id != LIVE_NONE) {
        struct live *live = live_at(&world->lives, live_id);
        if (t->kind == TRIP_HANDSHAKE) {
            handshake_goes_on(world, live, t, id);
        } else {
            t->arrived = true;
            t->response.repeats = t->tries;
            t->response.since_ms = since_sent_ms(world, t);
            append_to_inbox(world, live, id);
            world_poll(world, live->device);
        }
    }
    unref(world, id);
}

/* ---- the coordinator's side --------------------------------------------------------------- */

void trip_up(struct world *world, uint32_t id)
{
    struct trip *t = trip_at(&world->trips, id);
    uint32_t epoch = coordinator_epoch(world->coordinator);
    if (t->taken && t->epoch != epoch) {
        t->taken = t->answered = false; /* whoever took it has died since */
    }
    bool known = t->kind == TRIP_HANDSHAKE || t->session == epoch;
    if (epoch == 0 || !known) {
        unref(world, id); /* nobody is there, or nobody who knows this session: silence */
        return;
    }
    if (t->taken) {
        if (t->answered) {
            transmit_back(world, id);
        }
        unref(world, id);
        return;
    }
    t->taken = true;
    t->epoch = epoch;
    if (t->kind == TRIP_HANDSHAKE) {
        t->answered = true;
        transmit_back(world, id);
    } else {
        t->refs++; /* until trip_answer or trip_drop */
        coordinator_request(world->coordinator, id);
    }
    unref(world, id);
}

void trip_answer(struct world *world, uint32_t id)
{
    struct trip *t = trip_at(&world->trips, id);
    t->answered = true;
    transmit_back(world, id);
    unref(world, id);
}

void trip_drop(struct world *world, uint32_t id)
{
    unref(world, id);
}
