/* Rows that a damaged file or a foreign hand has put out of range: refused as CORRUPT, never believed. */
#include "fixture.h"

#include <stdio.h>

static int seen(void *user, const void *row)
{
    (void)row;
    ++*(int *)user;
    return 0;
}

static int see_device(void *user, const struct store_device *row)
{
    return seen(user, row);
}

static int see_run(void *user, const struct store_run *row)
{
    return seen(user, row);
}

static int see_round(void *user, const struct store_round *row)
{
    return seen(user, row);
}

static int see_lease(void *user, const struct store_lease *row)
{
    return seen(user, row);
}

static int see_update(void *user, const struct store_update *row)
{
    return seen(user, row);
}

static int see_version(void *user, const struct store_version *row)
{
    return seen(user, row);
}

static int see_tag(void *user, const struct store_tag *row)
{
    return seen(user, row);
}

static int see_audit(void *user, const struct store_audit *row)
{
    return seen(user, row);
}

static int list_all(const struct fixture *f, int *rows)
{
    int code = store_devices(f->store, see_device, rows);
    code = code != 0 ? code : store_runs(f->store, see_run, rows);
    code = code != 0 ? code : store_rounds(f->store, 1, false, see_round, rows);
    code = code != 0 ? code : store_leases_undecided(f->store, 1, 1, see_lease, rows);
    code = code != 0 ? code : store_updates(f->store, 1, 1, see_update, rows);
    code = code != 0 ? code : store_versions(f->store, 1, see_version, rows);
    code = code != 0 ? code : store_tags(f->store, 1, see_tag, rows);
    return code != 0 ? code : store_audits(f->store, 1, see_audit, rows);
}

/* One row of everything. */
static void fill(const struct fixture *f)
{
    uint32_t run = fixture_run(f->store, "r", 1);
    uint32_t device = fixture_device(f->store, 1);
    fixture_round(f->store, run, 1, 0);
    struct store_lease lease = fixture_lease(f->store, device, run, 1, 1, 0);
    struct store_update update = fixture_update(&lease, 0, 1);
    assert_int_equal(store_update_add(f->store, &update), 0);
    (void)fixture_lease(f->store, device, run, 1, 2, 0);
    assert_int_equal(store_tag_set(f->store, run, "t", 0, "test", 1), 0);
}

static void test_values_out_of_range(void **state)
{
    static const struct {
        const char *table;
        const char *change;
    } cases[] = {
        {"devices", "enrolled_ms = -1"},
        {"devices", "strikes = 4294967296"},
        {"devices", "identity = printf('%.100c', 'x')"},
        {"devices", "class = printf('%.100c', 'x')"},
        {"runs", "goal = -1"},
        {"runs", "model = printf('%.1000c', 'x')"},
        {"runs", "reason = printf('%.1000c', 'x')"},
        {"rounds", "granted = 4294967296"},
        {"rounds", "samples = -5"},
        {"leases", "attempt = -1"},
        {"updates", "digest = x'00'"},
        {"updates", "weight = -1"},
        {"versions", "round = -1"},
        {"versions", "optimizer_sha256 = x''"},
        {"tags", "set_ms = -1"},
        {"audit", "detail = printf('%.1000c', 'x')"},
        {"audit", "hash = zeroblob(31)"},
    };
    const struct fixture *f = *state;
    int rows = 0;
    fill(f);
    assert_int_equal(fixture_sql(f, "DROP TRIGGER audit_not_changed"), 0);
    assert_int_equal(list_all(f, &rows), 0);
    int all = rows;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char sql[256];
        rows = 0;
        (void)snprintf(sql, sizeof sql,
                       "PRAGMA ignore_check_constraints = 1; CREATE TABLE copy AS SELECT * FROM %s;"
                       "UPDATE %s SET %s",
                       cases[i].table, cases[i].table, cases[i].change);
        assert_int_equal(fixture_sql(f, sql), 0);
        int code = list_all(f, &rows);
        if (code != MYCEL_E_CORRUPT || rows >= all) {
            fail_msg("%s: %s gives %d", cases[i].table, cases[i].change, code);
        }
        (void)snprintf(sql, sizeof sql,
                       "DELETE FROM %s; INSERT INTO %s SELECT * FROM copy; DROP TABLE copy",
                       cases[i].table, cases[i].table);
        if (strcmp(cases[i].table, "audit") == 0) {
            assert_int_equal(fixture_sql(f, "DROP TRIGGER IF EXISTS audit_not_deleted"), 0);
        }
        assert_int_equal(fixture_sql(f, sql), 0);
        rows = 0;
        assert_int_equal(list_all(f, &rows), 0);
        assert_int_equal(rows, all);
    }
}

/* References that no constraint watches, or that a foreign hand broke without them. */
static void test_rows_that_do_not_fit(void **state)
{
    const struct fixture *f = *state;
    fill(f);
    (void)fixture_device(f->store, 2);
    assert_int_equal(store_verify(f->store), 0);
    assert_int_equal(fixture_sql(f, "UPDATE updates SET device = 2"), 0);
    assert_int_equal(store_verify(f->store), MYCEL_E_CORRUPT);
    assert_non_null(strstr(store_problem(f->store), "1 updates are not those of their leases"));
    assert_int_equal(fixture_sql(f, "UPDATE updates SET device = 1"), 0);
    assert_int_equal(store_verify(f->store), 0);
    assert_int_equal(fixture_sql(f, "UPDATE updates SET lease = 77"), 0);
    assert_int_equal(store_verify(f->store), MYCEL_E_CORRUPT);
    assert_non_null(strstr(store_problem(f->store), "1 updates are not those of their leases"));
}

static void test_keys_and_receipts(void **state)
{
    const struct fixture *f = *state;
    static const char *const damages[] = {"zeroblob(33)", "zeroblob(15)", "zeroblob(0)"};
    struct store_key key;
    fill(f);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        char sql[128];
        (void)snprintf(sql, sizeof sql,
                       "PRAGMA ignore_check_constraints = 1; UPDATE keys SET psk = %s", damages[i]);
        assert_int_equal(fixture_sql(f, sql), 0);
        assert_int_equal(store_device_key(f->store, "device-1", 8, &key), MYCEL_E_CORRUPT);
        assert_int_equal(key.bytes, 0);
    }
}

/* A caller's number that no column can hold is refused before it is stored as something else. */
static void test_arguments_out_of_range(void **state)
{
    const struct fixture *f = *state;
    uint8_t psk[16] = {0};
    uint32_t id = 0;
    assert_int_equal(store_device_enroll(f->store, "x", "", psk, sizeof psk, UINT64_MAX, &id),
                     MYCEL_E_INVALID);
    struct store_audit entry = {
        .at_ms = 1ull << 63, .actor = "", .action = "", .subject = "", .detail = ""};
    assert_int_equal(store_audit_add(f->store, &entry), MYCEL_E_INVALID);
    uint32_t run = fixture_run(f->store, "r", 1);
    char reason[STORE_REASON_BYTES + 1];
    memset(reason, 'x', sizeof reason);
    assert_int_equal(store_run_set_state(f->store, run, STORE_RUN_STOPPED, reason, "test", 1),
                     MYCEL_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_values_out_of_range),
        WITH_STORE(test_rows_that_do_not_fit),
        WITH_STORE(test_keys_and_receipts),
        WITH_STORE(test_arguments_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
