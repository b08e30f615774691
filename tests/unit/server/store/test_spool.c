/* Bodies that come together share a row of the spool, and each is found, dropped and undone as if it did not. */
#include "fixture.h"

#include "common/crypto/sha256.h"

#include <stdio.h>

#define DEVICES 6

struct ids {
    uint32_t run;
    uint32_t device[DEVICES];
};

static uint8_t large[70000];

static struct ids make(const struct fixture *f)
{
    struct ids ids = {.run = fixture_run(f->store, "r", 1)};
    for (unsigned i = 0; i < DEVICES; i++) {
        ids.device[i] = fixture_device(f->store, i + 1);
    }
    fixture_round(f->store, ids.run, 1, 0);
    fixture_round(f->store, ids.run, 2, 0);
    return ids;
}

/* An update with a body of so many bytes, counted in that round of the two; adds it. */
static struct store_update add(const struct fixture *f, const struct ids *ids, unsigned device,
                               uint32_t counted_round, size_t bytes)
{
    struct store_lease lease = fixture_lease(f->store, ids->device[device], ids->run, 1, 1, 0);
    struct store_update update = fixture_update(&lease, 0, (uint8_t)(device + 1));
    memset(large, (int)device + 1, sizeof large);
    update.counted_round = counted_round;
    update.body = large;
    update.body_bytes = bytes;
    sha256(large, bytes, update.digest);
    assert_int_equal(store_update_add(f->store, &update), 0);
    return update;
}

static void check_body(const struct fixture *f, const struct store_update *update, unsigned device)
{
    static uint8_t body[sizeof large];
    uint64_t size = 0;
    size_t bytes = 0;
    assert_int_equal(store_body_size(f->store, update->key, &size), 0);
    assert_int_equal(size, update->body_bytes);
    assert_int_equal(store_body_load(f->store, update->key, body, sizeof body, &bytes), 0);
    assert_int_equal(bytes, update->body_bytes);
    assert_int_equal(body[0], device + 1);
    assert_int_equal(body[bytes - 1], device + 1);
}

static bool is_spooled(const struct fixture *f, const struct store_update *update)
{
    uint64_t size = 0;
    return store_body_size(f->store, update->key, &size) == 0;
}

static long long rows(const struct fixture *f)
{
    return fixture_number(f, "SELECT COUNT(*) FROM spool");
}

static int count(void *user, const struct store_update *update)
{
    size_t *bytes = user;
    *bytes += update->body_bytes;
    return 0;
}

static void test_one_row_for_many(void **state)
{
    const struct fixture *f = *state;
    struct ids ids = make(f);
    struct store_update updates[4];
    assert_int_equal(store_begin_whole(f->store), 0);
    for (unsigned i = 0; i < 4; i++) {
        updates[i] = add(f, &ids, i, 1, 100 + i);
    }
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(rows(f), 1);
    for (unsigned i = 0; i < 4; i++) {
        check_body(f, &updates[i], i);
    }
    size_t bytes = 0;
    assert_int_equal(store_spooled(f->store, ids.run, 1, count, &bytes), 0);
    assert_int_equal(bytes, 406);
    assert_int_equal(store_verify(f->store), 0);

    /* The next transaction has a row of its own; a drop takes both. */
    assert_int_equal(store_begin_whole(f->store), 0);
    updates[0] = add(f, &ids, 4, 1, 100);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(rows(f), 2);
    check_body(f, &updates[0], 4);
    check_body(f, &updates[3], 3);
    assert_int_equal(store_spool_drop(f->store, ids.run, 1), 2);
    assert_false(is_spooled(f, &updates[0]) || is_spooled(f, &updates[3]));
    bytes = 0;
    assert_int_equal(store_updates(f->store, ids.run, 1, count, &bytes), 0);
    assert_int_equal(bytes, 0);

    /* A row's number is never given again, so nobody finds another body in the place of the old one. */
    updates[1] = add(f, &ids, 5, 2, 300);
    assert_false(is_spooled(f, &updates[0]) || is_spooled(f, &updates[3]));
    check_body(f, &updates[1], 5);
}

/* Rounds are dropped one by one, so they do not share. Nor do many or large bodies. */
static void test_what_does_not_share(void **state)
{
    const struct fixture *f = *state;
    struct ids ids = make(f);
    struct store_update updates[DEVICES];
    assert_int_equal(store_begin_whole(f->store), 0);
    for (unsigned i = 0; i < 3; i++) {
        updates[i] = add(f, &ids, i, 1 + i % 2, 100);
    }
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(rows(f), 3);
    assert_int_equal(store_spool_drop(f->store, ids.run, 1), 2);
    assert_false(is_spooled(f, &updates[0]) || is_spooled(f, &updates[2]));
    check_body(f, &updates[1], 1);

    assert_int_equal(store_begin_whole(f->store), 0);
    updates[3] = add(f, &ids, 3, 1, 16000);
    updates[4] = add(f, &ids, 4, 1, 70000);
    updates[5] = add(f, &ids, 5, 1, 16000);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(rows(f), 3);
    for (unsigned i = 3; i < DEVICES; i++) {
        check_body(f, &updates[i], i);
    }
}

static void test_a_row_ends(void **state)
{
    const struct fixture *f = *state;
    struct ids ids = make(f);
    struct store_update updates[DEVICES];
    assert_int_equal(store_begin_whole(f->store), 0);
    for (unsigned i = 0; i < DEVICES; i++) {
        updates[i] = add(f, &ids, i, 1, 16384);
    }
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(rows(f), 2); /* of 64 KiB at most */
    for (unsigned i = 0; i < DEVICES; i++) {
        check_body(f, &updates[i], i);
    }
}

static void test_no_body(void **state)
{
    const struct fixture *f = *state;
    struct ids ids = make(f);
    assert_int_equal(store_begin_whole(f->store), 0);
    struct store_update update = add(f, &ids, 0, 1, 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(rows(f), 0);
    assert_false(is_spooled(f, &update));
}

/* What is undone takes its bodies along, and no others. */
static void test_undone(void **state)
{
    const struct fixture *f = *state;
    struct ids ids = make(f);
    struct store_update updates[4];
    assert_int_equal(store_begin_whole(f->store), 0);
    updates[0] = add(f, &ids, 0, 1, 100);
    store_rollback(f->store);
    assert_int_equal(store_begin_whole(f->store), 0);
    updates[1] = add(f, &ids, 1, 1, 100);
    assert_int_equal(store_mark(f->store), 0);
    updates[2] = add(f, &ids, 2, 1, 100);
    store_undo(f->store);
    updates[3] = add(f, &ids, 3, 1, 100);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(rows(f), 2);
    assert_false(is_spooled(f, &updates[0]) || is_spooled(f, &updates[2]));
    check_body(f, &updates[1], 1);
    check_body(f, &updates[3], 3);
}

/* Dropped before it was ever written. */
static void test_dropped_at_once(void **state)
{
    const struct fixture *f = *state;
    struct ids ids = make(f);
    assert_int_equal(store_begin_whole(f->store), 0);
    struct store_update first = add(f, &ids, 0, 1, 100);
    assert_int_equal(store_spool_drop(f->store, ids.run, 2), 0);
    assert_int_equal(store_spool_drop(f->store, ids.run, 1), 0);
    struct store_update second = add(f, &ids, 1, 2, 100);
    assert_int_equal(store_spool_drop(f->store, ids.run + 1, 2), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(rows(f), 1);
    assert_false(is_spooled(f, &first));
    check_body(f, &second, 1);

    assert_int_equal(store_begin_whole(f->store), 0);
    first = add(f, &ids, 2, 1, 100); /* of a round before the last */
    assert_int_equal(store_retain(f->store, 1), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(rows(f), 1);
    assert_false(is_spooled(f, &first));
}

/* A row that cannot be written at the end undoes the updates whose bodies were in it. */
static void test_row_is_refused(void **state)
{
    const struct fixture *f = *state;
    struct ids ids = make(f);
    assert_int_equal(fixture_sql(f, "CREATE TRIGGER t BEFORE INSERT ON spool BEGIN"
                                    " SELECT RAISE(ABORT, 'x'); END"),
                     0);
    assert_int_equal(store_begin_whole(f->store), 0);
    (void)add(f, &ids, 0, 1, 100);
    assert_int_equal(store_commit(f->store), MYCEL_E_STATE);
    assert_int_equal(store_begin_whole(f->store), 0);
    (void)add(f, &ids, 0, 1, 100);
    assert_int_equal(store_mark(f->store), MYCEL_E_STATE);
    assert_int_equal(store_commit(f->store), MYCEL_E_STATE);
    assert_int_equal(store_begin_whole(f->store), 0);
    (void)add(f, &ids, 0, 1, 100);
    assert_int_equal(store_retain(f->store, 1), MYCEL_E_STATE);
    assert_int_equal(store_commit(f->store), MYCEL_E_STATE);
    assert_int_equal(store_begin_whole(f->store), 0);
    (void)add(f, &ids, 0, 1, 100);
    struct store_lease lease = fixture_lease(f->store, ids.device[1], ids.run, 1, 1, 0);
    struct store_update update = fixture_update(&lease, 0, 1);
    update.counted_round = 2;
    assert_int_equal(store_update_add(f->store, &update), MYCEL_E_STATE);
    assert_int_equal(store_commit(f->store), MYCEL_E_STATE);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM updates"), 0);
    assert_int_equal(fixture_sql(f, "DROP TRIGGER t"), 0);
    assert_int_equal(store_begin_whole(f->store), 0);
    update = add(f, &ids, 0, 1, 100);
    assert_int_equal(store_commit(f->store), 0);
    check_body(f, &update, 0);
}

static void test_damaged_places(void **state)
{
    static const char *const changes[] = {"body_at = 200", "body_at = 1000", "body_bytes = 1000"};
    const struct fixture *f = *state;
    struct ids ids = make(f);
    uint64_t size = 0;
    assert_int_equal(store_begin_whole(f->store), 0);
    struct store_update update = add(f, &ids, 0, 1, 150);
    (void)add(f, &ids, 1, 1, 150);
    assert_int_equal(store_commit(f->store), 0);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        char sql[96];
        (void)snprintf(sql, sizeof sql,
                       "UPDATE updates SET body_at = 0, body_bytes = 150; UPDATE updates SET %s",
                       changes[i]);
        assert_int_equal(fixture_sql(f, sql), 0);
        assert_int_equal(store_body_size(f->store, update.key, &size), MYCEL_E_CORRUPT);
        assert_int_equal(store_verify(f->store), MYCEL_E_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_one_row_for_many), WITH_STORE(test_what_does_not_share),
        WITH_STORE(test_a_row_ends),       WITH_STORE(test_no_body),
        WITH_STORE(test_undone),           WITH_STORE(test_dropped_at_once),
        WITH_STORE(test_row_is_refused),   WITH_STORE(test_damaged_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
