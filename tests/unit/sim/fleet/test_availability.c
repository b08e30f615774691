/* Shares by hour, dwells, time zones, traces and batteries. */
#include "sim/fleet/availability.h"

#include <mycel/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000ull
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static const struct battery mains;

static struct availability parse(const char *text)
{
    struct availability availability;
    struct option_error error = {0};
    if (availability_parse(text, &availability, &error) != 0) {
        fail_msg("%s: column %d: %s", text, error.column, error.text);
    }
    return availability;
}

static struct availability_now ask(const struct availability *availability, uint32_t id,
                                   uint64_t now_us)
{
    struct battery_state unused = {0};
    struct availability_device device = {1, id, &mains, &unused};
    struct availability_now now;
    availability_at(availability, &device, now_us, &now);
    return now;
}

/* Idle devices of 20,000 at one time. */
static uint32_t count_idle(const struct availability *availability, uint64_t now_us)
{
    uint32_t idle = 0;
    for (uint32_t id = 0; id < 20000; id++) {
        idle += ask(availability, id, now_us).idle;
    }
    return idle;
}

static void the_curve_is_met_in_every_hour(void **state)
{
    (void)state;
    struct availability a = parse("diurnal:night=0.9,day=0.2,from=22,to=6");
    for (uint64_t hour = 0; hour < 24; hour++) {
        double want = hour >= 22 || hour < 6 ? 0.9 : 0.2;
        uint32_t idle = count_idle(&a, 3 * DAY + hour * HOUR + 7 * MINUTE);
        assert_true(idle > 20000 * (want - 0.012) && idle < 20000 * (want + 0.012));
    }
    assert_int_equal(ask(&a, 5, 0).battery_percent, BATTERY_ON_MAINS);
}

static void zones_shift_the_day(void **state)
{
    (void)state;
    /* At 3 UTC it is night at zone 0 and 11 o'clock at zone 8. */
    struct availability both = parse("diurnal:night=1,day=0,zones=0/8");
    uint32_t idle = count_idle(&both, 3 * HOUR);
    assert_true(idle > 9700 && idle < 10300);
    for (uint32_t id = 0; id < 1000; id++) {
        int zone = availability_zone(&both, 1, id);
        assert_true(zone == 0 || zone == 8);
        assert_true(ask(&both, id, 3 * HOUR).idle == (zone == 0));
        assert_true(ask(&both, id, 15 * HOUR).idle == (zone == 8));
        /* Until 6 o'clock, local time. */
        uint64_t until = (zone == 0 ? 6 : 14) * HOUR;
        assert_int_equal(ask(&both, id, 3 * HOUR).next_change_us, until);
    }
    struct availability west = parse("always:zones=-5");
    assert_int_equal(availability_zone(&west, 1, 3), -5);
    assert_int_equal(daytime_hour(2 * HOUR, -5), 21);
    assert_int_equal(daytime_hour(23 * HOUR + 59 * MINUTE, 1), 0);
}

static void a_state_holds_until_it_changes(void **state)
{
    (void)state;
    struct availability a = parse("diurnal:night=0.8,day=0.3,dwell=20m");
    for (uint32_t id = 0; id < 200; id++) {
        uint64_t at = id * 17 * MINUTE;
        for (int i = 0; i < 20; i++) {
            struct availability_now now = ask(&a, id, at);
            assert_true(now.next_change_us > at);
            uint64_t middle = at + (now.next_change_us - at) / 2;
            assert_true(ask(&a, id, middle).idle == now.idle);
            assert_true(ask(&a, id, now.next_change_us - 1).idle == now.idle);
            assert_true(ask(&a, id, now.next_change_us).idle != now.idle);
            at = now.next_change_us;
        }
    }
}

static void dwells_have_their_mean(void **state)
{
    (void)state;
    struct availability a = parse("diurnal:night=0.75,day=0.75,dwell=30m");
    uint64_t spent[2] = {0};
    uint32_t count[2] = {0};
    for (uint32_t id = 0; id < 500; id++) {
        uint64_t at = ask(&a, id, 10 * DAY).next_change_us; /* the beginning of a state */
        for (int i = 0; i < 40; i++) {
            struct availability_now now = ask(&a, id, at);
            spent[now.idle] += now.next_change_us - at;
            count[now.idle]++;
            at = now.next_change_us;
        }
    }
    double idle_min = (double)spent[1] / count[1] / (double)MINUTE;
    double busy_min = (double)spent[0] / count[0] / (double)MINUTE;
    assert_true(idle_min > 120 * 0.97 && idle_min < 120 * 1.03); /* 30 / (1 - 0.75) */
    assert_true(busy_min > 40 * 0.97 && busy_min < 40 * 1.03);   /* 30 / 0.75 */
}

static void always_and_never_do_not_change(void **state)
{
    (void)state;
    struct availability always = parse("always");
    assert_true(ask(&always, 9, DAY).idle);
    assert_int_equal(ask(&always, 9, DAY).next_change_us, UINT64_MAX);
    struct availability never =
        parse("diurnal:hours=0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0");
    struct availability_now now = ask(&never, 9, DAY);
    assert_false(now.idle);
    assert_true(now.next_change_us > 2 * DAY - HOUR); /* as far as it looked */
    struct availability noon =
        parse("diurnal:hours=0/0/0/0/0/0/0/0/0/0/0/0/1/0/0/0/0/0/0/0/0/0/0/0");
    assert_int_equal(ask(&noon, 9, 0).next_change_us, 12 * HOUR);
    assert_int_equal(ask(&noon, 9, 12 * HOUR).next_change_us, 13 * HOUR);
}

static struct trace_window windows[8];

static struct trace parse_trace(const char *text)
{
    struct trace trace;
    struct trace_error error = {0};
    struct trace_text whole = {text, strlen(text)};
    if (trace_parse(whole, windows, 8, &trace, &error) != 0) {
        fail_msg("line %d: %s", error.line, error.text);
    }
    return trace;
}

static void traces_are_sorted_and_joined(void **state)
{
    (void)state;
    struct availability a = parse("trace");
    a.trace = parse_trace("# device start end\n"
                          "7 100 200\n"
                          "2 50 60 # short\n"
                          "\n"
                          "7\t150\t250\r\n"
                          "7 250 300\n"
                          "7 400 500");
    assert_int_equal(a.trace.count, 3); /* 2: 50–60; 7: 100–300, 400–500 */
    static const struct {
        uint32_t id;
        uint32_t at_s;
        bool idle;
        uint64_t until_s; /* 0: for ever */
    } cases[] = {
        {2, 0, false, 50},   {2, 50, true, 60},   {2, 60, false, 0},    {7, 99, false, 100},
        {7, 100, true, 300}, {7, 260, true, 300}, {7, 300, false, 400}, {7, 499, true, 500},
        {7, 500, false, 0},  {3, 55, false, 0},   {9, 55, false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct availability_now now = ask(&a, cases[i].id, cases[i].at_s * SECOND);
        assert_true(now.idle == cases[i].idle);
        uint64_t until = cases[i].until_s > 0 ? cases[i].until_s * SECOND : UINT64_MAX;
        assert_int_equal(now.next_change_us, until);
    }
}

static void a_wrong_trace_names_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        int line;
    } cases[] = {
        {"1 2 3\n1 2", MYCEL_E_MALFORMED, 2},
        {"1 2 3 4", MYCEL_E_MALFORMED, 1},
        {"\n\n1 3 3\n", MYCEL_E_MALFORMED, 3},
        {"1 -2 3", MYCEL_E_MALFORMED, 1},
        {"4294967296 2 3", MYCEL_E_MALFORMED, 1},
        {"1 2.5 3", MYCEL_E_MALFORMED, 1},
        {"a", MYCEL_E_MALFORMED, 1},
        {"1 2 3\n1 4 5\n1 6 7\n", MYCEL_E_NO_MEMORY, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trace trace;
        struct trace_error error = {0};
        struct trace_text text = {cases[i].text, strlen(cases[i].text)};
        assert_int_equal(trace_parse(text, windows, 2, &trace, &error), cases[i].code);
        assert_int_equal(error.line, cases[i].line);
        assert_non_null(error.text);
        assert_true(trace_windows_max(text) >= (size_t)error.line);
    }
}

/* A battery that a milliwatt of idling empties in an hour. */
static struct battery small_battery(const char *charging)
{
    struct battery battery = {.capacity_mj = 3600, .idle_nw = 1000000};
    struct option_error error = {0};
    if (battery_parse(charging, &battery.charging, &error) != 0) {
        fail_msg("%s: column %d: %s", charging, error.column, error.text);
    }
    return battery;
}

static void a_battery_drains_and_ends(void **state)
{
    (void)state;
    struct availability always = parse("always");
    struct battery battery = small_battery("none");
    struct battery_state level;
    battery_init(&battery, &level, 0);
    struct availability_device device = {1, 0, &battery, &level};
    struct availability_now now;
    availability_at(&always, &device, 30 * MINUTE, &now);
    assert_int_equal(now.battery_percent, 50);
    battery_spend(&battery, &level, 900 * 1000000ull); /* 900 of 3,600 mJ */
    availability_at(&always, &device, 30 * MINUTE, &now);
    assert_int_equal(now.battery_percent, 25);
    assert_true(now.idle);
    availability_at(&always, &device, 45 * MINUTE, &now);
    assert_int_equal(now.battery_percent, 0);
    assert_false(now.idle);
    assert_int_equal(now.next_change_us, HOUR);
    battery_spend(&battery, &level, 1); /* empty stays empty */
    assert_int_equal(battery_percent(&battery, &level), 0);
}

static void small_expenses_add_up(void **state)
{
    (void)state;
    /* Two AA cells, and frames of 64 uJ: a hundredth of the level is five million of them. */
    struct battery battery = {.capacity_mj = 32400000};
    battery.charging.start_permille[0] = battery.charging.start_permille[1] = 1000;
    struct battery_state level;
    battery_init(&battery, &level, 0);
    for (int i = 0; i < 5062500; i++) {
        battery_spend(&battery, &level, 64000);
    }
    assert_in_range(battery_percent(&battery, &level), 98, 99); /* rounded up: not less than 1 % */
    assert_in_range(level.level, 4294967296ull * 985 / 1000, 4294967296ull * 990 / 1000);
}

static void the_sun_and_the_mains_charge(void **state)
{
    (void)state;
    struct battery solar = small_battery("solar:mw=100,from=6,to=18");
    uint64_t sum = 0;
    for (int hour = 0; hour < 24; hour++) {
        sum += solar.charging.charge_uw[hour];
        assert_true((solar.charging.charge_uw[hour] > 0) == (hour >= 6 && hour < 18));
    }
    assert_in_range(sum, 763930, 763960); /* 12 h x 2/pi x 100 mW */
    struct battery night = small_battery("mains:mw=500,from=22.5,to=6");
    assert_int_equal(night.charging.charge_uw[22], 250000);
    assert_int_equal(night.charging.charge_uw[23], 500000);
    assert_int_equal(night.charging.charge_uw[5], 500000);
    assert_int_equal(night.charging.charge_uw[6], 0);
    assert_int_equal(night.charging.charge_uw[12], 0);
    /* 2 mW charge against 1 mW of idling, from 10 to 11 at the device, which is 8 to 9 here. */
    struct battery hour = small_battery("mains:mw=2,from=10,to=10.5,start=0/0");
    struct battery_state level;
    battery_init(&hour, &level, 0);
    battery_advance(&hour, &level, 8 * HOUR, 2);
    assert_int_equal(battery_percent(&hour, &level), 0);
    hour.charging.charge_uw[10] = 1500;
    battery_advance(&hour, &level, 9 * HOUR, 2);
    assert_int_equal(battery_percent(&hour, &level), 50);
}

static void asking_often_changes_nothing(void **state)
{
    (void)state;
    struct battery battery = {.capacity_mj = 1000000, .idle_nw = 3000000};
    struct option_error error = {0};
    assert_int_equal(battery_parse("solar:mw=20,start=0.2/0.8", &battery.charging, &error), 0);
    struct battery_state often;
    battery_init(&battery, &often, 1ull << 63);
    assert_int_equal(battery_percent(&battery, &often), 50);
    struct battery_state once = often;
    for (uint64_t s = 0; s <= 30 * DAY / SECOND; s += 7) {
        battery_advance(&battery, &often, s * SECOND, -3);
    }
    battery_advance(&battery, &often, 30 * DAY, -3);
    battery_advance(&battery, &once, 30 * DAY, -3);
    assert_int_equal(once.at_min, often.at_min);
    int64_t apart = (int64_t)once.level - often.level;
    assert_true(apart > -100000 && apart < 100000); /* of 2^32: steps are rounded */
}

static void mistakes_have_a_column(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int column;
    } availabilities[] = {
        {"sometimes", 1},
        {"diurnal", 1},
        {"diurnal:night=0.9", 1},
        {"diurnal:night=0.9,day=1.2", 23},
        {"diurnal:night=1,day=0,dwell=5x", 30},
        {"diurnal:night=1,day=0,dwell=5s", 29},
        {"diurnal:hours=0/1", 1},
        {"diurnal:night=1,day=0,zones=0/20", 31},
        {"always:night=1", 8},
        {"always:zones=0/", 16},
        {"always:zones=/1", 14},
    };
    for (size_t i = 0; i < sizeof availabilities / sizeof availabilities[0]; i++) {
        struct availability a;
        struct option_error error = {0};
        assert_int_equal(availability_parse(availabilities[i].text, &a, &error), MYCEL_E_MALFORMED);
        if (error.column != availabilities[i].column) {
            fail_msg("%s: column %d: %s", availabilities[i].text, error.column, error.text);
        }
    }
    static const char *const chargings[] = {"wind",
                                            "solar",
                                            "solar:mw=1,from=18,to=6",
                                            "mains:mw=1,start=0.5",
                                            "none:start=0.9/0.1",
                                            "none:mw=3"};
    for (size_t i = 0; i < sizeof chargings / sizeof chargings[0]; i++) {
        struct battery_charging charging;
        struct option_error error = {0};
        assert_int_equal(battery_parse(chargings[i], &charging, &error), MYCEL_E_MALFORMED);
        assert_true(error.column >= 1 && error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_curve_is_met_in_every_hour),
        cmocka_unit_test(zones_shift_the_day),
        cmocka_unit_test(a_state_holds_until_it_changes),
        cmocka_unit_test(dwells_have_their_mean),
        cmocka_unit_test(always_and_never_do_not_change),
        cmocka_unit_test(traces_are_sorted_and_joined),
        cmocka_unit_test(a_wrong_trace_names_its_line),
        cmocka_unit_test(a_battery_drains_and_ends),
        cmocka_unit_test(small_expenses_add_up),
        cmocka_unit_test(the_sun_and_the_mains_charge),
        cmocka_unit_test(asking_often_changes_nothing),
        cmocka_unit_test(mistakes_have_a_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
