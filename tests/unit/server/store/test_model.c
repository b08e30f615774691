/* Blobs, versions, and the transaction that ends a round. */
#include "fixture.h"

#include "common/crypto/sha256.h"

#include <math.h>
#include <stdio.h>

static void test_blobs(void **state)
{
    struct fixture *f = *state;
    static uint8_t data[200000];
    static uint8_t back[200000];
    uint8_t name[SHA256_BYTES];
    uint8_t again[SHA256_BYTES];
    uint64_t size = 0;
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * i >> 3);
    }
    assert_int_equal(store_blob_put(f->store, data, 0, name), MYCEL_E_INVALID);
    assert_int_equal(store_blob_put(f->store, data, sizeof data, name), 0);
    sha256(data, sizeof data, again);
    assert_memory_equal(name, again, sizeof name);
    assert_int_equal(store_blob_put(f->store, data, sizeof data, again), 0);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM blobs"), 1);
    fixture_reopen(f);
    assert_int_equal(store_blob_size(f->store, name, &size), 0);
    assert_int_equal(size, sizeof data);
    assert_int_equal(store_blob_load(f->store, name, back, sizeof back - 1, &bytes),
                     MYCEL_E_NO_MEMORY);
    assert_int_equal(bytes, sizeof data);
    assert_int_equal(store_blob_load(f->store, name, back, sizeof back, &bytes), 0);
    assert_memory_equal(back, data, sizeof data);
    name[0] ^= 1;
    assert_int_equal(store_blob_load(f->store, name, back, sizeof back, &bytes), MYCEL_E_NOT_FOUND);
    assert_int_equal(store_blob_size(f->store, name, &size), MYCEL_E_NOT_FOUND);
}

static void test_wrong_content_is_found(void **state)
{
    const struct fixture *f = *state;
    uint8_t data[100] = {1};
    uint8_t name[SHA256_BYTES];
    size_t bytes = 0;
    assert_int_equal(store_blob_put(f->store, data, sizeof data, name), 0);
    assert_int_equal(store_verify(f->store), 0);
    assert_int_equal(fixture_sql(f, "UPDATE blobs SET data = zeroblob(100)"), 0);
    assert_int_equal(store_blob_load(f->store, name, data, sizeof data, &bytes), MYCEL_E_CORRUPT);
    assert_int_equal(store_verify(f->store), MYCEL_E_CORRUPT);
    assert_non_null(strstr(store_problem(f->store), "SHA-256"));
}

static void test_versions(void **state)
{
    struct fixture *f = *state;
    uint32_t run = fixture_run(f->store, "r", 7);
    struct store_version version;
    struct store_run found;
    assert_int_equal(store_version_newest(f->store, run, &version), 0);
    assert_int_equal(version.number, 0);
    assert_false(version.has_parent);
    assert_false(version.has_metrics);
    assert_true(isnan(version.metrics.accuracy));
    assert_int_equal(version.bytes, MODEL_BYTES);
    assert_true(version.kept);
    assert_int_equal(store_version_newest(f->store, 99, &version), MYCEL_E_NOT_FOUND);
    assert_int_equal(store_version_get(f->store, run, 1, &version), MYCEL_E_NOT_FOUND);

    struct store_metrics metrics = {.accuracy = 0.85f, .loss = NAN, .samples = 10000};
    assert_int_equal(store_version_measured(f->store, run, 3, &metrics), MYCEL_E_NOT_FOUND);
    assert_int_equal(store_version_measured(f->store, run, 0, &metrics), 0);
    fixture_reopen(f);
    assert_int_equal(store_version_get(f->store, run, 0, &version), 0);
    assert_true(version.has_metrics);
    assert_true(version.metrics.accuracy == 0.85f);
    assert_true(isnan(version.metrics.loss));
    assert_int_equal(version.metrics.samples, 10000);
    assert_int_equal(store_run_get(f->store, run, &found), 0);
    assert_true(found.has_evaluated && found.has_version);
    assert_int_equal(found.evaluated_version, 0);

    /* A parent must exist and be older; a number is taken once. */
    struct store_version next = version;
    assert_int_equal(store_version_add(f->store, &next), MYCEL_E_EXISTS);
    next.number = 1;
    next.has_parent = true;
    next.parent = 1;
    assert_int_equal(store_version_add(f->store, &next), MYCEL_E_INVALID);
    next.parent = 0;
    next.sha256[0] ^= 1;
    assert_int_equal(store_version_add(f->store, &next), MYCEL_E_INVALID);
}

/* A round with two accepted updates and a rejected one, ready to be published. */
static uint32_t make_round(const struct fixture *f, uint32_t run)
{
    fixture_round(f->store, run, 1, 0);
    for (unsigned i = 1; i <= 3; i++) {
        struct store_lease lease =
            fixture_lease(f->store, fixture_device(f->store, i), run, 1, 1, 0);
        struct store_update update =
            fixture_update(&lease, i == 3 ? MYCEL_E_NONFINITE : 0, (uint8_t)i);
        assert_int_equal(store_update_add(f->store, &update), 0);
    }
    return run;
}

static void test_publish(void **state)
{
    struct fixture *f = *state;
    uint32_t run = make_round(f, fixture_run(f->store, "r", 1));
    struct store_publish publish = fixture_publish(run, 1, 0, 9);
    uint8_t name[SHA256_BYTES];
    uint8_t model[MODEL_BYTES];
    size_t bytes = 0;
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM spool"), 2);
    assert_int_equal(store_publish(f->store, &publish, name), 0);
    fixture_reopen(f);
    struct store_version version;
    struct store_round round;
    assert_int_equal(store_version_newest(f->store, run, &version), 0);
    assert_int_equal(version.number, 1);
    assert_int_equal(version.parent, 0);
    assert_int_equal(version.kind, STORE_VERSION_ROUND);
    assert_memory_equal(version.sha256, name, sizeof name);
    assert_int_equal(store_blob_load(f->store, name, model, sizeof model, &bytes), 0);
    assert_memory_equal(model, publish.model, sizeof model);
    assert_true(version.has_optimizer);
    assert_int_equal(
        store_blob_load(f->store, version.optimizer_sha256, model, sizeof model, &bytes), 0);
    assert_memory_equal(model, publish.optimizer, sizeof model);
    assert_int_equal(store_round_get(f->store, run, 1, &round), 0);
    assert_int_equal(round.state, STORE_ROUND_COMMITTED);
    assert_int_equal(round.version, 1);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM spool"), 0);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM updates"), 3);
    assert_int_equal(store_publish(f->store, &publish, name), MYCEL_E_EXISTS);
}

/* Each way to fail leaves nothing behind: no blob, version, row, and the spool as it was. */
static void expect_unpublished(const struct fixture *f, const struct store_publish *publish,
                               int code)
{
    uint8_t name[SHA256_BYTES];
    assert_int_equal(store_publish(f->store, publish, name), code);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM blobs"), 1);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM versions"), 1);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM rounds WHERE state = 5"), 0);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM spool"), 2);
}

static void test_publish_is_all_or_nothing(void **state)
{
    const struct fixture *f = *state;
    uint32_t run = make_round(f, fixture_run(f->store, "r", 1));
    struct store_publish publish = fixture_publish(run, 1, 0, 9);
    publish.round.run = 2;
    expect_unpublished(f, &publish, MYCEL_E_INVALID);
    publish = fixture_publish(run, 1, 0, 9);
    publish.version.number = 0;
    publish.version.has_parent = false;
    expect_unpublished(f, &publish, MYCEL_E_EXISTS);
    publish = fixture_publish(run, 1, 0, 9);
    publish.model_bytes = 0;
    expect_unpublished(f, &publish, MYCEL_E_INVALID);
    publish = fixture_publish(run, 1, 0, 9);
    publish.optimizer_bytes = STORE_BLOB_BYTES_MAX + 1ul;
    expect_unpublished(f, &publish, MYCEL_E_TOO_LARGE);
    publish = fixture_publish(run, 1, 0, 9);
    publish.round.base_version = 8;
    expect_unpublished(f, &publish, MYCEL_E_INVALID);
    static const char *const triggers[] = {
        "CREATE TRIGGER t BEFORE INSERT ON versions BEGIN SELECT RAISE(FAIL, 'x'); END",
        "CREATE TRIGGER t BEFORE UPDATE ON rounds BEGIN SELECT RAISE(FAIL, 'x'); END",
        "CREATE TRIGGER t BEFORE DELETE ON spool BEGIN SELECT RAISE(FAIL, 'x'); END",
    };
    for (size_t i = 0; i < sizeof triggers / sizeof triggers[0]; i++) {
        assert_int_equal(fixture_sql(f, triggers[i]), 0);
        publish = fixture_publish(run, 1, 0, 9);
        expect_unpublished(f, &publish, MYCEL_E_STATE);
        /* The same inside the caller's transaction, which goes on. */
        assert_int_equal(store_begin(f->store), 0);
        (void)fixture_device(f->store, 100 + (unsigned)i);
        uint8_t name[SHA256_BYTES];
        assert_int_equal(store_publish(f->store, &publish, name), MYCEL_E_STATE);
        assert_int_equal(store_commit(f->store), 0);
        assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM blobs"), 1);
        assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM devices"), 4 + (int)i);
        assert_int_equal(fixture_sql(f, "DROP TRIGGER t"), 0);
    }
    uint8_t name[SHA256_BYTES];
    assert_int_equal(store_publish(f->store, &publish, name), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_blobs),
        WITH_STORE(test_wrong_content_is_found),
        WITH_STORE(test_versions),
        WITH_STORE(test_publish),
        WITH_STORE(test_publish_is_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
