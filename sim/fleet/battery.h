/*
 * A device's battery: drained by idling and by what the caller says was spent, charged by the sun or
 * by the mains at certain hours. It owns six bytes a device and brings them up to date only when
 * somebody asks. Devices on the mains have none.
 */
#ifndef MYCEL_SIM_FLEET_BATTERY_H
#define MYCEL_SIM_FLEET_BATTERY_H

#include "sim/fleet/daytime.h"
#include "sim/scenario/option.h"

#include <stdint.h>

#define BATTERY_ON_MAINS 255 /* as a percentage: the client's platform says the same */

/* How a fleet charges, from a scenario. */
struct battery_charging {
    uint32_t charge_uw[DAYTIME_HOURS]; /* mean charging power in each local hour */
    uint32_t start_permille[2];        /* level at time 0: uniform between these */
};

/* The battery of a class of devices. */
struct battery {
    uint64_t capacity_mj; /* 0: mains */
    uint64_t idle_nw;     /* drawn all the time: the board, and its radio asleep */
    struct battery_charging charging;
};

/* A device's part; touch it (battery_advance) at least every 40 days. */
struct __attribute__((packed, aligned(2))) battery_state {
    uint32_t level;  /* share of the capacity, 2^32 - 1 is full */
    uint16_t at_min; /* minute up to which it counts, modulo 2^16 */
};

/*
 * Reads a way of charging:
 *   "none"                          never; start=0.5/1 says how full devices are at time 0 (1/1)
 *   "solar:mw=50,from=6,to=18"      half a sine between two local hours, with its peak power
 *   "mains:mw=500,from=22,to=6"     constant between two local hours, also across midnight
 * 0, or MYCEL_E_MALFORMED.
 */
int battery_parse(const char *text, struct battery_charging *charging, struct option_error *error);

/* The level at time 0. draw: uniform. */
void battery_init(const struct battery *battery, struct battery_state *state, uint64_t draw);

/* Idles and charges until now_us; zone_hours is the local time's distance from the simulation's. */
void battery_advance(const struct battery *battery, struct battery_state *state, uint64_t now_us,
                     int zone_hours);

/* Takes energy out, rounded up to what the level can tell; it stops at empty. */
void battery_spend(const struct battery *battery, struct battery_state *state, uint64_t nj);

/* 0 … 100, or BATTERY_ON_MAINS. */
uint8_t battery_percent(const struct battery *battery, const struct battery_state *state);

#endif
