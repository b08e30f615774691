/* See network.h. */
#include "sim/network/network.h"

#include "sim/world/watch.h"
#include "sim/world/world.h"

#include <math.h>
#include <mycel/error.h>
#include <stdlib.h>

static int choose_radios(struct network *network, const struct fleet *fleet,
                         const struct scenario *s, char *problem)
{
    const struct radio *all = s->radio[0] != '\0' ? radio_find(s->radio) : NULL;
    if (s->radio[0] != '\0' && all == NULL) {
        return scenario_refuse(problem, "radio", s->radio,
                               "is no technology; `mycel sim classes` lists them");
    }
    for (uint32_t i = 0; i < fleet->class_count; i++) {
        network->radios[i] = all != NULL ? all : radio_of(fleet->classes[i]->radio);
    }
    return MYCEL_OK;
}

static void make_paths(struct network *network, const struct fleet *fleet, const struct scenario *s,
                       const struct loss_model *loss)
{
    for (uint32_t i = 0; i < fleet->class_count; i++) {
        uint32_t poll_us = s->poll_ms > 0 ? s->poll_ms * 1000u : network->radios[i]->poll_us;
        network->paths[i] =
            (struct link_path){.loss = *loss,
                               .backhaul_bps = (uint64_t)llround(s->backhaul_kbit * 1000.0),
                               .backhaul_latency_us = (uint32_t)lround(s->backhaul_ms * 1000.0),
                               .poll_us = fleet->classes[i]->sleepy ? poll_us : 0,
                               .hops = (uint8_t)s->hops};
        network->sleeps[i] = fleet->classes[i]->sleepy;
        network->healed[i] = network->paths[i];
        network->healed[i].loss = (struct loss_model){.step_ms = loss->step_ms};
    }
}

int network_init(struct network *network, const struct fleet *fleet, const struct scenario *s,
                 char *problem)
{
    struct loss_model loss;
    struct option_error error;
    *network = (struct network){.gateways = s->gateways};
    if (loss_parse(s->loss, &loss, &error) < 0) {
        return scenario_refuse_at(problem, "loss", s->loss, error.column, error.text);
    }
    if (outage_parse(s->outages, &network->outages, &error) < 0) {
        return scenario_refuse_at(problem, "outages", s->outages, error.column, error.text);
    }
    network->outages.seed = s->seed;
    int rc = choose_radios(network, fleet, s, problem);
    if (rc < 0) {
        return rc;
    }
    make_paths(network, fleet, s, &loss);
    network->media = calloc(s->gateways, sizeof *network->media);
    network->outage_us = calloc(s->gateways, sizeof *network->outage_us);
    if (network->media == NULL || network->outage_us == NULL) {
        network_free(network);
        return MYCEL_E_NO_MEMORY;
    }
    return MYCEL_OK;
}

void network_free(struct network *network)
{
    free(network->media);
    free(network->outage_us);
    *network = (struct network){0};
}

uint64_t network_asleep_nj(const struct network *network, uint32_t class, uint64_t elapsed_us)
{
    return network->sleeps[class]
               ? radio_sleep_nj(network->radios[class], elapsed_us, network->paths[class].poll_us)
               : 0;
}

/* A gateway that is down stays so until then: nothing passes. */
static void look_at_outages(struct world *world, uint32_t gateway)
{
    struct network *network = &world->network;
    struct link_medium *medium = &network->media[gateway];
    uint64_t until_us;
    if (world->now_us >= medium->down_until_us && !fault_healed(world) &&
        outage_at(&network->outages, gateway, world->now_us, &until_us)) {
        until_us = until_us < world->faults.heal_us ? until_us : world->faults.heal_us;
        network->outage_us[gateway] += until_us - world->now_us;
        medium->down_until_us = until_us;
    }
}

static void charge(struct world *world, struct fleet_device *device, const struct radio *radio,
                   const struct link_result *result, bool up)
{
    struct world_class_tally *tally = &world->tally.classes[device->class];
    uint64_t nj = radio_active_nj(radio, result->tx_us, result->rx_us);
    tally->radio_nj += nj;
    *(up ? &tally->bytes_up : &tally->bytes_down) += result->bytes_air;
    battery_spend(&world->fleet.batteries[device->class], &device->battery, nj);
}

/* Whether one of two things happens to the device's newest datagram. */
static bool drawn(const struct world *world, uint32_t id, uint64_t which, double share)
{
    uint64_t counter = (uint64_t)world->fleet.devices[id].datagrams << 3 | which;
    uint64_t draw = chance_u64(world->scenario->seed, CHANCE_DETOUR, id, counter);
    return chance_happens(draw, share);
}

/* How much later it comes by another way. */
static uint64_t detour_us(const struct world *world, uint32_t id, uint64_t which)
{
    uint64_t counter = (uint64_t)world->fleet.devices[id].datagrams << 3 | which;
    uint64_t draw = chance_u64(world->scenario->seed, CHANCE_DETOUR, id, counter);
    return 1u + chance_below(draw, (uint64_t)(world->scenario->delay_s * 1e6) + 1u);
}

static void arrive(const struct world *world, uint32_t id, uint64_t at_us,
                   struct network_arrivals *arrivals)
{
    const struct scenario *s = world->scenario;
    arrivals->at_us[arrivals->count++] = at_us;
    if (fault_healed(world)) {
        return;
    }
    if (s->delays > 0 && drawn(world, id, 0, s->delays)) {
        arrivals->at_us[0] += detour_us(world, id, 1);
    }
    if (s->duplicates > 0 && drawn(world, id, 2, s->duplicates)) {
        arrivals->at_us[arrivals->count++] = at_us + detour_us(world, id, 3);
    }
}

void network_send(struct world *world, uint32_t id, bool up, uint32_t bytes,
                  struct network_arrivals *arrivals)
{
    struct network *network = &world->network;
    struct fleet_device *device = &world->fleet.devices[id];
    look_at_outages(world, device->gateway);
    uint64_t seed = world->scenario->seed;
    const struct radio *radio = network->radios[device->class];
    const struct link_path *paths = fault_healed(world) ? network->healed : network->paths;
    const struct link link = {.radio = radio,
                              .path = &paths[device->class],
                              .medium = &network->media[device->gateway],
                              .state = &device->link,
                              .phase_us = (uint32_t)chance_u64(seed, CHANCE_PLACE, id, 1)};
    const struct link_datagram datagram = {
        .bytes = bytes,
        .down = !up,
        .draw_key = chance_u64(seed, CHANCE_LINK, id, device->datagrams++)};
    struct link_result result;
    link_send(&link, &datagram, world->now_us, &result);
    charge(world, device, radio, &result, up);
    arrivals->count = 0;
    if (result.fate == LINK_DELIVERED) {
        arrive(world, id, result.at_us, arrivals);
    }
    if (world->watch != NULL) {
        const struct watch_datagram seen = {id, up, bytes, &result, arrivals};
        world->watch->sent(world->watch->user, world, &seen);
    }
}
