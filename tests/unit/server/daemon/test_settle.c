/* Which rounds an operator's version overtakes, and what becomes of them. */
#include "server/daemon/settle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PARAMS 5
#define NOW 9000

struct rig {
    char folder[64];
    struct store *store;
    uint32_t run;
};

static struct rig rig;

static int setup(void **state)
{
    (void)state;
    snprintf(rig.folder, sizeof rig.folder, "/tmp/mycel-settle-XXXXXX");
    assert_non_null(mkdtemp(rig.folder));
    const struct store_options options = {.folder = rig.folder, .create = true};
    assert_int_equal(store_open(&options, &rig.store, NULL), 0);
    const struct store_run_config config = {.name = "r",
                                            .model = "4 > dense 1",
                                            .strategy = "fedavg",
                                            .params = PARAMS,
                                            .samples_min = 1,
                                            .goal = 2,
                                            .minimum = 1,
                                            .over_permille = 1000,
                                            .codecs = 1,
                                            .update_bytes_max = 1000,
                                            .epochs = 1,
                                            .batch = 1,
                                            .learning_rate = 0.1f};
    const float model[PARAMS] = {1, 2, 3, 4, 5};
    struct store_version version = {.kind = STORE_VERSION_INITIAL, .created_ms = 1000};
    assert_int_equal(store_run_create(rig.store, &config, 1000, &version.run), 0);
    assert_int_equal(store_blob_put(rig.store, model, sizeof model, version.sha256), 0);
    assert_int_equal(store_version_add(rig.store, &version), 0);
    rig.run = version.run;
    return 0;
}

static int teardown(void **state)
{
    static const char *const files[] = {"mycel.db-wal", "mycel.db-shm", "mycel.db"};
    char path[128];
    (void)state;
    store_close(rig.store);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", rig.folder, files[i]);
        (void)unlink(path);
    }
    return rmdir(rig.folder);
}

static void put_round(enum store_round_state state, uint32_t base)
{
    const struct store_round round = {.run = rig.run,
                                      .round = 1,
                                      .attempt = 1,
                                      .state = state,
                                      .base_version = base,
                                      .started_ms = 2000};
    assert_int_equal(store_round_put(rig.store, &round), 0);
}

/* One accepted update waits in the spool. */
static void spool(void)
{
    static const uint8_t key[PROTO_KEY_BYTES] = {1}, psk[PROTO_PSK_BYTES] = {2};
    struct store_lease lease = {.run = rig.run,
                                .round = 1,
                                .attempt = 1,
                                .issued_ms = 3000,
                                .deadline_ms = 8000,
                                .state = STORE_LEASE_OPEN};
    memcpy(lease.key, key, sizeof key);
    assert_int_equal(store_device_enroll(rig.store, "d", "", psk, sizeof psk, 1000, &lease.device),
                     0);
    assert_int_equal(store_lease_put(rig.store, &lease), 0);
    struct store_update update = {.device = lease.device,
                                  .run = rig.run,
                                  .round = 1,
                                  .counted_round = 1,
                                  .received_ms = 4000,
                                  .samples = 1,
                                  .weight = 1,
                                  .scale_q16 = 65536,
                                  .receipt = "r",
                                  .receipt_bytes = 1,
                                  .body = "b",
                                  .body_bytes = 1};
    memcpy(update.key, key, sizeof key);
    assert_int_equal(store_update_add(rig.store, &update), 0);
}

static void roll_back(void)
{
    uint32_t number;
    assert_int_equal(store_rollback_to(rig.store, rig.run, 0, "test", 5000, &number), 0);
    assert_int_equal(number, 1);
}

static enum store_round_state state_now(void)
{
    struct store_round round;
    assert_int_equal(store_round_get(rig.store, rig.run, 1, &round), 0);
    return round.state;
}

static int count(void *user, const struct store_update *update)
{
    (void)update;
    ++*(unsigned *)user;
    return 0;
}

static unsigned spooled(void)
{
    unsigned n = 0;
    assert_int_equal(store_spooled(rig.store, rig.run, 1, count, &n), 0);
    return n;
}

static void test_nothing_to_settle(void **state)
{
    (void)state;
    assert_int_equal(settle_runs(rig.store, NOW), 0); /* no round yet */
    roll_back();
    assert_int_equal(settle_runs(rig.store, NOW), 0);
    put_round(STORE_ROUND_REPORT, 1); /* it starts from the rollback */
    assert_int_equal(settle_runs(rig.store, NOW), 0);
    assert_int_equal(state_now(), STORE_ROUND_REPORT);
}

static void test_open_round_is_given_up(void **state)
{
    (void)state;
    struct store_round round;
    put_round(STORE_ROUND_REPORT, 0);
    spool();
    assert_int_equal(settle_runs(rig.store, NOW), 0); /* no operator's version yet */
    assert_int_equal(spooled(), 1);
    roll_back();
    assert_int_equal(settle_runs(rig.store, NOW), 1);
    assert_int_equal(spooled(), 0);
    assert_int_equal(store_round_get(rig.store, rig.run, 1, &round), 0);
    assert_int_equal(round.state, STORE_ROUND_ABANDONED);
    assert_int_equal(round.closed_ms, NOW);
    assert_int_equal(settle_runs(rig.store, NOW + 1), 0); /* twice changes nothing more */
    assert_int_equal(store_verify(rig.store), 0);
}

static void test_ended_run_stays(void **state)
{
    (void)state;
    put_round(STORE_ROUND_AGGREGATE, 0);
    roll_back();
    assert_int_equal(store_run_set_state(rig.store, rig.run, STORE_RUN_STOPPED, "", "test", 6000),
                     0);
    assert_int_equal(settle_runs(rig.store, NOW), 0);
    assert_int_equal(state_now(), STORE_ROUND_AGGREGATE);
}

static void test_paused_run_is_settled(void **state)
{
    (void)state;
    put_round(STORE_ROUND_AGGREGATE, 0);
    roll_back();
    assert_int_equal(store_run_set_state(rig.store, rig.run, STORE_RUN_PAUSED, "", "test", 6000),
                     0);
    assert_int_equal(settle_runs(rig.store, NOW), 1);
    assert_int_equal(state_now(), STORE_ROUND_ABANDONED);
}

/* Whose version it is: rounds and the first one are the engine's. */
static void test_kinds(void **state)
{
    (void)state;
    static const enum store_version_kind theirs[] = {STORE_VERSION_ROLLBACK, STORE_VERSION_IMPORT,
                                                     STORE_VERSION_AVERAGE};
    static const enum store_version_kind ours[] = {STORE_VERSION_INITIAL, STORE_VERSION_ROUND};
    struct store_version version = {0};
    for (size_t i = 0; i < 3; i++) {
        version.kind = theirs[i];
        assert_true(settle_is_operators(&version));
    }
    for (size_t i = 0; i < 2; i++) {
        version.kind = ours[i];
        assert_false(settle_is_operators(&version));
    }
}

static void test_read_only_store(void **state)
{
    (void)state;
    struct store *reader = NULL;
    const struct store_options options = {.folder = rig.folder, .read_only = true};
    put_round(STORE_ROUND_REPORT, 0);
    roll_back();
    assert_int_equal(store_open(&options, &reader, NULL), 0);
    assert_true(settle_runs(reader, NOW) < 0);
    store_close(reader);
    assert_int_equal(state_now(), STORE_ROUND_REPORT);
}

#define WITH_RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RUN(test_nothing_to_settle), WITH_RUN(test_open_round_is_given_up),
        WITH_RUN(test_ended_run_stays),   WITH_RUN(test_paused_run_is_settled),
        cmocka_unit_test(test_kinds),     WITH_RUN(test_read_only_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
