/*
 * What an operator does reaches a running coordinator, also when it cannot read its database at that moment:
 * it tries again by itself, and who is shut out does not stay because a run cannot be read.
 */
#include "probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>

#include <cmocka.h>
#include <sqlite3.h>

#define NEWS_MS 5000 /* two looks and a second try, with time to spare */
#define HANDLES 3    /* that a process has open at least */

static struct world world;

static int open_world(void **state)
{
    (void)state;
    world_open(&world, 2);
    run_create(&world, 10000, 1, 1, "60s");
    server_start(&world, NULL);
    return 0;
}

/* Behind everybody's back, as a damaged disk would: nothing is checked. */
static void damage(const char *sql)
{
    char path[HARNESS_PATH_BYTES + 16];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/mycel.db", world.state);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, NEWS_MS), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA ignore_check_constraints = ON", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A damaged run is no reason to go on serving a device that was revoked. */
static void test_revoked_beside_a_damaged_run(void **state)
{
    (void)state;
    damage("UPDATE runs SET goal = -1");
    assert_true(process_expect(&world.server, "\"reload_failed\"", NEWS_MS));
    assert_int_equal(MYCEL(&world, "device", "revoke", "d0"), 0);
    assert_true(process_expect(&world.server, "\"device_access_changed\"", NEWS_MS));
}

/* So many handles and no more may the coordinator open from now on. */
static void limit_handles(rlim_t handles)
{
    struct rlimit limit;
    assert_int_equal(prlimit(world.server.pid, RLIMIT_NOFILE, NULL, &limit), 0);
    limit.rlim_cur = handles;
    assert_int_equal(prlimit(world.server.pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

/* It cannot open its database again, and when it can nothing more is written that would tell it so. */
static void test_revoked_while_nothing_can_be_opened(void **state)
{
    (void)state;
    damage("UPDATE keys SET psk = zeroblob(15) WHERE device = 1"); /* its reader is closed */
    assert_true(process_expect(&world.server, "\"reload_failed\"", NEWS_MS));
    limit_handles(HANDLES);
    damage("UPDATE keys SET psk = zeroblob(16) WHERE device = 1");
    assert_int_equal(MYCEL(&world, "device", "revoke", "d0"), 0);
    assert_false(process_expect(&world.server, "\"device_access_changed\"", NEWS_MS / 2));
    limit_handles(1024);
    assert_true(process_expect(&world.server, "\"device_access_changed\"", NEWS_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_revoked_beside_a_damaged_run, open_world,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(test_revoked_while_nothing_can_be_opened, open_world,
                                        world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
