/* Circumstances of a device and what its port tells the world: idle or not, leases, trainings. */
#include "sim/world/world.h"

#include "sim/coordinator/coordinator.h"
#include "sim/coordinator/ledger.h"
#include "sim/world/fault.h"

#define US_PER_MS 1000u
#define SKEW_STREAM 2u

/* A device's clock runs fast or slow by a constant of its own. */
static double clock_rate(const struct world *world, uint32_t device)
{
    double ppm = world->scenario->skew_ppm;
    if (ppm <= 0) {
        return 1.0;
    }
    uint64_t draw = chance_u64(world->scenario->seed, CHANCE_PLACE, device, SKEW_STREAM);
    return 1.0 + (2.0 * chance_uniform(draw) - 1.0) * ppm * 1e-6;
}

uint64_t world_local_ms(const struct world *world, uint32_t device)
{
    double rate = clock_rate(world, device);
    uint64_t local_us = rate == 1.0 ? world->now_us : (uint64_t)((double)world->now_us * rate);
    return local_us / US_PER_MS;
}

uint64_t world_after_local_ms(const struct world *world, uint32_t device, uint64_t ms)
{
    double rate = clock_rate(world, device);
    uint64_t us = ms * US_PER_MS;
    /* Rounded up: the client must not find that its moment has not come yet. */
    return world->now_us + (rate == 1.0 ? us : (uint64_t)((double)us / rate) + US_PER_MS);
}

void world_look(struct world *world, uint32_t device, struct availability_now *now)
{
    struct fleet_device *d = &world->fleet.devices[device];
    const struct availability_device as_seen = {.seed = world->scenario->seed,
                                                .id = device,
                                                .battery = &world->fleet.batteries[d->class],
                                                .state = &d->battery};
    availability_at(&world->fleet.availability, &as_seen, world->now_us, now);
}

void world_leased(struct world *world, struct live *live)
{
    struct fleet_device *d = &world->fleet.devices[live->device];
    d->leases++;
    world->tally.classes[d->class].leases++;
}

void world_prepare_training(struct world *world, struct live *live)
{
    const struct fleet_device *d = &world->fleet.devices[live->device];
    struct training *work = live->training.work;
    uint32_t samples;
    (void)fleet_indices(&world->fleet, live->device, &samples);
    uint64_t flops = device_model_flops(&world->model, samples, work->plan.batch);
    if (work->plan.steps_max > 0) {
        uint64_t steps = (samples + work->plan.batch - 1u) / work->plan.batch;
        uint64_t epochs = work->plan.epochs * steps;
        epochs = epochs < work->plan.steps_max ? epochs : work->plan.steps_max;
        flops = flops * epochs / steps;
    } else {
        flops *= work->plan.epochs;
    }
    if ((d->traits & FLEET_ATTACKER) != 0) {
        work->attacker =
            adversary_attacker(&world->adversary, world->scenario->seed, live->device, d->leases);
        flops = attack_trains(&world->adversary.spec) ? flops : 0;
    }
    double factor = (d->traits & FLEET_SLOW) != 0 ? world->scenario->slow_factor : 1.0;
    live->training.flops = flops;
    live->training.total_us = live->training.left_us =
        (uint64_t)((double)device_train_us(world->fleet.classes[d->class], flops) * factor);
    live->vanishing = fault_vanishes(world, live->device, d->leases);
}

/* What an attacker reports instead of what its training has made of the base. */
static void lie(struct world *world, struct live *live)
{
    struct training *work = live->training.work;
    const float *base = port_store_base(&live->store);
    uint32_t version = coordinator_ledger(world->coordinator)->progress.base.version;
    int rc = adversary_report(&world->adversary, &work->attacker, version, base, work->values);
    if (rc < 0) {
        world_fail(world, rc, "no memory for what attackers remember");
    }
}

void world_trained(struct world *world, struct live *live)
{
    struct fleet_device *d = &world->fleet.devices[live->device];
    struct world_class_tally *tally = &world->tally.classes[d->class];
    uint64_t nj = device_train_nj(world->fleet.classes[d->class], live->training.flops);
    if (live->training.work->attacker.spec != NULL) {
        lie(world, live);
    }
    tally->trained += live->training.flops > 0;
    tally->compute_nj += nj;
    battery_spend(&world->fleet.batteries[d->class], &d->battery, nj);
    if ((d->traits & FLEET_LYING) != 0) {
        live->training.work->result.samples *= WORLD_LIE_FACTOR;
    }
}

void world_discarded(struct world *world, uint32_t device, uint64_t flops)
{
    const struct fleet_device *d = &world->fleet.devices[device];
    struct world_class_tally *tally = &world->tally.classes[d->class];
    tally->compute_nj += device_train_nj(world->fleet.classes[d->class], flops);
}

double world_radio_j(const struct world *world, uint32_t class)
{
    /* Sleep is a function of the time alone, and needs no events; a million devices' year of it does
     * not fit into 64 bits of nanojoules. */
    double asleep_j = (double)network_asleep_nj(&world->network, class, world->now_us) * 1e-9;
    return (double)world->tally.classes[class].radio_nj * 1e-9 +
           asleep_j * world->fleet.class_devices[class];
}

const struct ledger_share *world_shares(const struct world *world)
{
    return coordinator_ledger(world->coordinator)->shares;
}
