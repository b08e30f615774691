/*
 * When a device is idle and willing to work: always, by the hour of its day, or as a trace file says;
 * and never with an empty battery. It owns no history: asked about any time, in any order, it
 * gives the same answer.
 *
 * The diurnal process: a device's time is cut into dwells, shifted by a part of one that differs
 * from device to device. Each dwell draws one uniform number, and the device is idle while that number
 * is below the curve's share for its local hour. So the share of idle devices follows the curve
 * exactly in every hour, a state that the curve leaves alone lasts whole dwells, and where the curve is
 * flat at p, idle times last dwell / (1 - p) on average and busy times dwell / p.
 */
#ifndef MYCEL_SIM_FLEET_AVAILABILITY_H
#define MYCEL_SIM_FLEET_AVAILABILITY_H

#include "sim/fleet/battery.h"
#include "sim/fleet/trace.h"
#include "sim/scenario/option.h"

#include <stdbool.h>
#include <stdint.h>

#define AVAILABILITY_ZONES_MAX 24
#define AVAILABILITY_DWELL_S_DEFAULT 900

enum availability_kind { AVAILABILITY_ALWAYS, AVAILABILITY_DIURNAL, AVAILABILITY_TRACE };

struct availability {
    enum availability_kind kind;
    uint32_t idle[DAYTIME_HOURS]; /* share of 2^32 by local hour; UINT32_MAX is always */
    uint32_t dwell_s;             /* at least 60 */
    uint32_t zone_count;          /* at least 1: a device's zone is a fair draw of these */
    int8_t zone_hours[AVAILABILITY_ZONES_MAX];
    struct trace trace; /* TRACE: the caller sets it after parsing */
};

/*
 * Reads a process:
 *   "always"
 *   "diurnal:night=0.9,day=0.2,from=22,to=6,dwell=15m,zones=-8/0/1"
 *                      share of idle devices from `from` to `to` o'clock, and else. Defaults:
 *                      from=22, to=6, dwell=15m, zones=0
 *   "diurnal:hours=0.9/0.9/…"      the same by 24 numbers, from midnight on
 *   "trace"            the caller reads the file; time zones do not matter
 * zones=… may stand behind every kind: batteries charge by them.
 * 0, or MYCEL_E_MALFORMED.
 */
int availability_parse(const char *text, struct availability *availability,
                       struct option_error *error);

/* A device as this module sees it. */
struct availability_device {
    uint64_t seed; /* the run's */
    uint32_t id;
    const struct battery *battery; /* its class's */
    struct battery_state *state;   /* brought to the time asked for */
};

struct availability_now {
    bool idle;
    uint8_t battery_percent; /* BATTERY_ON_MAINS without one */
    uint64_t next_change_us; /* idle holds until then at least; UINT64_MAX: for ever */
};

/* The device's local time less the simulation's, in hours. */
int availability_zone(const struct availability *availability, uint64_t seed, uint32_t id);

/* How the device is at now_us. The battery's level counts from the last such call on. */
void availability_at(const struct availability *availability,
                     const struct availability_device *device, uint64_t now_us,
                     struct availability_now *out);

#endif
