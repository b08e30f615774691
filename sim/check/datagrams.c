/*
 * Books of the datagrams: what was sent is delivered, lost or under way, for each device and each
 * gateway; what media and device classes have added up is the sum of what was sent.
 */
#include "sim/check/internal.h"

#include <stdlib.h>

bool datagrams_init(struct check *check)
{
    const struct world *world = check->world;
    check->devices = calloc(world->fleet.count, sizeof *check->devices);
    check->gateways = calloc(world->network.gateways, sizeof *check->gateways);
    return check->devices != NULL && check->gateways != NULL;
}

void datagrams_free(struct check *check)
{
    free(check->devices);
    free(check->gateways);
    free(check->flights);
}

static struct check_gateway *gateway_of(struct check *check, uint32_t device)
{
    return &check->gateways[check->world->fleet.devices[device].gateway];
}

static void depart(struct check *check, const struct watch_datagram *datagram, uint64_t at_us)
{
    if (!check_reserve(check, (void **)&check->flights, check->flight_count,
                       &check->flight_capacity, sizeof *check->flights)) {
        return;
    }
    check->flights[check->flight_count++] = (struct flight){
        .at_us = at_us, .device = datagram->device, .bytes = datagram->bytes, .up = datagram->up};
    check->devices[datagram->device].under_way += datagram->bytes;
    gateway_of(check, datagram->device)->bytes.under_way += datagram->bytes;
    if (at_us < check->world->now_us) {
        check_fail(check, "time", "a datagram of device %u arrives before it was sent",
                   datagram->device);
    }
}

void datagrams_sent(struct check *check, const struct watch_datagram *datagram)
{
    const struct network_arrivals *arrivals = datagram->arrivals;
    struct check_gateway *gateway = gateway_of(check, datagram->device);
    struct traffic *device = &check->devices[datagram->device];
    bool lost = datagram->result->fate != LINK_DELIVERED;
    uint64_t bytes = (uint64_t)datagram->bytes * (lost ? 1u : arrivals->count);
    gateway->datagrams++;
    gateway->lost += lost;
    gateway->frames += datagram->result->frames;
    gateway->airtime_us += datagram->result->airtime_us;
    check->bytes_air[datagram->up] += datagram->result->bytes_air;
    check->result->figures.datagrams++;
    check->result->figures.lost += lost;
    device->sent += bytes;
    gateway->bytes.sent += bytes;
    device->lost += lost ? bytes : 0;
    gateway->bytes.lost += lost ? bytes : 0;
    if (lost != (arrivals->count == 0)) {
        check_fail(check, "bytes", "a datagram of device %u was %s and arrives %u times",
                   datagram->device, lost ? "lost" : "delivered", arrivals->count);
    }
    for (uint32_t i = 0; i < arrivals->count; i++) {
        depart(check, datagram, arrivals->at_us[i]);
    }
}

void datagrams_arrived(struct check *check, uint32_t device, bool up)
{
    uint64_t now_us = check->world->now_us;
    for (uint32_t i = 0; i < check->flight_count; i++) {
        struct flight *flight = &check->flights[i];
        if (flight->device != device || flight->up != up || flight->at_us != now_us) {
            continue;
        }
        struct traffic *bytes = &gateway_of(check, device)->bytes;
        check->devices[device].delivered += flight->bytes;
        check->devices[device].under_way -= flight->bytes;
        bytes->delivered += flight->bytes;
        bytes->under_way -= flight->bytes;
        *flight = check->flights[--check->flight_count];
        return;
    }
    check_fail(check, "bytes", "a datagram arrives %s device %u that nobody sent",
               up ? "from" : "at", device);
}

/* ---- at the end --------------------------------------------------------------------------- */

static void check_traffic(struct check *check, const struct traffic *t, const char *whose,
                          uint32_t number)
{
    if (t->sent != t->delivered + t->lost + t->under_way) {
        check_fail(check, "bytes", "%s %u: %llu sent, %llu delivered, %llu lost, %llu under way",
                   whose, number, (unsigned long long)t->sent, (unsigned long long)t->delivered,
                   (unsigned long long)t->lost, (unsigned long long)t->under_way);
    }
}

static void check_gateways(struct check *check)
{
    const struct network *network = &check->world->network;
    for (uint32_t i = 0; i < network->gateways; i++) {
        const struct check_gateway *seen = &check->gateways[i];
        const struct link_medium *medium = &network->media[i];
        check_traffic(check, &seen->bytes, "gateway", i);
        if (seen->datagrams != medium->datagrams || seen->lost != medium->lost ||
            seen->frames != medium->frames || seen->airtime_us != medium->airtime_us) {
            check_fail(check, "bytes", "gateway %u has not added up what it carried", i);
        }
    }
}

/* Sums over devices, over gateways and over classes are the same. */
static void check_totals(struct check *check)
{
    const struct world *world = check->world;
    uint64_t by_device = 0, by_gateway = 0, up = 0, down = 0;
    for (uint32_t i = 0; i < world->fleet.count; i++) {
        by_device += check->devices[i].sent;
    }
    for (uint32_t i = 0; i < world->network.gateways; i++) {
        by_gateway += check->gateways[i].bytes.sent;
    }
    for (uint32_t i = 0; i < world->fleet.class_count; i++) {
        up += world->tally.classes[i].bytes_up;
        down += world->tally.classes[i].bytes_down;
    }
    if (by_device != by_gateway || up != check->bytes_air[1] || down != check->bytes_air[0]) {
        check_fail(check, "bytes", "totals differ: devices %llu, gateways %llu; air %llu and %llu",
                   (unsigned long long)by_device, (unsigned long long)by_gateway,
                   (unsigned long long)up, (unsigned long long)down);
    }
}

static uint32_t count_datagrams(const struct queue_event *events, size_t first, size_t end)
{
    uint32_t datagrams = 0;
    for (size_t i = first; i < end; i++) {
        datagrams += events[i].kind == WORLD_UP || events[i].kind == WORLD_DOWN;
    }
    return datagrams;
}

static uint32_t queued(const struct world *world)
{
    const struct queue *queue = &world->queue;
    return count_datagrams(queue->heap, 0, queue->count) +
           count_datagrams(queue->soon, queue->soon_first, queue->soon_end);
}

void datagrams_ended(struct check *check)
{
    for (uint32_t i = 0; i < check->world->fleet.count; i++) {
        check_traffic(check, &check->devices[i], "device", i);
    }
    check_gateways(check);
    check_totals(check);
    if (queued(check->world) != check->flight_count) {
        check_fail(check, "bytes", "%u datagrams are under way, the queue has %u",
                   check->flight_count, queued(check->world));
    }
}
