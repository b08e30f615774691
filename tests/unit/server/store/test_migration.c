/* Migrations: from every earlier schema, with rows in every table, wholly or not at all. */
#include "fixture.h"

#include <unistd.h>

/* A run in words that every schema knows. */
#define OLD_RUN                                                                                    \
    "INSERT INTO runs(id, state, created_ms, name, model, strategy,"                               \
    " device_class, tags, seed, update_bytes_max, params, goal, minimum, epochs,"                  \
    " batch, concurrency, staleness_max, over_permille, weighting, select_ms,"                     \
    " soft_ms, hard_ms, lease_ms, pace_ms, samples_min, samples_max,"                              \
    " battery_min, spacing_rounds, cap, fair_permille, utility_permille, codec,"                   \
    " codecs, steps_max, rounds, patience, staleness_discount, over_learn,"                        \
    " busy_allowed, clip_norm, learning_rate, momentum, prox_mu,"                                  \
    " target_accuracy) VALUES(1, 1, 5, 'old', 'm', 's', '', '', 7, 0, 100, 4, 2,"                  \
    " 1, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,"                 \
    " 0, 0.0, 0.1, 0.0, 0.0, 0.0);"

/* The schema as text, whatever way it came about. */
static void schema_of(const struct fixture *f, long long *hash)
{
    *hash = fixture_number(f, "SELECT COUNT(*) * 1000000 + SUM(length(sql)) FROM sqlite_schema"
                              " WHERE sql IS NOT NULL");
}

static void start_at(struct fixture *f, int schema)
{
    char path[PATH_MAX];
    store_close(f->store);
    f->store = NULL;
    fixture_path(f, STORE_FILE, path);
    assert_int_equal(unlink(path), 0);
    const struct store_options options = {
        .folder = f->folder, .create = true, .schema_max = schema};
    struct store *store = NULL;
    assert_int_equal(store_open(&options, &store, NULL), 0);
    store_close(store);
    assert_int_equal(fixture_number(f, "PRAGMA user_version"), schema);
}

/* Every earlier schema ends where a fresh database begins; devices stay. */
static void test_migration_from_each(void **state)
{
    struct fixture *f = *state;
    long long fresh = 0;
    schema_of(f, &fresh);
    for (int schema = 1; schema < STORE_SCHEMA; schema++) {
        long long migrated = 0;
        start_at(f, schema);
        assert_int_equal(
            fixture_sql(f, schema < 7 ? "INSERT INTO devices(identity, class, psk, state,"
                                        " enrolled_ms) VALUES('old', '', zeroblob(16), 1, 5)"
                                      : "INSERT INTO devices(identity, class, state, enrolled_ms)"
                                        " VALUES('old', '', 1, 5);"
                                        "INSERT INTO keys VALUES(1, 1, 1, 5, zeroblob(16))"),
            0);
        fixture_reopen(f);
        schema_of(f, &migrated);
        assert_true(fresh == migrated);
        assert_int_equal(fixture_number(f, "PRAGMA user_version"), STORE_SCHEMA);
        struct store_device device;
        assert_int_equal(store_device_find(f->store, "old", &device), 0);
        assert_int_equal(device.mode, STORE_DEVICE_PSK);
        struct store_key key;
        assert_int_equal(store_device_key(f->store, "old", 3, &key), 0);
        assert_int_equal(key.bytes, 16);
        assert_int_equal(key.generation, 1);
    }
}

static void test_migration_from_1(void **state)
{
    struct fixture *f = *state;
    long long fresh = 0;
    long long migrated = 0;
    schema_of(f, &fresh);
    uint32_t run = fixture_run(f->store, "r", 1);
    /* Rows as schema 1 had them: taken over from a present database through a dump of the common
     * columns would hide a change, so they are written in its own words. */
    start_at(f, 1);
    assert_int_equal(
        fixture_sql(f, OLD_RUN
                    "INSERT INTO blobs(sha256, bytes, data) VALUES(zeroblob(32), 3, x'010203');"
                    "INSERT INTO versions(run, number, round, created_ms, sha256, parent)"
                    " VALUES(1, 0, 0, 5, zeroblob(32), NULL), (1, 1, 1, 6, zeroblob(32), 0)"),
        0);
    struct store *reader = NULL;
    char problem[STORE_PROBLEM_BYTES];
    const struct store_options read_only = {.folder = f->folder, .read_only = true};
    assert_int_equal(store_open(&read_only, &reader, problem), MYCEL_E_VERSION);
    fixture_reopen(f);
    schema_of(f, &migrated);
    assert_true(fresh == migrated);
    struct store_version version;
    assert_int_equal(store_version_get(f->store, run, 0, &version), 0);
    assert_int_equal(version.kind, STORE_VERSION_INITIAL);
    assert_int_equal(store_version_get(f->store, run, 1, &version), 0);
    assert_int_equal(version.kind, STORE_VERSION_ROUND);
    struct store_run old;
    assert_int_equal(store_run_get(f->store, run, &old), 0);
    assert_int_equal(old.config.goal, 4);
    assert_false(old.config.soft_learn);
    assert_int_equal(old.config.interval_ms, 0);
    assert_int_equal(store_tag_set(f->store, run, "kept", 1, "cli", 5), 0);
}

struct seen {
    uint32_t count;
    struct store_update rows[2];
};

static int see_update(void *user, const struct store_update *update)
{
    struct seen *seen = user;
    assert_true(seen->count < 2);
    seen->rows[seen->count++] = *update;
    return 0;
}

/* Schema 8 joins leases and updates by numbers: whatever was decided stays, under its key, and still counts
 * once. A lease without a decision goes. */
static void test_migration_of_updates(void **state)
{
    struct fixture *f = *state;
    start_at(f, 7);
    assert_int_equal(
        fixture_sql(
            f,
            "INSERT INTO devices(identity, class, state, enrolled_ms)"
            " VALUES('a', '', 1, 5), ('b', '', 1, 5), ('c', '', 1, 5);" OLD_RUN
            "INSERT INTO blobs(sha256, bytes, data) VALUES("
            "x'039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81', 3, x'010203');"
            "INSERT INTO versions(run, number, round, created_ms, sha256, parent)"
            " VALUES(1, 0, 0, 5, "
            "x'039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81', NULL);"
            "INSERT INTO rounds VALUES(1, 1, 1, 2, 0, 3, 1, 1, 7, 5, 0, NULL);"
            "INSERT INTO leases VALUES(x'ff0102030405060708090a0b0c0d0e0f', 1, 1, 1, 2, 0, 0, -1,"
            " 11, 99, 2), (x'aa0102030405060708090a0b0c0d0e0f', 2, 1, 1, 1, 0, 0, 0, 12, 99, 2),"
            " (x'cc0102030405060708090a0b0c0d0e0f', 3, 1, 1, 1, 0, 0, 0, 13, 99, 1);"
            "INSERT INTO updates VALUES(5, x'ff0102030405060708090a0b0c0d0e0f', 1, 1, 1, 0, 0,"
            " 0, 1, zeroblob(32), 21, 7, 1, 1, 0, NULL, 0.5, 1.0, 7, 0, 65536, x'6f6e65'),"
            " (9, x'aa0102030405060708090a0b0c0d0e0f', 2, 1, 1, 0, -3, 0, 0, zeroblob(32), 22,"
            " 7, 1, 1, 0, NULL, 0.5, 1.0, 0, 0, 65536, x'74776f');"
            "INSERT INTO spool VALUES(5, zeroblob(40))"),
        0);
    fixture_reopen(f);
    assert_int_equal(store_verify(f->store), 0);
    struct seen seen = {0};
    const struct store_update *rows = seen.rows;
    assert_int_equal(store_updates(f->store, 1, 1, see_update, &seen), 0);
    assert_int_equal(seen.count, 2);
    assert_true(rows[0].device == 1 && rows[0].attempt == 2 && rows[0].status == 0);
    assert_true(rows[1].device == 2 && rows[1].attempt == 1 && rows[1].status == -3);
    assert_int_equal(rows[0].body_bytes, 40);
    uint8_t key[PROTO_KEY_BYTES] = {0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    char receipt[8] = "";
    size_t bytes = 0;
    uint64_t size = 0;
    assert_int_equal(store_receipt(f->store, key, receipt, sizeof receipt, &bytes, NULL), 0);
    assert_memory_equal(receipt, "one", 3);
    assert_int_equal(store_body_size(f->store, key, &size), 0);
    assert_int_equal(size, 40);
    struct store_lease lease;
    assert_int_equal(store_lease_get(f->store, key, &lease), 0);
    assert_true(lease.state == STORE_LEASE_USED && lease.seed == UINT64_MAX);
    key[0] = 0xcc;
    assert_int_equal(store_lease_get(f->store, key, &lease), MYCEL_E_NOT_FOUND);
    lease = fixture_lease(f->store, 1, 1, 1, 3, 0);
    struct store_update again = fixture_update(&lease, 0, 1);
    assert_int_equal(store_update_add(f->store, &again), MYCEL_E_CONFLICT);
    lease = fixture_lease(f->store, 3, 1, 1, 3, 0);
    again = fixture_update(&lease, 0, 1);
    assert_int_equal(store_update_add(f->store, &again), 0);
    struct store_device device;
    assert_int_equal(store_device_get(f->store, 2, &device), 0);
    assert_true(device.accepted == 0 && device.rejected == 1 && device.seen_ms == 12);
}

/* A migration that fails half-way leaves the earlier schema, and works when tried again. */
static void test_migration_is_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    long long before = 0;
    long long after = 0;
    start_at(f, 1);
    assert_int_equal(fixture_sql(f, "CREATE TABLE tags(in_the_way)"), 0);
    schema_of(f, &before);
    struct store *store = NULL;
    char problem[STORE_PROBLEM_BYTES] = "";
    assert_int_not_equal(fixture_try_open(f, false, &store, problem), 0);
    assert_null(store);
    schema_of(f, &after);
    assert_true(before == after);
    assert_int_equal(fixture_number(f, "PRAGMA user_version"), 1);
    assert_int_equal(fixture_sql(f, "DROP TABLE tags"), 0);
    fixture_reopen(f);
    assert_int_equal(fixture_number(f, "PRAGMA user_version"), STORE_SCHEMA);
}

/* A blob under its name, so that `mycel check` finds it whole. */
#define OLD_BLOB "x'039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81'"
#define OLD_CHAIN "x'709e80c88487a2411e1ee4dfb9f22a861492d20c4765150c0c794abd70f8147c'"

/* One row and more in every table that schema 6 has, in its own words. */
static const char *const everything_6 =
    "PRAGMA foreign_keys = ON;"
    "INSERT INTO devices(identity, class, psk, state, enrolled_ms, revoked_ms)"
    " VALUES('a', '', x'0102030405060708090a0b0c0d0e0f10', 1, 5, 0),"
    " ('gone', 'k', x'1112030405060708090a0b0c0d0e0f10', 2, 5, 6),"
    " ('new', '', x'2122030405060708090a0b0c0d0e0f10"
    "2122030405060708090a0b0c0d0e0f10', 1, 7, 0);"
    "INSERT INTO tokens VALUES('enrol:1', 'new', '', zeroblob(16), zeroblob(32), zeroblob(32), 5,"
    " 99, 3), ('enrol:2', 'nobody', '', zeroblob(16), zeroblob(32), zeroblob(32), 5, 99, NULL);"
    "INSERT INTO whys VALUES(1, 0, 3, 5), (3, 1, 4, 6);" OLD_RUN
    "INSERT INTO blobs(sha256, bytes, data) VALUES(" OLD_BLOB ", 3, x'010203'),"
    " (" OLD_CHAIN ", 3, x'000000');"
    "INSERT INTO versions(run, number, kind, round, created_ms, sha256, parent)"
    " VALUES(1, 0, 1, 0, 5, " OLD_BLOB ", NULL), (1, 1, 2, 1, 6, " OLD_BLOB ", 0);"
    "INSERT INTO downlinks VALUES(1, 1, " OLD_BLOB ", " OLD_CHAIN ");"
    "INSERT INTO tags VALUES(1, 'best', 1, 6);"
    "INSERT INTO rounds VALUES(1, 1, 1, 5, 0, 3, 1, 1, 7, 5, 6, 1), (1, 2, 1, 2, 1, 1, 1, 0, 7, 6,"
    " 0, NULL);"
    "INSERT INTO leases VALUES(x'ff0102030405060708090a0b0c0d0e0f', 1, 1, 2, 1, 1, 0, 9, 11, 99, "
    "2),"
    " (x'ee0102030405060708090a0b0c0d0e0f', 3, 1, 2, 1, 1, 0, 9, 11, 99, 1);"
    "INSERT INTO updates VALUES(5, x'ff0102030405060708090a0b0c0d0e0f', 1, 1, 2, 1, 0, 0, 2,"
    " zeroblob(32), 21, 7, 1, 1, 0, NULL, 0.5, 1.0, 7, 0, 65536, x'6f6e65');"
    "INSERT INTO spool VALUES(5, zeroblob(40));";

static void expect_key(const struct fixture *f, const char *name, size_t bytes, int first_byte)
{
    struct store_key key;
    assert_int_equal(store_device_key(f->store, name, strlen(name), &key), 0);
    assert_int_equal(key.bytes, bytes);
    assert_int_equal(key.psk[0], first_byte);
    assert_int_equal(key.unconfirmed, strcmp(name, "new") == 0);
}

/* From 6 by way of each of 7, 8 and 9: a database in use refers to nothing that is missing, and has no key of
 * those who were revoked. Who may only read says what to do. */
static void test_migration_of_everything(void **state)
{
    struct fixture *f = *state;
    start_at(f, 6);
    assert_int_equal(fixture_sql(f, everything_6), 0);
    for (int schema = 7; schema <= STORE_SCHEMA; schema++) {
        struct store *store = NULL;
        char problem[STORE_PROBLEM_BYTES] = "";
        const struct store_options reading = {.folder = f->folder, .read_only = true};
        const struct store_options next = {.folder = f->folder, .schema_max = schema};
        assert_int_equal(store_open(&reading, &store, problem), MYCEL_E_VERSION);
        assert_non_null(strstr(problem, "must be brought to"));
        assert_int_equal(store_open(&next, &store, problem), 0);
        store_close(store);
        assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM pragma_foreign_key_check"), 0);
        assert_int_equal(fixture_number(f, "SELECT integrity_check = 'ok' FROM"
                                           " pragma_integrity_check"),
                         1);
    }
    fixture_reopen(f);
    assert_int_equal(store_verify(f->store), 0);
    expect_key(f, "a", 16, 0x01);
    expect_key(f, "gone", 0, 0);
    expect_key(f, "new", 32, 0x21);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM tokens"), 2);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM whys"), 2);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM tags"), 1);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM leases"), 1);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM updates"), 1);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM spool WHERE counted_round = 2"), 1);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM blobs"), 1); /* the chain went */
    assert_int_equal(store_spool_drop(f->store, 1, 2), 1);
    assert_int_equal(store_verify(f->store), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_migration_from_1),
        WITH_STORE(test_migration_of_updates),
        WITH_STORE(test_migration_of_everything),
        WITH_STORE(test_migration_from_each),
        WITH_STORE(test_migration_is_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
