/* Who the devices are, all of it a function of the seed. See fleet.h. */
#include "sim/fleet/fleet.h"

#include "sim/device/live.h"
#include "sim/world/chance.h"

#include <mycel/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- classes ------------------------------------------------------------------------------ */

struct mix {
    double share[FLEET_CLASSES_MAX];
    double total;
};

/* One "name:share" of the list; the share is 1 where it is left out. */
static int add_class(struct fleet *fleet, struct mix *mix, const char *at, size_t bytes,
                     char *problem)
{
    char word[64];
    (void)snprintf(word, sizeof word, "%.*s", (int)bytes, at);
    char *colon = strchr(word, ':');
    char *end = NULL;
    double share = 1.0;
    if (colon != NULL) {
        *colon = '\0';
        share = strtod(colon + 1, &end);
    }
    const struct device_class *class = device_class_find(word);
    if (class == NULL) {
        return scenario_refuse(problem, "classes", word,
                               "is no device class; `mycel sim classes` lists them");
    }
    if ((end != NULL && *end != '\0') || !(share > 0)) {
        return scenario_refuse(problem, "classes", word,
                               "the share behind the colon is no positive number");
    }
    if (fleet->class_count == FLEET_CLASSES_MAX) {
        return scenario_refuse(problem, "classes", word, "there are too many classes");
    }
    mix->share[fleet->class_count] = share;
    mix->total += share;
    fleet->classes[fleet->class_count++] = class;
    return MYCEL_OK;
}

static int read_classes(struct fleet *fleet, const struct scenario *s, struct mix *mix,
                        char *problem)
{
    int rc = MYCEL_OK;
    for (const char *at = s->classes; *at != '\0' && rc == 0;) {
        size_t bytes = strcspn(at, ",");
        rc = add_class(fleet, mix, at, bytes, problem);
        at += bytes + (at[bytes] == ',');
    }
    return rc == 0 && fleet->class_count == 0
               ? scenario_refuse(problem, "classes", s->classes, "names no device class")
               : rc;
}

/* Devices of each class by largest remainder, in the order of the list: exact shares, no luck. */
static void deal_classes(struct fleet *fleet, const struct mix *mix)
{
    uint32_t given = 0;
    double carried = 0;
    for (uint32_t i = 0; i < fleet->class_count; i++) {
        carried += mix->share[i] / mix->total * fleet->count;
        uint32_t upto = i + 1u == fleet->class_count ? fleet->count : (uint32_t)(carried + 0.5);
        fleet->class_devices[i] = upto - given;
        given = upto;
    }
}

/* ---- batteries and availability ----------------------------------------------------------- */

static int read_batteries(struct fleet *fleet, const struct scenario *s, char *problem)
{
    struct battery_charging charging = {0};
    struct option_error error;
    bool on = strcmp(s->battery, "off") != 0;
    if (on && battery_parse(s->battery, &charging, &error) < 0) {
        return scenario_refuse_at(problem, "battery", s->battery, error.column, error.text);
    }
    for (uint32_t i = 0; i < fleet->class_count; i++) {
        fleet->batteries[i] =
            (struct battery){.capacity_mj = on ? fleet->classes[i]->battery_mj : 0,
                             .idle_nw = fleet->classes[i]->idle_uw * UINT64_C(1000),
                             .charging = charging};
    }
    return MYCEL_OK;
}

static int read_availability(struct fleet *fleet, const struct scenario *s, char *problem)
{
    struct option_error error;
    if (availability_parse(s->availability, &fleet->availability, &error) < 0) {
        return scenario_refuse_at(problem, "availability", s->availability, error.column,
                                  error.text);
    }
    if (fleet->availability.kind != AVAILABILITY_TRACE) {
        return MYCEL_OK;
    }
    return fleet_read_trace(fleet, s, problem);
}

/* ---- devices ------------------------------------------------------------------------------ */

static uint8_t traits_of(const struct scenario *s, uint32_t device)
{
    bool slow = chance_happens(chance_u64(s->seed, CHANCE_SPEED, device, 0), s->slow);
    bool lying = chance_happens(chance_u64(s->seed, CHANCE_SPEED, device, 1), s->lying);
    return (uint8_t)((slow ? FLEET_SLOW : 0) | (lying ? FLEET_LYING : 0));
}

static void place_devices(struct fleet *fleet, const struct scenario *s)
{
    uint32_t class = 0;
    uint32_t left = fleet->class_devices[0];
    for (uint32_t i = 0; i < fleet->count; i++) {
        struct fleet_device *d = &fleet->devices[i];
        while (left == 0) {
            left = fleet->class_devices[++class];
        }
        left--;
        d->class = (uint8_t) class;
        d->gateway = (uint16_t)(i % s->gateways);
        d->traits = traits_of(s, i);
        d->live = LIVE_NONE;
        battery_init(&fleet->batteries[class], &d->battery,
                     chance_u64(s->seed, CHANCE_PLACE, i, 0));
    }
}

/* Exactly round(share × count) attackers. */
static void choose_attackers(struct fleet *fleet, const struct scenario *s)
{
    uint32_t wanted = (uint32_t)(s->attackers * fleet->count + 0.5);
    uint32_t left = fleet->count;
    for (uint32_t i = 0; i < fleet->count && wanted > 0; i++, left--) {
        uint64_t draw = chance_u64(s->seed, CHANCE_ATTACK, i, 0);
        if (chance_chooses(draw, left, wanted)) {
            fleet->devices[i].traits |= FLEET_ATTACKER;
            wanted--;
        }
    }
}

int fleet_init(struct fleet *fleet, const struct scenario *s, char *problem)
{
    struct mix mix = {.total = 0};
    *fleet = (struct fleet){.count = s->devices};
    int rc = read_classes(fleet, s, &mix, problem);
    if (rc == 0) {
        rc = read_batteries(fleet, s, problem);
    }
    if (rc == 0) {
        rc = read_availability(fleet, s, problem);
    }
    if (rc == 0) {
        rc = fleet_read_data(fleet, s, problem);
    }
    if (rc < 0) {
        fleet_free(fleet);
        return rc;
    }
    fleet->devices = calloc(fleet->count, sizeof *fleet->devices);
    if (fleet->devices == NULL) {
        fleet_free(fleet);
        return MYCEL_E_NO_MEMORY;
    }
    deal_classes(fleet, &mix);
    place_devices(fleet, s);
    choose_attackers(fleet, s);
    return MYCEL_OK;
}

void fleet_free(struct fleet *fleet)
{
    free(fleet->devices);
    free(fleet->trace_memory);
    dataset_free(&fleet->data);
    partition_free(&fleet->parts);
    *fleet = (struct fleet){0};
}
