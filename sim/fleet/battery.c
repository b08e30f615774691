/*
 * The level moves hour by hour through the local day, in double: multiplications and divisions only,
 * which are the same on every machine.
 */
#include "sim/fleet/battery.h"

#include "sim/fleet/daytime.h"

#include <mycel/error.h>

#include <math.h>

_Static_assert(sizeof(struct battery_state) == 6, "a million devices have one each");

#define LEVELS 4294967296.0
#define PI 3.14159265358979323846

/* Mean of a half sine over [from, to) during one hour, as a share of its peak. */
static double solar_share(double from, double to, uint32_t hour)
{
    double begin = hour > from ? hour : from;
    double end = hour + 1.0 < to ? hour + 1.0 : to;
    if (end <= begin) {
        return 0;
    }
    double length = to - from;
    return (cos(PI * (begin - from) / length) - cos(PI * (end - from) / length)) * length / PI;
}

/* Part of one hour that lies within [from, to), which may go across midnight. */
static double covered_share(double from, double to, uint32_t hour)
{
    double total = 0;
    for (int day = -1; day <= 0; day++) {
        double begin = fmax(from + 24.0 * day, hour);
        double end = fmin((to > from ? to : to + 24) + 24.0 * day, hour + 1.0);
        total += end > begin ? end - begin : 0;
    }
    return total;
}

static int parse_hours(struct option_list *list, struct battery_charging *charging, bool solar,
                       struct option_error *error)
{
    static const double hours[2] = {0, 24};
    static const double power[2] = {0, 4000000};
    double mw = -1;
    double from = solar ? 6 : 22;
    double to = solar ? 18 : 6;
    if (option_number(list, "mw", power, &mw, error) < 0 ||
        option_number(list, "from", hours, &from, error) < 0 ||
        option_number(list, "to", hours, &to, error) < 0) {
        return MYCEL_E_MALFORMED;
    }
    if (mw < 0) {
        return option_fail(error, list->text, list->text, "charging needs mw");
    }
    if (solar && to <= from) {
        return option_fail(error, list->text, list->text, "the sun must set after it rises");
    }
    for (uint32_t hour = 0; hour < DAYTIME_HOURS; hour++) {
        double share = solar ? solar_share(from, to, hour) : covered_share(from, to, hour);
        charging->charge_uw[hour] = (uint32_t)(mw * 1000.0 * share + 0.5);
    }
    return 0;
}

int battery_parse(const char *text, struct battery_charging *charging, struct option_error *error)
{
    static const double share[2] = {0, 1};
    struct option_list list;
    int rc = option_parse(text, &list, error);
    if (rc != 0) {
        return rc;
    }
    *charging = (struct battery_charging){.start_permille = {1000, 1000}};
    double start[2] = {1, 1};
    rc = option_numbers(&list, "start", share, 2, start, error);
    if (rc < 0) {
        return rc;
    }
    if (rc == 1 || start[1] < start[0]) {
        return option_fail(error, text, text, "start needs two numbers, the lower one first");
    }
    charging->start_permille[0] = (uint32_t)(start[0] * 1000 + 0.5);
    charging->start_permille[1] = (uint32_t)(start[1] * 1000 + 0.5);
    if (option_is(&list, "solar") || option_is(&list, "mains")) {
        rc = parse_hours(&list, charging, option_is(&list, "solar"), error);
        if (rc != 0) {
            return rc;
        }
    } else if (!option_is(&list, "none")) {
        return option_fail(error, text, text, "unknown charging: none, solar or mains");
    }
    return option_done(&list, error);
}

static void change(const struct battery *battery, struct battery_state *state, double uj)
{
    double level = state->level + uj / ((double)battery->capacity_mj * 1000.0) * LEVELS;
    level = level < 0 ? 0 : floor(level);
    state->level = level >= LEVELS - 1 ? UINT32_MAX : (uint32_t)level;
}

void battery_init(const struct battery *battery, struct battery_state *state, uint64_t draw)
{
    uint32_t low = battery->charging.start_permille[0];
    uint32_t width = battery->charging.start_permille[1] - low + 1;
    uint64_t permille = low + ((draw >> 32) * width >> 32);
    *state = (struct battery_state){.level = (uint32_t)(permille * UINT32_MAX / 1000u)};
}

void battery_advance(const struct battery *battery, struct battery_state *state, uint64_t now_us,
                     int zone_hours)
{
    if (battery->capacity_mj == 0) {
        return;
    }
    uint64_t now = now_us / DAYTIME_MINUTE_US;
    uint64_t minute = now - (uint16_t)((uint16_t)now - state->at_min);
    while (minute < now) { /* at most 2^16 minutes: 1093 turns */
        uint64_t end = (minute / 60u + 1) * 60u;
        end = end < now ? end : now;
        double charge_uw =
            battery->charging.charge_uw[daytime_hour(minute * DAYTIME_MINUTE_US, zone_hours)];
        double idle_uw = (double)battery->idle_nw / 1000.0;
        change(battery, state, (charge_uw - idle_uw) * 60.0 * (double)(end - minute));
        minute = end;
    }
    state->at_min = (uint16_t)now;
}

void battery_spend(const struct battery *battery, struct battery_state *state, uint64_t nj)
{
    if (battery->capacity_mj > 0) {
        change(battery, state, (double)nj / -1000.0);
    }
}

uint8_t battery_percent(const struct battery *battery, const struct battery_state *state)
{
    if (battery->capacity_mj == 0) {
        return BATTERY_ON_MAINS;
    }
    return (uint8_t)(((uint64_t)state->level * 100u + (UINT32_MAX >> 1)) / UINT32_MAX);
}
