/*
 * The engine's small parts by themselves: the index, the running median, staleness weights, the update
 * key, the checks of a run's settings, limits at init, names.
 */
#include "server/engine/internal.h"
#include "server/engine/key.h"
#include "server/engine/spec.h"
#include "server/engine/stats.h"
#include "server/engine/table.h"

#include "server/engine/engine.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void deadlines_keep_their_ratio(void **state)
{
    (void)state;
    struct engine_spec spec = {.run = 1, .goal = 1, .soft_learn = true};
    struct engine_learned learned = {.report_ms = 100000};
    spec_defaults(&spec);
    struct spec_clock clock = spec_clock(&spec, &learned);
    assert_int_equal(clock.soft_ms, 150000);
    assert_int_equal(clock.select_ms, 150000);
    assert_int_equal(clock.hard_ms, 300000);
    assert_int_equal(clock.lease_ms, 300000);
    learned.report_ms = 1;
    assert_int_equal(spec_clock(&spec, &learned).soft_ms, 60000);
    learned.report_ms = UINT32_MAX;
    assert_int_equal(spec_clock(&spec, &learned).soft_ms, 86400000);
    spec.hard_ms = 10 * spec.soft_ms; /* ten days would be too long */
    assert_int_equal(spec_clock(&spec, &learned).hard_ms, 604800000);
    spec.soft_learn = false;
    assert_int_equal(spec_clock(&spec, &learned).soft_ms, 600000);
    spec.soft_learn = true;
    learned.report_ms = 0; /* nothing is known yet */
    assert_int_equal(spec_clock(&spec, &learned).soft_ms, 600000);
}

static void table_finds_what_it_holds(void **state)
{
    uint32_t heads[4];
    uint32_t next[5];
    struct table table;

    (void)state;
    assert_int_equal(table_buckets(1), 1);
    assert_int_equal(table_buckets(4), 4);
    assert_int_equal(table_buckets(5), 8);
    table_init(&table, heads, next, 4);
    assert_int_equal(table_first(&table, 3), TABLE_END);
    table_put(&table, 3, 0);
    table_put(&table, 7, 1); /* the same bucket */
    table_put(&table, 11, 4);
    assert_int_equal(table_first(&table, 3), 4);
    assert_int_equal(table_next(&table, 4), 1);
    assert_int_equal(table_next(&table, 1), 0);
    assert_int_equal(table_next(&table, 0), TABLE_END);
    table_remove(&table, 7, 1);
    assert_int_equal(table_next(&table, 4), 0);
    table_remove(&table, 11, 4);
    table_remove(&table, 3, 0);
    assert_int_equal(table_first(&table, 3), TABLE_END);
}

static void median_looks_back_on_a_window(void **state)
{
    struct stats_window window = {.count = 0};

    (void)state;
    assert_true(stats_median(&window) == 0.0f);
    stats_push(&window, 5.0f);
    assert_true(stats_median(&window) == 5.0f);
    stats_push(&window, 1.0f);
    assert_true(stats_median(&window) == 1.0f); /* the lower of two */
    stats_push(&window, 3.0f);
    assert_true(stats_median(&window) == 3.0f);
    for (uint32_t i = 0; i < 10 * STATS_WINDOW; i++) {
        stats_push(&window, 7.0f);
    }
    assert_true(stats_median(&window) == 7.0f);
    assert_in_range(window.count, STATS_WINDOW, 2 * STATS_WINDOW - 1);
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Every rank of the last values is what sorting them gives, however often they repeat. */
static void ranks_are_those_of_the_last_values(void **state)
{
    struct stats_window window = {.count = 0};
    float pushed[5 * STATS_WINDOW], last[STATS_WINDOW];
    uint32_t random = 1;

    (void)state;
    for (uint32_t i = 0; i < 5 * STATS_WINDOW; i++) {
        uint32_t n = i + 1 < STATS_WINDOW ? i + 1 : STATS_WINDOW;

        random = random * 1664525u + 1013904223u;
        pushed[i] = (float)(random >> 26) - 20.0f;
        stats_push(&window, pushed[i]);
        memcpy(last, &pushed[i + 1 - n], n * sizeof *last);
        qsort(last, n, sizeof *last, by_size);
        for (uint32_t permille = 0; permille <= 1000; permille += 50) {
            assert_true(stats_rank(&window, permille) == last[(n - 1) * permille / 1000]);
        }
    }
}

static void median_survives_an_attacker(void **state)
{
    struct stats_window window = {.count = 0};

    (void)state;
    for (uint32_t i = 0; i < STATS_WINDOW; i++) {
        stats_push(&window, i % 5 == 0 ? 1e30f : 2.0f);
    }
    assert_true(stats_median(&window) == 2.0f);
}

static void staleness_weight_is_the_root(void **state)
{
    (void)state;
    assert_int_equal(stats_staleness_q16(0), 65536);
    assert_int_equal(stats_staleness_q16(3), 32768);
    for (uint32_t tau = 0; tau <= ENGINE_STALENESS_MAX; tau++) {
        uint64_t weight = stats_staleness_q16(tau);

        assert_true(weight * weight * (tau + 1) <= UINT64_C(1) << 32);
        assert_true((weight + 1) * (weight + 1) * (tau + 1) > UINT64_C(1) << 32);
    }
}

static void smoothing_and_finiteness(void **state)
{
    (void)state;
    assert_int_equal(stats_smooth(0, 100), 100);
    assert_int_equal(stats_smooth(100, 200), 125);
    assert_int_equal(stats_smooth(0, UINT64_MAX), UINT32_MAX);
    assert_true(stats_is_finite(0.0f) && stats_is_finite(-1e38f));
    assert_false(stats_is_finite(NAN) || stats_is_finite(INFINITY) || stats_is_finite(-INFINITY));
}

/* printf 'FLU2\007\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0' | sha256sum */
static void key_is_as_specified(void **state)
{
    static const uint8_t expected[PROTO_KEY_BYTES] = {0x00, 0x00, 0x00, 0x01, 0x00, 0x00,
                                                      0x00, 0x02, 0x00, 0x00, 0x00, 0x07,
                                                      0x6a, 0xe0, 0x19, 0x9b};
    struct engine_lease lease = {.device = 7, .run = 1, .round = 2, .attempt = 3};

    (void)state;
    lease.base.version = 4;
    key_derive(&lease);
    assert_memory_equal(lease.key, expected, PROTO_KEY_BYTES);
    assert_true(key_equal(lease.key, expected));
    assert_true(key_hash(expected) == UINT64_C(0x000000076ae0199b));
    lease.attempt = 4;
    key_derive(&lease);
    assert_false(key_equal(lease.key, expected));
}

/* --- settings ------------------------------------------------------------------------------- */

static struct engine_spec good_spec(void)
{
    struct engine_spec spec;

    memset(&spec, 0, sizeof spec);
    spec.run = 1;
    spec.goal = 10;
    return spec;
}

static void refused(const struct engine_spec *spec, const char *field)
{
    const char *what = NULL;

    assert_int_equal(engine_spec_check(spec, &what), MYCEL_E_INVALID);
    assert_string_equal(what, field);
    assert_int_equal(engine_spec_check(spec, NULL), MYCEL_E_INVALID);
}

#define REFUSED(field, value)                                                                      \
    do {                                                                                           \
        struct engine_spec bad = good_spec();                                                      \
        bad.field = (value);                                                                       \
        refused(&bad, #field);                                                                     \
    } while (0)

static void spec_names_what_is_wrong(void **state)
{
    struct engine_spec spec = good_spec();
    const char *what = "unset";

    (void)state;
    assert_int_equal(engine_spec_check(&spec, &what), MYCEL_OK);
    assert_null(what);
    REFUSED(run, 0);
    REFUSED(goal, 0);
    REFUSED(goal, ENGINE_GOAL_MAX + 1);
    REFUSED(minimum, 11);
    REFUSED(concurrency, ENGINE_GOAL_MAX + 1);
    REFUSED(staleness_max, ENGINE_STALENESS_MAX + 1);
    REFUSED(over_permille, 999);
    REFUSED(over_permille, 4001);
    REFUSED(weighting, (enum engine_weighting)2);
    REFUSED(hard_ms, 599999);
    REFUSED(hard_ms, 604800001);
    REFUSED(select_ms, 1200001);
    REFUSED(lease_ms, 604800001);
    REFUSED(soft_min_ms, 86400001);
    REFUSED(soft_max_ms, 604800001);
    REFUSED(pace_ms, 604800001);
    REFUSED(interval_ms, 604800001);
    REFUSED(samples_max, PROTO_SAMPLES_MAX + 1);
    REFUSED(samples_min, PROTO_SAMPLES_MAX + 1);
    REFUSED(battery_min, 101);
    REFUSED(fair_permille, 1001);
    REFUSED(utility_permille, 1001);
    REFUSED(codec, 9);
    REFUSED(codecs, 2); /* without the preferred one */
    REFUSED(codecs, 1u << 9 | 1u);
    REFUSED(update_bytes_max, PROTO_UPDATE_BYTES_MAX + 1u);
    spec.soft_ms = 604800001;
    refused(&spec, "soft_ms");
    spec = good_spec();
    memset(spec.device_class, 'x', sizeof spec.device_class);
    refused(&spec, "device_class");
    spec = good_spec();
    memset(spec.tags[7], 'x', sizeof spec.tags[7]);
    refused(&spec, "tags");
}

static void spec_fills_in_defaults(void **state)
{
    struct engine_spec spec = good_spec();

    (void)state;
    spec.codec = 5;
    spec_defaults(&spec);
    assert_int_equal(spec.minimum, 10);
    assert_int_equal(spec.over_permille, 1000);
    assert_int_equal(spec.soft_ms, 600000);
    assert_int_equal(spec.hard_ms, 1200000);
    assert_int_equal(spec.select_ms, 600000);
    assert_int_equal(spec.lease_ms, 1200000);
    assert_int_equal(spec.pace_ms, 60000);
    assert_int_equal(spec.codecs, 32);
    assert_int_equal(spec.update_bytes_max, PROTO_UPDATE_BYTES_MAX);
}

static void seats_follow_over_selection(void **state)
{
    struct engine_spec spec = good_spec();
    struct engine_learned learned = {.drop_permille = 500, .drop_rounds = 3};

    (void)state;
    spec.over_permille = 1300;
    assert_int_equal(spec_seats(&spec, &learned), 13);
    spec.goal = 1;
    assert_int_equal(spec_seats(&spec, &learned), 2); /* rounded up */
    spec.goal = 10;
    spec.over_learn = true;
    assert_int_equal(spec_seats(&spec, &learned), 20); /* 1 / (1 - 0.5) */
    learned.drop_permille = 1000;
    assert_int_equal(spec_seats(&spec, &learned), 40); /* bounded */
    learned.drop_rounds = 2;
    assert_int_equal(spec_seats(&spec, &learned), 13); /* not believed yet */
    spec.concurrency = 7;
    assert_int_equal(spec_seats(&spec, &learned), 7);
}

/* --- limits and names ----------------------------------------------------------------------- */

static void init_refuses(void **state)
{
    struct engine_config config = {.device_max = 10, .run_max = 2, .receipt_max = 10};
    size_t bytes = engine_bytes(&config);
    void *memory = calloc(1, bytes);
    struct engine *engine = NULL;

    (void)state;
    assert_non_null(memory);
    assert_int_equal(engine_init(memory, bytes - 1, &config, &engine), MYCEL_E_NO_MEMORY);
    assert_null(engine);
    assert_int_equal(engine_init(memory, bytes, &config, &engine), MYCEL_OK);
    assert_non_null(engine);
    engine_check(engine);
    config.run_max = ENGINE_RUNS_MAX + 1;
    assert_int_equal(engine_bytes(&config), 0);
    assert_int_equal(engine_init(memory, bytes, &config, &engine), MYCEL_E_INVALID);
    config.run_max = 1;
    config.device_max = ENGINE_DEVICES_MAX + 1;
    assert_int_equal(engine_bytes(&config), 0);
    config.device_max = 1;
    config.receipt_max = ENGINE_RECEIPTS_MAX + 1;
    assert_int_equal(engine_bytes(&config), 0);
    config.receipt_max = 1;
    config.window_ms_min = 10;
    config.window_ms_max = 9;
    assert_int_equal(engine_bytes(&config), 0);
    config.window_ms_max = 10;
    config.hold_permille = 1001;
    assert_int_equal(engine_bytes(&config), 0);
    config.hold_permille = 1000;
    assert_true(engine_bytes(&config) > 0);
    config = (struct engine_config){.device_max = ENGINE_DEVICES_MAX,
                                    .run_max = ENGINE_RUNS_MAX,
                                    .receipt_max = ENGINE_RECEIPTS_MAX,
                                    .window_ms_min = 10,
                                    .window_ms_max = 10};
    assert_true(engine_bytes(&config) > 0);
    free(memory);
}

static void init_fills_in_defaults(void **state)
{
    const struct engine_config config = {.device_max = 0};
    size_t bytes = engine_bytes(&config);
    void *memory = calloc(1, bytes);
    struct engine *engine = NULL;

    (void)state;
    assert_non_null(memory);
    assert_int_equal(engine_init(memory, bytes, &config, &engine), MYCEL_OK);
    assert_int_equal(engine->config.device_max, 1024);
    assert_int_equal(engine->config.run_max, 4);
    assert_int_equal(engine->config.receipt_max, 4096);
    assert_int_equal(engine->config.strikes_max, 3);
    assert_int_equal(engine->config.quarantine_ms, 3600000);
    assert_int_equal(engine->config.grace_ms, 30000);
    assert_int_equal(engine->config.idle_ms, 60000);
    assert_int_equal(engine->config.window_ms_min, 100);
    assert_int_equal(engine->config.window_ms_max, 3600000);
    assert_true(engine->wake_ms == ENGINE_NEVER);
    free(memory);
}

static void memory_for_a_large_fleet(void **state)
{
    const struct engine_config config = {.device_max = 100000, .run_max = 4, .receipt_max = 4096};

    (void)state;
    assert_in_range(engine_bytes(&config), 1, 40u * 1024 * 1024);
}

static void names_are_in_range(void **state)
{
    (void)state;
    assert_string_equal(engine_phase_name(ENGINE_PHASE_STOPPED), "stopped");
    assert_string_equal(engine_phase_name((enum engine_phase)4), "?");
    assert_string_equal(engine_round_name(ENGINE_ROUND_ABANDONED), "abandoned");
    assert_string_equal(engine_round_name((enum engine_round_state)7), "?");
    assert_string_equal(engine_why_name(ENGINE_WHY_EARLY), "EARLY");
    assert_string_equal(engine_why_name((enum engine_why)99), "?");
    assert_string_equal(engine_why_text(ENGINE_WHY_SPACING), "the device took part too recently");
    assert_int_equal(engine_why_error(ENGINE_WHY_QUARANTINED), MYCEL_E_QUARANTINED);
    assert_int_equal(engine_why_error((enum engine_why)99), MYCEL_OK);
    assert_string_equal(engine_audit_name(ENGINE_AUDIT_DEVICE_REVOKED), "DEVICE_REVOKED");
    assert_string_equal(engine_audit_name((enum engine_audit)99), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_keep_their_ratio),
        cmocka_unit_test(table_finds_what_it_holds),
        cmocka_unit_test(median_looks_back_on_a_window),
        cmocka_unit_test(ranks_are_those_of_the_last_values),
        cmocka_unit_test(median_survives_an_attacker),
        cmocka_unit_test(staleness_weight_is_the_root),
        cmocka_unit_test(smoothing_and_finiteness),
        cmocka_unit_test(key_is_as_specified),
        cmocka_unit_test(spec_names_what_is_wrong),
        cmocka_unit_test(spec_fills_in_defaults),
        cmocka_unit_test(seats_follow_over_selection),
        cmocka_unit_test(init_refuses),
        cmocka_unit_test(init_fills_in_defaults),
        cmocka_unit_test(memory_for_a_large_fleet),
        cmocka_unit_test(names_are_in_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
