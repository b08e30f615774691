/*
 * Three sources of "idle" behind one question. Only the battery changes when asked.
 */
#include "sim/fleet/availability.h"

#include "common/rng.h"

#include <mycel/error.h>

#define RNG_STREAM_DWELL ((uint64_t)0x6477656Cu << 32) /* "dwel", a device in the low half */
#define RNG_STREAM_PHASE ((uint64_t)0x70686173u << 32) /* "phas" */
#define RNG_STREAM_ZONE ((uint64_t)0x7A6F6E65u << 32)  /* "zone" */

/* Changes of hour or dwell that are looked at for the next change: about a day. */
#define LOOK_AHEAD_MAX 128u

#define US_PER_S 1000000u
/* Whether `hour` lies in [from, to), which may go across midnight. */
static bool is_night(uint32_t hour, double from, double to)
{
    return from <= to ? hour >= from && hour < to : hour >= from || hour < to;
}

/* The curve from hours=…; returns the count of numbers, 0 if the key is missing. */
static int parse_curve(struct option_list *list, struct availability *a, struct option_error *error)
{
    static const double probability[2] = {0, 1};
    double hours[DAYTIME_HOURS];
    int rc = option_numbers(list, "hours", probability, DAYTIME_HOURS, hours, error);
    if (rc > 0 && rc < DAYTIME_HOURS) {
        return option_fail(error, list->text, list->text, "hours needs 24 numbers");
    }
    for (int i = 0; i < rc; i++) {
        a->idle[i] = option_share(hours[i]);
    }
    return rc;
}

/* … and from night, day, from and to. */
static int parse_night(struct option_list *list, struct availability *a, struct option_error *error)
{
    static const double probability[2] = {0, 1};
    static const double clock[2] = {0, 24};
    double night = -1;
    double day = -1;
    double from = 22;
    double to = 6;
    if (option_number(list, "night", probability, &night, error) < 0 ||
        option_number(list, "day", probability, &day, error) < 0 ||
        option_number(list, "from", clock, &from, error) < 0 ||
        option_number(list, "to", clock, &to, error) < 0) {
        return MYCEL_E_MALFORMED;
    }
    if (night < 0 || day < 0) {
        return option_fail(error, list->text, list->text, "diurnal needs night and day, or hours");
    }
    for (uint32_t hour = 0; hour < DAYTIME_HOURS; hour++) {
        a->idle[hour] = option_share(is_night(hour, from, to) ? night : day);
    }
    return 0;
}

static int parse_diurnal(struct option_list *list, struct availability *a,
                         struct option_error *error)
{
    static const double dwell_range[2] = {60, 86400};
    double dwell_s = AVAILABILITY_DWELL_S_DEFAULT;
    int rc = option_seconds(list, "dwell", dwell_range, &dwell_s, error);
    if (rc < 0) {
        return rc;
    }
    a->kind = AVAILABILITY_DIURNAL;
    a->dwell_s = (uint32_t)dwell_s;
    rc = parse_curve(list, a, error);
    return rc == 0 ? parse_night(list, a, error) : rc;
}

static int parse_zones(struct option_list *list, struct availability *a, struct option_error *error)
{
    static const double offset[2] = {-12, 14};
    double zones[AVAILABILITY_ZONES_MAX] = {0};
    int rc = option_numbers(list, "zones", offset, AVAILABILITY_ZONES_MAX, zones, error);
    a->zone_count = rc > 0 ? (uint32_t)rc : 1;
    for (uint32_t i = 0; i < a->zone_count; i++) {
        a->zone_hours[i] = (int8_t)zones[i];
    }
    return rc < 0 ? rc : 0;
}

int availability_parse(const char *text, struct availability *availability,
                       struct option_error *error)
{
    struct option_list list;
    int rc = option_parse(text, &list, error);
    if (rc != 0) {
        return rc;
    }
    *availability = (struct availability){.kind = AVAILABILITY_ALWAYS};
    rc = parse_zones(&list, availability, error);
    if (rc < 0) {
        return rc;
    }
    if (option_is(&list, "diurnal")) {
        rc = parse_diurnal(&list, availability, error);
        if (rc < 0) {
            return rc;
        }
    } else if (option_is(&list, "trace")) {
        availability->kind = AVAILABILITY_TRACE;
    } else if (!option_is(&list, "always")) {
        return option_fail(error, text, text, "unknown availability: always, diurnal or trace");
    }
    return option_done(&list, error);
}

int availability_zone(const struct availability *availability, uint64_t seed, uint32_t id)
{
    if (availability->zone_count <= 1) {
        return availability->zone_hours[0];
    }
    uint32_t zone = rng_below(seed, RNG_STREAM_ZONE | id, 0, availability->zone_count);
    return availability->zone_hours[zone];
}

/* A device's dwells: what all of them have in common. */
struct dwells {
    const struct availability *availability;
    uint64_t seed;
    uint64_t length_us;
    uint64_t phase_us;
    uint32_t id;
    int zone_hours;
};

static struct dwells dwells_of(const struct availability *availability, uint64_t seed, uint32_t id)
{
    uint64_t length_us = (uint64_t)availability->dwell_s * US_PER_S;
    uint64_t draw = rng_u64(seed, RNG_STREAM_PHASE | id, 0);
    return (struct dwells){availability,     seed, length_us,
                           draw % length_us, id,   availability_zone(availability, seed, id)};
}

/* Idle or not at now_us, and the next time at which that may change. */
static bool dwell_at(const struct dwells *d, uint64_t now_us, uint64_t *until_us)
{
    uint64_t index = (now_us + d->phase_us) / d->length_us;
    uint64_t dwell_end_us = (index + 1) * d->length_us - d->phase_us;
    uint64_t hour_end_us = (now_us / DAYTIME_HOUR_US + 1) * DAYTIME_HOUR_US;
    uint32_t limit = d->availability->idle[daytime_hour(now_us, d->zone_hours)];
    *until_us = dwell_end_us < hour_end_us ? dwell_end_us : hour_end_us;
    return limit == UINT32_MAX || rng_u32(d->seed, RNG_STREAM_DWELL | d->id, index) < limit;
}

static bool diurnal_at(const struct availability *availability, uint64_t seed, uint32_t id,
                       uint64_t now_us, uint64_t *next_change_us)
{
    struct dwells d = dwells_of(availability, seed, id);
    bool idle = dwell_at(&d, now_us, next_change_us);
    for (uint32_t i = 0; i < LOOK_AHEAD_MAX; i++) {
        uint64_t until_us;
        if (dwell_at(&d, *next_change_us, &until_us) != idle) {
            break;
        }
        *next_change_us = until_us;
    }
    return idle;
}

void availability_at(const struct availability *availability,
                     const struct availability_device *device, uint64_t now_us,
                     struct availability_now *out)
{
    *out = (struct availability_now){.idle = true, .next_change_us = UINT64_MAX};
    if (availability->kind == AVAILABILITY_DIURNAL) {
        out->idle =
            diurnal_at(availability, device->seed, device->id, now_us, &out->next_change_us);
    } else if (availability->kind == AVAILABILITY_TRACE) {
        out->idle = trace_at(&availability->trace, device->id, now_us, &out->next_change_us);
    }
    if (device->battery->capacity_mj > 0) {
        int zone_hours = availability_zone(availability, device->seed, device->id);
        battery_advance(device->battery, device->state, now_us, zone_hours);
    }
    out->battery_percent = battery_percent(device->battery, device->state);
    if (out->battery_percent == 0) { /* off; whether it was charged shows in the next hour */
        uint64_t hour_end_us = (now_us / DAYTIME_HOUR_US + 1) * DAYTIME_HOUR_US;
        out->idle = false;
        out->next_change_us = out->next_change_us < hour_end_us ? out->next_change_us : hour_end_us;
    }
}
