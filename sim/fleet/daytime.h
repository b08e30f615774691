/*
 * The hour of the day somewhere. The simulation's time 0 is midnight at zone 0; days have 24 hours,
 * always.
 */
#ifndef MYCEL_SIM_FLEET_DAYTIME_H
#define MYCEL_SIM_FLEET_DAYTIME_H

#include <stdint.h>

#define DAYTIME_HOURS 24
#define DAYTIME_MINUTE_US 60000000u
#define DAYTIME_HOUR_US 3600000000u

/* 0 … 23. zone_hours: -24 … 24, east is positive. */
static inline uint32_t daytime_hour(uint64_t now_us, int zone_hours)
{
    return (uint32_t)((now_us / DAYTIME_HOUR_US + (uint32_t)(zone_hours + DAYTIME_HOURS)) %
                      DAYTIME_HOURS);
}

#endif
