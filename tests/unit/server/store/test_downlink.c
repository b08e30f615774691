/* What devices hold of versions: frames that are put together again, gaps, retention, databases from before. */
#include "fixture.h"

#define FRAME_BYTES 20u

static uint8_t frame[FRAME_BYTES];

/* Versions 1 … count of a new run, key frames where `keys` says so, none where `without` does. */
static uint32_t publish(struct fixture *f, uint32_t count, uint64_t keys, uint64_t without)
{
    uint8_t name[PROTO_SHA256_BYTES];
    uint32_t run = fixture_run(f->store, "r", 1);
    for (uint32_t v = 1; v <= count; v++) {
        fixture_round(f->store, run, v, v - 1u);
        struct store_publish publish = fixture_publish(run, v, v - 1u, (uint8_t)(v + 1u));
        memset(frame, (int)(100u + v), sizeof frame);
        if ((without >> v & 1u) == 0) {
            publish.frame = frame;
            publish.frame_bytes = sizeof frame;
            publish.frame_key = (keys >> v & 1u) != 0;
            memset(publish.held_sha256, (int)v, sizeof publish.held_sha256);
        }
        assert_int_equal(store_publish(f->store, &publish, name), 0);
    }
    return run;
}

static void expect_chain(struct fixture *f, uint32_t run, uint32_t first, uint32_t last)
{
    struct store_downlink rows[STORE_CHAIN_FRAMES_MAX];
    uint8_t data[STORE_CHAIN_FRAMES_MAX * FRAME_BYTES];
    size_t bytes = 0;
    uint32_t frames = last - first + 1u;
    assert_int_equal(store_chain(f->store, run, last, rows), frames);
    assert_int_equal(store_chain_load(f->store, run, last, NULL, 0, &bytes), 0);
    assert_int_equal(bytes, frames * FRAME_BYTES);
    assert_int_equal(store_chain_load(f->store, run, last, data, bytes - 1u, &bytes),
                     MYCEL_E_NO_MEMORY);
    assert_int_equal(store_chain_load(f->store, run, last, data, sizeof data, &bytes), 0);
    for (uint32_t i = 0; i < frames; i++) {
        assert_int_equal(rows[i].version, first + i);
        assert_int_equal(rows[i].key, i == 0);
        assert_int_equal(rows[i].held_sha256[0], first + i);
        assert_int_equal(data[i * FRAME_BYTES], 100u + first + i);
    }
}

static void expect_no_chain(struct fixture *f, uint32_t run, uint32_t version, int code)
{
    struct store_downlink rows[STORE_CHAIN_FRAMES_MAX];
    size_t bytes = 0;
    assert_int_equal(store_chain(f->store, run, version, rows), code);
    assert_int_equal(store_chain_load(f->store, run, version, NULL, 0, &bytes), code);
}

static void test_a_chain_begins_with_its_key_frame(void **state)
{
    struct fixture *f = *state;
    uint32_t run = publish(f, 6, 1u << 1 | 1u << 4, 0);
    expect_no_chain(f, run, 0, MYCEL_E_NOT_FOUND);
    expect_chain(f, run, 1, 1);
    expect_chain(f, run, 1, 3);
    expect_chain(f, run, 4, 4);
    expect_chain(f, run, 4, 6);
    expect_no_chain(f, run, 7, MYCEL_E_NOT_FOUND);
    expect_no_chain(f, run + 1u, 3, MYCEL_E_NOT_FOUND);
}

static void test_a_gap_is_damage(void **state)
{
    struct fixture *f = *state;
    uint32_t run = publish(f, 6, 1u << 1, 1u << 3);
    expect_chain(f, run, 1, 2);
    expect_no_chain(f, run, 3, MYCEL_E_NOT_FOUND); /* sent as it is */
    expect_no_chain(f, run, 4, MYCEL_E_CORRUPT);
    expect_no_chain(f, run, 6, MYCEL_E_CORRUPT);
}

static void test_a_chain_has_an_end(void **state)
{
    struct fixture *f = *state;
    uint32_t run = publish(f, STORE_CHAIN_FRAMES_MAX + 1u, 1u << 1, 0);
    expect_chain(f, run, 1, STORE_CHAIN_FRAMES_MAX);
    expect_no_chain(f, run, STORE_CHAIN_FRAMES_MAX + 1u, MYCEL_E_CORRUPT);
}

static void test_retention_keeps_what_leads_to_the_newest(void **state)
{
    struct fixture *f = *state;
    uint32_t run = publish(f, 40, UINT64_C(1) << 1 | UINT64_C(1) << 20, 0);
    assert_true(store_retain(f->store, 1) > 0);
    expect_chain(f, run, 20, 40);
    expect_no_chain(f, run, 0, MYCEL_E_NOT_FOUND);
    size_t bytes = 0;
    assert_int_equal(store_chain_load(f->store, run, 5, NULL, 0, &bytes), MYCEL_E_NOT_FOUND);
}

/* Schema 6 to 8 kept all frames with each version: those versions are sent whole, and what only they needed goes. */
static void test_from_schema_8(void **state)
{
    struct fixture *f = *state;
    uint32_t run = publish(f, 1, 0, 1u << 1);
    assert_int_equal(
        fixture_sql(f,
                    "DROP TABLE downlinks;"
                    "CREATE TABLE downlinks(run INTEGER, version INTEGER, held_sha256 BLOB,"
                    " chain_sha256 BLOB);"
                    "INSERT INTO blobs(sha256, bytes, data) VALUES(zeroblob(32), 1, zeroblob(1));"
                    "INSERT INTO downlinks SELECT run, number, sha256, zeroblob(32) FROM versions"
                    " WHERE number = 1;"
                    "PRAGMA user_version = 8"),
        0);
    long long blobs = fixture_number(f, "SELECT count(*) FROM blobs");
    fixture_reopen(f);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM blobs"), blobs - 1);
    expect_no_chain(f, run, 1, MYCEL_E_NOT_FOUND);
    struct store_version version;
    assert_int_equal(store_version_get(f->store, run, 1, &version), 0);
    assert_true(version.kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_a_chain_begins_with_its_key_frame),
        WITH_STORE(test_a_gap_is_damage),
        WITH_STORE(test_a_chain_has_an_end),
        WITH_STORE(test_retention_keeps_what_leads_to_the_newest),
        WITH_STORE(test_from_schema_8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
