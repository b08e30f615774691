/* Outages by plan and by chance. */
#include "sim/network/outage.h"

#include <mycel/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000ull
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

static struct outage parse(const char *text)
{
    struct outage outage;
    struct option_error error = {0};
    if (outage_parse(text, &outage, &error) != 0) {
        fail_msg("%s: column %d: %s", text, error.column, error.text);
    }
    outage.seed = 11;
    return outage;
}

static void windows_are_kept(void **state)
{
    (void)state;
    struct outage outage = parse("3:3600-7200,*:10h-18h,3:2h-2.5h");
    static const struct {
        uint32_t gateway;
        bool down;
        uint64_t at_s;
        uint64_t until_s; /* 0: for ever */
    } cases[] = {
        {3, false, 0, 3600},     {3, true, 3600, 9000},   {3, true, 7199, 9000},
        {3, false, 9000, 36000}, {0, false, 3600, 36000}, {0, true, 36000, 64800},
        {3, true, 64799, 64800}, {3, false, 64800, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t until_us;
        bool down = outage_at(&outage, cases[i].gateway, cases[i].at_s * SECOND, &until_us);
        assert_true(down == cases[i].down);
        assert_int_equal(until_us, cases[i].until_s > 0 ? cases[i].until_s * SECOND : UINT64_MAX);
    }
    uint64_t until_us;
    struct outage none = parse("none");
    assert_false(outage_at(&none, 0, DAY, &until_us));
    assert_int_equal(until_us, UINT64_MAX);
}

/* Walks a gateway's time from change to change; returns its time down and counts the outages. */
static uint64_t walk(const struct outage *outage, uint32_t gateway, uint64_t end_us,
                     uint32_t *outages)
{
    uint64_t down_us = 0;
    for (uint64_t at = 0; at < end_us;) {
        uint64_t until;
        bool down = outage_at(outage, gateway, at, &until);
        assert_true(until > at);
        uint64_t ignored;
        assert_true(outage_at(outage, gateway, at + (until - at) / 2, &ignored) == down);
        assert_true(outage_at(outage, gateway, until - 1, &ignored) == down);
        if (down) {
            assert_false(outage_at(outage, gateway, until, &ignored));
        }
        until = until < end_us ? until : end_us;
        down_us += down ? until - at : 0;
        *outages += down;
        at = until;
    }
    return down_us;
}

static void chance_keeps_rate_and_mean(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double rate;
        double mean_h;
    } cases[] = {
        {"random:rate=0.2,mean=30m", 0.2, 0.5},
        {"random:rate=2,mean=1h", 2, 1},
        {"random:rate=24,mean=90s", 24, 0.025},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outage outage = parse(cases[i].text);
        uint32_t outages = 0;
        uint64_t down_us = 0;
        double days = 100;
        double gateways = 150 / cases[i].rate < 300 ? 150 / cases[i].rate : 300;
        for (uint32_t g = 0; g < (uint32_t)gateways; g++) {
            down_us += walk(&outage, g, (uint64_t)days * DAY, &outages);
        }
        gateways = (uint32_t)gateways;
        /* Outages that overlap are one: a share of 1 - exp(-load) of the time, nearly the load. */
        double load = cases[i].rate * cases[i].mean_h / 24;
        double share = (double)down_us / (double)DAY / days / gateways;
        double per_day = outages / days / gateways;
        assert_true(share > 0.94 * (load - load * load / 2) && share < 1.06 * load);
        assert_true(per_day > 0.95 * cases[i].rate * (1 - load) && per_day < 1.05 * cases[i].rate);
    }
}

static void groups_fail_together(void **state)
{
    (void)state;
    struct outage outage = parse("random:rate=4,mean=1h,group=10");
    uint32_t differ = 0;
    for (uint64_t at = 0; at < 30 * DAY; at += HOUR / 2) {
        uint64_t until[3];
        bool first = outage_at(&outage, 0, at, &until[0]);
        bool last = outage_at(&outage, 9, at, &until[1]);
        assert_true(first == last && until[0] == until[1]);
        differ += outage_at(&outage, 10, at, &until[2]) != first;
    }
    assert_true(differ > 100);
    struct outage other = outage;
    other.seed = 12;
    differ = 0;
    for (uint64_t at = 0; at < 30 * DAY; at += HOUR / 2) {
        uint64_t until;
        differ += outage_at(&outage, 0, at, &until) != outage_at(&other, 0, at, &until);
    }
    assert_true(differ > 100);
}

static void mistakes_have_a_column(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int column;
    } cases[] = {
        {"", 1},
        {"3", 2},
        {"x:1-2", 1},
        {"3:1", 4},
        {"3:-1", 3},
        {"3:5-5", 5},
        {"3:1-2;", 6},
        {"3:1-2,", 7},
        {"3:1-2-3", 6},
        {"random", 1},
        {"random:rate=1", 1},
        {"randomly:rate=1,mean=1h", 1},
        {"random:rate=1,mean=1y", 21},
        {"random:rate=100,mean=1d", 1},
        {"random:rate=1,mean=1h,groups=2", 23},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outage outage;
        struct option_error error = {0};
        assert_int_equal(outage_parse(cases[i].text, &outage, &error), MYCEL_E_MALFORMED);
        if (error.column != cases[i].column) {
            fail_msg("%s: column %d: %s", cases[i].text, error.column, error.text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_kept),
        cmocka_unit_test(chance_keeps_rate_and_mean),
        cmocka_unit_test(groups_fail_together),
        cmocka_unit_test(mistakes_have_a_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
