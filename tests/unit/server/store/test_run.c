/* Runs and rounds: every setting comes back, states change as they may. */
#include "fixture.h"

#include <math.h>
#include <stdio.h>

static void test_config_comes_back(void **state)
{
    struct fixture *f = *state;
    struct store_run_config config;
    /* Every number differs from every other, so that no two columns can be mixed up. */
    config = fixture_config("a-run.1");
    uint32_t next = 100;
    uint32_t *const numbers[] = {
        &config.samples_min,    &config.samples_max,   &config.battery_min,
        &config.spacing_rounds, &config.cap,           &config.fair_permille,
        &config.minimum,        &config.goal,          &config.utility_permille,
        &config.concurrency,    &config.staleness_max, &config.over_permille,
        &config.weighting,      &config.select_ms,     &config.soft_ms,
        &config.hard_ms,        &config.lease_ms,      &config.pace_ms,
        &config.codec,          &config.codecs,        &config.epochs,
        &config.batch,          &config.steps_max,     &config.rounds,
        &config.patience,       &config.params,        &config.soft_min_ms,
        &config.soft_max_ms,    &config.interval_ms};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        *numbers[i] = next++;
    }
    config.update_bytes_max = 1ull << 40;
    config.busy_allowed = true;
    config.staleness_discount = false;
    config.over_learn = true;
    config.soft_learn = true;
    config.prox_mu = 0.01f;
    uint32_t id = 0;
    assert_int_equal(store_run_create(f->store, &config, 12345, &id), 0);
    fixture_reopen(f);
    struct store_run run;
    assert_int_equal(store_run_find(f->store, "a-run.1", &run), 0);
    assert_int_equal(run.id, id);
    assert_int_equal(run.state, STORE_RUN_ACTIVE);
    assert_int_equal(run.created_ms, 12345);
    assert_int_equal(run.ended_ms, 0);
    assert_false(run.has_version);
    assert_false(run.has_evaluated);
    assert_int_equal(run.round, 0);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        size_t offset = (size_t)((const char *)numbers[i] - (const char *)&config);
        assert_memory_equal((const char *)&run.config + offset, numbers[i], sizeof(uint32_t));
    }
    assert_string_equal(run.config.model, config.model);
    assert_string_equal(run.config.strategy, config.strategy);
    assert_string_equal(run.config.device_class, config.device_class);
    assert_memory_equal(run.config.tags, config.tags, sizeof config.tags);
    assert_true(run.config.seed == config.seed);
    assert_true(run.config.update_bytes_max == config.update_bytes_max);
    assert_true(run.config.busy_allowed && run.config.over_learn);
    assert_false(run.config.staleness_discount);
    assert_true(run.config.clip_norm == config.clip_norm);
    assert_true(run.config.learning_rate == config.learning_rate);
    assert_true(run.config.momentum == config.momentum);
    assert_true(run.config.prox_mu == config.prox_mu);
    assert_true(run.config.target_accuracy == config.target_accuracy);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "0", "9", "z", "a.b_c-9"};
    static const char *const bad[] = {"", ".a", "_", "-", "A", "a b", "a/b", "a{", "a`", "a:"};
    char name[STORE_NAME_BYTES + 1] = "";
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(store_name_check(good[i]), 0);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(store_name_check(bad[i]), MYCEL_E_INVALID);
    }
    memset(name, 'x', STORE_NAME_BYTES - 1);
    assert_int_equal(store_name_check(name), 0);
    name[STORE_NAME_BYTES - 1] = 'x';
    assert_int_equal(store_name_check(name), MYCEL_E_INVALID);
}

static void expect_invalid(const struct fixture *f, const struct store_run_config *config)
{
    uint32_t id = 0;
    assert_int_equal(store_run_create(f->store, config, 1, &id), MYCEL_E_INVALID);
    assert_true(strlen(store_problem(f->store)) > 10);
    assert_int_equal(id, 0);
}

#define EXPECT_INVALID(member, bad)                                                                \
    do {                                                                                           \
        struct store_run_config config = fixture_config("r");                                      \
        config.member = bad;                                                                       \
        expect_invalid(f, &config);                                                                \
    } while (0)

static void test_config_rules(void **state)
{
    const struct fixture *f = *state;
    EXPECT_INVALID(name[0], '\0');
    EXPECT_INVALID(name[0], 'A');
    EXPECT_INVALID(name[0], '-');
    EXPECT_INVALID(model[0], '\0');
    EXPECT_INVALID(strategy[0], '\0');
    EXPECT_INVALID(tags[0][0], '\n');
    EXPECT_INVALID(params, 0);
    EXPECT_INVALID(params, PROTO_MODEL_PARAMS_MAX + 1);
    EXPECT_INVALID(goal, 0);
    EXPECT_INVALID(minimum, 5);
    EXPECT_INVALID(epochs, 0);
    EXPECT_INVALID(batch, 0);
    EXPECT_INVALID(learning_rate, 0.0f);
    EXPECT_INVALID(learning_rate, NAN);
    EXPECT_INVALID(learning_rate, INFINITY);
    EXPECT_INVALID(momentum, 1.0f);
    EXPECT_INVALID(momentum, -0.1f);
    EXPECT_INVALID(prox_mu, NAN);
    EXPECT_INVALID(clip_norm, -1.0f);
    EXPECT_INVALID(target_accuracy, 1.5f);
    EXPECT_INVALID(target_accuracy, -0.5f);
    struct store_run_config config = fixture_config("r");
    memset(config.name, 'a', sizeof config.name); /* no NUL */
    expect_invalid(f, &config);
    config = fixture_config("r");
    memset(config.model, 'a', sizeof config.model);
    expect_invalid(f, &config);
    config = fixture_config("r");
    memset(config.strategy, 'a', sizeof config.strategy);
    expect_invalid(f, &config);
    config = fixture_config("r");
    memset(config.device_class, 'a', sizeof config.device_class);
    expect_invalid(f, &config);
    config = fixture_config("r");
    memset(config.tags[0], 'a', sizeof config.tags[0]);
    expect_invalid(f, &config);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM runs"), 0);
    (void)fixture_run(f->store, "r", 1);
    uint32_t id = 0;
    config = fixture_config("r");
    assert_int_equal(store_run_create(f->store, &config, 1, &id), MYCEL_E_EXISTS);
}

static void test_states(void **state)
{
    const struct fixture *f = *state;
    uint32_t id = fixture_run(f->store, "r", 1);
    struct store_run run;
    assert_int_equal(store_run_set_state(f->store, 9, STORE_RUN_PAUSED, "", "cli", 5),
                     MYCEL_E_NOT_FOUND);
    assert_int_equal(store_run_set_state(f->store, id, STORE_RUN_PAUSED, "lunch", "cli", 5), 0);
    assert_int_equal(store_run_set_state(f->store, id, STORE_RUN_ACTIVE, "", "cli", 6), 0);
    assert_int_equal(store_run_get(f->store, id, &run), 0);
    assert_int_equal(run.ended_ms, 0);
    assert_int_equal(store_run_set_state(f->store, id, STORE_RUN_STOPPED, "enough", "cli", 7), 0);
    assert_int_equal(store_run_get(f->store, id, &run), 0);
    assert_int_equal(run.ended_ms, 7);
    assert_string_equal(run.reason, "enough");
    assert_int_equal(store_run_set_state(f->store, id, STORE_RUN_ACTIVE, "", "cli", 8),
                     MYCEL_E_STATE);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM audit WHERE action IN"
                                       " ('run.paused', 'run.active', 'run.stopped')"),
                     3);
}

static void test_progress(void **state)
{
    const struct fixture *f = *state;
    uint32_t id = fixture_run(f->store, "r", 1);
    struct store_run run;
    const struct store_learned learned = {.drop_permille = 1,
                                          .drop_rounds = 2,
                                          .round_ms = 3,
                                          .report_ms = 8,
                                          .gap_ms = 4,
                                          .best = 0.7f,
                                          .best_version = 6,
                                          .evaluated = true};
    assert_int_equal(store_run_progress(f->store, 9, STORE_RUN_ACTIVE, &learned, 5),
                     MYCEL_E_NOT_FOUND);
    /* An operator paused it and the engine does not know yet: the pause stands. */
    assert_int_equal(store_run_set_state(f->store, id, STORE_RUN_PAUSED, "", "cli", 5), 0);
    assert_int_equal(store_run_progress(f->store, id, STORE_RUN_ACTIVE, &learned, 6), 0);
    assert_int_equal(store_run_get(f->store, id, &run), 0);
    assert_int_equal(run.state, STORE_RUN_PAUSED);
    assert_int_equal(run.ended_ms, 0);
    assert_int_equal(run.learned.drop_permille, 1);
    assert_int_equal(run.learned.drop_rounds, 2);
    assert_int_equal(run.learned.round_ms, 3);
    assert_int_equal(run.learned.gap_ms, 4);
    assert_int_equal(run.learned.report_ms, 8);
    assert_true(run.learned.best == 0.7f && run.learned.evaluated);
    assert_int_equal(run.learned.best_version, 6);
    assert_int_equal(store_run_progress(f->store, id, STORE_RUN_FINISHED, &learned, 7), 0);
    assert_int_equal(store_run_progress(f->store, id, STORE_RUN_ACTIVE, &learned, 8), 0);
    assert_int_equal(store_run_get(f->store, id, &run), 0);
    assert_int_equal(run.state, STORE_RUN_FINISHED);
    assert_int_equal(run.ended_ms, 7);
}

static int collect(void *user, const struct store_round *round)
{
    uint32_t *seen = user;
    seen[0]++;
    seen[seen[0]] = round->round;
    return 0;
}

static void test_rounds(void **state)
{
    struct fixture *f = *state;
    uint32_t run = fixture_run(f->store, "r", 1);
    struct store_round round = {.run = run,
                                .round = 1,
                                .attempt = 2,
                                .state = STORE_ROUND_REPORT,
                                .granted = 5,
                                .accepted = 3,
                                .rejected = 1,
                                .samples = 1ull << 40,
                                .started_ms = 77};
    struct store_round found = {.run = 0};
    assert_int_equal(store_round_put(f->store, &round), 0);
    fixture_reopen(f);
    assert_int_equal(store_round_get(f->store, run, 1, &found), 0);
    assert_int_equal(found.attempt, 2);
    assert_int_equal(found.state, STORE_ROUND_REPORT);
    assert_int_equal(found.base_version, 0);
    assert_int_equal(found.granted, 5);
    assert_int_equal(found.accepted, 3);
    assert_int_equal(found.rejected, 1);
    assert_true(found.samples == 1ull << 40);
    assert_int_equal(found.started_ms, 77);
    assert_int_equal(found.closed_ms, 0);
    assert_false(found.has_version);
    assert_int_equal(store_round_get(f->store, run, 2, &found), MYCEL_E_NOT_FOUND);

    /* Given up, and tried again under the same number. */
    round.state = STORE_ROUND_ABANDONED;
    round.closed_ms = 99;
    assert_int_equal(store_round_put(f->store, &round), 0);
    round.state = STORE_ROUND_SELECT;
    round.attempt = 3;
    round.closed_ms = 0;
    assert_int_equal(store_round_put(f->store, &round), 0);

    /* A version if and only if it is committed; base and run must exist. */
    round.state = STORE_ROUND_COMMITTED;
    assert_int_equal(store_round_put(f->store, &round), MYCEL_E_INVALID);
    round.has_version = true;
    round.version = 1;
    assert_int_equal(store_round_put(f->store, &round), MYCEL_E_INVALID);
    round.version = 0;
    assert_int_equal(store_round_put(f->store, &round), 0);
    assert_int_equal(store_round_put(f->store, &round), MYCEL_E_STATE);
    round.round = 2;
    round.base_version = 5;
    assert_int_equal(store_round_put(f->store, &round), MYCEL_E_INVALID);
    round.run = 44;
    round.base_version = 0;
    assert_int_equal(store_round_put(f->store, &round), MYCEL_E_INVALID);

    fixture_round(f->store, run, 2, 0);
    uint32_t seen[4] = {0};
    assert_int_equal(store_rounds(f->store, run, false, collect, seen), 0);
    assert_int_equal(seen[0], 2);
    memset(seen, 0, sizeof seen);
    assert_int_equal(store_rounds(f->store, run, true, collect, seen), 0);
    assert_int_equal(seen[0], 1);
    assert_int_equal(seen[1], 2);
    assert_string_equal(store_round_state_name(STORE_ROUND_ABANDONED), "abandoned");
    assert_string_equal(store_round_state_name((enum store_round_state)7), "unknown");
    assert_string_equal(store_run_state_name(STORE_RUN_STOPPED), "stopped");
    assert_string_equal(store_run_state_name((enum store_run_state)0), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),  WITH_STORE(test_config_comes_back),
        WITH_STORE(test_config_rules), WITH_STORE(test_states),
        WITH_STORE(test_progress),     WITH_STORE(test_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
