/* What the database itself refuses, whoever writes to it: each row here is one that the store's code would
 * never write. */
#include "fixture.h"

#include <sqlite3.h>
#include <stdio.h>

static const uint8_t key[16] = {1}, next[16] = {2}, share[PROTO_SHARE_BYTES] = {3},
                     token[PROTO_TOKEN_BYTES] = {4};

/* Two devices with two open leases each, of which the first has an update that counts; a rotation; a token. */
static void fill(const struct fixture *f)
{
    uint32_t run = fixture_run(f->store, "r", 1), device[2];
    static const char *const names[] = {"a", "b"};
    fixture_round(f->store, run, 1, 0);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(
            store_device_enroll(f->store, names[i], "", key, sizeof key, 5, &device[i]), 0);
        struct store_lease lease = fixture_lease(f->store, device[i], run, 1, 1, 0);
        struct store_update update = fixture_update(&lease, 0, 1);
        assert_int_equal(store_update_add(f->store, &update), 0);
        (void)fixture_lease(f->store, device[i], run, 1, 2, 0);
    }
    assert_int_equal(store_rotate_file(f->store, "a", next, sizeof next, 10, 20), 0);
    assert_int_equal(store_token_add(f->store, token, share, "t", "", 5, 50), 0);
}

/* An update like the one there is, but for some columns. */
#define UPDATE_LIKE(lease, device, round, status, counted, digest)                                 \
    "INSERT INTO updates SELECT NULL, " lease ", " device ", run, " round ", " status              \
    ", late, " counted ", " digest                                                                 \
    ", received_ms, samples, steps, train_ms, codec, loss_first, loss_last,"                       \
    " norm, weight, staleness, scale_q16, receipt, NULL, 0, 0 FROM updates WHERE id = 1"

#define LEASE_LIKE(key, device, round, base, state)                                                \
    "INSERT INTO leases SELECT NULL, " key ", " device ", run, " round ", attempt, " base          \
    ", codec, seed, issued_ms, deadline_ms, " state " FROM leases WHERE id = 1"

static const char *const refused[] = {
    /* one device of a name, one key of a device, with a number that was given */
    "INSERT INTO devices(identity, class, state, enrolled_ms) VALUES('a', '', 1, 5)",
    "INSERT INTO devices(identity, class, state, enrolled_ms, mode) VALUES('z', '', 1, 5, 3)",
    "INSERT INTO keys SELECT * FROM keys",
    "INSERT INTO keys VALUES(77, 1, 1, 5, zeroblob(16))",
    "UPDATE keys SET psk = zeroblob(15)",
    "UPDATE keys SET psk = zeroblob(33)",
    "UPDATE keys SET psk = NULL",
    "UPDATE keys SET generation = last + 1",
    "UPDATE keys SET generation = 0",
    "UPDATE keys SET last = 4294967296",
    "DELETE FROM keys WHERE device = 1 /* has a rotation */",
    "DELETE FROM devices",
    /* rotations */
    "INSERT INTO rotations SELECT * FROM rotations",
    "INSERT INTO rotations(device, from_ms) VALUES(77, 5)",
    "UPDATE rotations SET psk = NULL",
    "UPDATE rotations SET generation = NULL",
    "UPDATE rotations SET generation = 1",
    "UPDATE rotations SET ends_ms = from_ms - 1",
    "UPDATE rotations SET share = zeroblob(31)",
    /* tokens */
    "INSERT INTO tokens SELECT 'enrol:z', name, class, psk, proof, share, 5, 6, NULL FROM tokens",
    "INSERT INTO tokens SELECT identity, 'z', class, psk, proof, share, 5, 6, NULL FROM tokens",
    "UPDATE tokens SET device = 77",
    /* leases: a key once, and only of what there is */
    LEASE_LIKE("key", "1", "1", "0", "1"),
    LEASE_LIKE("zeroblob(15)", "1", "1", "0", "1"),
    LEASE_LIKE("zeroblob(16)", "77", "1", "0", "1"),
    LEASE_LIKE("zeroblob(16)", "1", "77", "0", "1"),
    LEASE_LIKE("zeroblob(16)", "1", "1", "77", "1"),
    LEASE_LIKE("zeroblob(16)", "1", "1", "0", "2"),
    /* updates: a lease once, and what counts once for each device and round */
    UPDATE_LIKE("1", "2", "7", "-3", "0", "digest"),
    UPDATE_LIKE("2", "1", "1", "0", "0", "digest"),
    UPDATE_LIKE("2", "1", "7", "0", "1", "digest"),
    UPDATE_LIKE("2", "1", "7", "-3", "1", "digest"),
    UPDATE_LIKE("2", "1", "7", "1", "0", "digest"),
    UPDATE_LIKE("NULL", "1", "7", "-3", "0", "digest"),
    UPDATE_LIKE("2", "1", "7", "-3", "0", "zeroblob(31)"),
    /* versions, rounds, contents and frames */
    "INSERT INTO versions SELECT * FROM versions",
    "INSERT INTO rounds SELECT * FROM rounds",
    "INSERT INTO blobs(sha256, bytes, data) SELECT sha256, bytes, data FROM blobs",
    "DELETE FROM versions",
    "DELETE FROM rounds",
    "DELETE FROM blobs",
    "INSERT INTO downlinks VALUES(1, 0, 1, zeroblob(32), zeroblob(32))",
    "INSERT INTO downlinks SELECT 1, 77, 1, sha256, sha256 FROM blobs LIMIT 1",
    "INSERT INTO downlinks SELECT 1, 0, 2, sha256, sha256 FROM blobs LIMIT 1",
    "INSERT INTO spool SELECT * FROM spool",
};

/* These are like some of those, and allowed: the others are refused for what is wrong with them. */
static const char *const taken[] = {
    LEASE_LIKE("zeroblob(16)", "1", "1", "0", "1"),
    UPDATE_LIKE("2", "1", "1", "-3", "0", "digest"),
    UPDATE_LIKE("4", "1", "7", "0", "7", "digest"),
    "INSERT INTO downlinks SELECT 1, 0, 1, sha256, sha256 FROM blobs LIMIT 1",
    "UPDATE keys SET psk = zeroblob(32), last = 4294967295",
};

static int run(const struct fixture *f, const char *sql)
{
    char text[640];
    int length = snprintf(text, sizeof text, "PRAGMA foreign_keys = ON; %s", sql);
    assert_true(length > 0 && (size_t)length < sizeof text);
    return fixture_sql(f, text);
}

static void test_what_the_database_refuses(void **state)
{
    const struct fixture *f = *state;
    fill(f);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (run(f, refused[i]) != SQLITE_CONSTRAINT) {
            fail_msg("taken: %s", refused[i]);
        }
    }
    assert_int_equal(store_verify(f->store), 0);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        if (run(f, taken[i]) != SQLITE_OK) {
            fail_msg("refused: %s", taken[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_STORE(test_what_the_database_refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
