/* Leases, updates, receipts and the spool: one decision per key, one count per device and round. */
#include "fixture.h"

#include <math.h>
#include <stdio.h>

struct ids {
    uint32_t run;
    uint32_t device[4];
};

static struct ids make(const struct fixture *f)
{
    struct ids ids = {.run = fixture_run(f->store, "r", 1)};
    for (unsigned i = 1; i < 4; i++) {
        ids.device[i] = fixture_device(f->store, i);
    }
    fixture_round(f->store, ids.run, 1, 0);
    fixture_round(f->store, ids.run, 2, 0);
    return ids;
}

static int collect_leases(void *user, const struct store_lease *lease)
{
    uint32_t *seen = user;
    seen[0]++;
    seen[seen[0]] = lease->round * 10 + lease->device;
    return 0;
}

static void test_leases(void **state)
{
    struct fixture *f = *state;
    struct ids ids = make(f);
    struct store_lease lease = fixture_lease(f->store, ids.device[1], ids.run, 1, 1, 0);
    struct store_lease found;
    fixture_reopen(f);
    assert_int_equal(store_lease_get(f->store, lease.key, &found), 0);
    assert_int_equal(found.device, lease.device);
    assert_int_equal(found.attempt, 1);
    assert_true(found.seed == lease.seed);
    assert_int_equal(found.deadline_ms, 9000);
    assert_int_equal(found.state, STORE_LEASE_OPEN);
    struct store_version version;
    assert_int_equal(store_version_get(f->store, ids.run, 0, &version), 0);
    assert_memory_equal(found.base_sha256, version.sha256, sizeof version.sha256);

    lease.deadline_ms = 12345;
    lease.state = STORE_LEASE_EXPIRED;
    assert_int_equal(store_lease_put(f->store, &lease), 0);
    assert_int_equal(store_lease_get(f->store, lease.key, &found), 0);
    assert_int_equal(found.deadline_ms, 12345);
    assert_int_equal(found.state, STORE_LEASE_EXPIRED);

    /* The same key for somebody else, another run's round, an unknown device or round. */
    struct store_lease other = lease;
    other.device = ids.device[2];
    assert_int_equal(store_lease_put(f->store, &other), MYCEL_E_CONFLICT);
    other = lease;
    other.round = 2;
    assert_int_equal(store_lease_put(f->store, &other), MYCEL_E_CONFLICT);
    other = lease;
    other.key[15] ^= 1;
    other.device = 99;
    assert_int_equal(store_lease_put(f->store, &other), MYCEL_E_INVALID);
    other.device = ids.device[1];
    other.round = 9;
    assert_int_equal(store_lease_put(f->store, &other), MYCEL_E_INVALID);
    assert_int_equal(store_lease_get(f->store, other.key, &found), MYCEL_E_NOT_FOUND);
}

static void test_undecided_leases(void **state)
{
    const struct fixture *f = *state;
    struct ids ids = make(f);
    struct store_lease used = fixture_lease(f->store, ids.device[1], ids.run, 1, 1, 0);
    (void)fixture_lease(f->store, ids.device[2], ids.run, 1, 1, 0);
    (void)fixture_lease(f->store, ids.device[3], ids.run, 2, 1, 0);
    struct store_update update = fixture_update(&used, 0, 1);
    assert_int_equal(store_update_add(f->store, &update), 0);
    uint32_t seen[8] = {0};
    assert_int_equal(store_leases_undecided(f->store, ids.run, 1, collect_leases, seen), 0);
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[1], 10 + ids.device[2]);
    memset(seen, 0, sizeof seen);
    assert_int_equal(store_leases_undecided(f->store, ids.run, 2, collect_leases, seen), 0);
    assert_int_equal(seen[0], 1);
    assert_int_equal(store_lease_put(f->store, &used), MYCEL_E_CONFLICT);
}

static int copy_update(void *user, const struct store_update *update)
{
    *(struct store_update *)user = *update;
    return 0;
}

static void test_update_comes_back(void **state)
{
    struct fixture *f = *state;
    struct ids ids = make(f);
    struct store_lease lease = fixture_lease(f->store, ids.device[1], ids.run, 1, 1, 0);
    struct store_update update = fixture_update(&lease, 0, 5);
    update.loss_last = NAN;
    update.staleness = 3;
    update.late = true;
    update.counted_round = 2;
    assert_int_equal(store_update_add(f->store, &update), 0);
    fixture_reopen(f);
    struct store_update found;
    assert_int_equal(store_updates(f->store, ids.run, 1, copy_update, &found), 0);
    assert_memory_equal(found.key, update.key, sizeof found.key);
    assert_memory_equal(found.digest, update.digest, sizeof found.digest);
    assert_int_equal(found.device, update.device);
    assert_int_equal(found.attempt, lease.attempt);
    assert_int_equal(found.status, 0);
    assert_true(found.late);
    assert_int_equal(found.counted_round, 2);
    assert_int_equal(found.received_ms, update.received_ms);
    assert_int_equal(found.samples, update.samples);
    assert_int_equal(found.steps, 30);
    assert_int_equal(found.train_ms, 1234);
    assert_true(found.loss_first == 2.25f && isnan(found.loss_last) && found.norm == 0.1f);
    assert_int_equal(found.weight, update.weight);
    assert_int_equal(found.staleness, 3);
    assert_int_equal(found.scale_q16, 65536);
    assert_int_equal(found.body_bytes, BODY_BYTES);

    uint8_t body[BODY_BYTES];
    char receipt[64];
    uint8_t digest[PROTO_SHA256_BYTES];
    uint64_t size = 0;
    size_t bytes = 0;
    assert_int_equal(store_body_size(f->store, update.key, &size), 0);
    assert_int_equal(size, BODY_BYTES);
    assert_int_equal(store_body_load(f->store, update.key, body, sizeof body - 1, &bytes),
                     MYCEL_E_NO_MEMORY);
    assert_int_equal(store_body_load(f->store, update.key, body, sizeof body, &bytes), 0);
    assert_memory_equal(body, update.body, sizeof body);
    assert_int_equal(store_receipt(f->store, update.key, receipt, sizeof receipt, &bytes, digest),
                     0);
    assert_int_equal(bytes, update.receipt_bytes);
    assert_memory_equal(receipt, update.receipt, bytes);
    assert_memory_equal(digest, update.digest, sizeof digest);
    assert_int_equal(store_receipt(f->store, update.key, receipt, 3, &bytes, NULL),
                     MYCEL_E_NO_MEMORY);
    update.key[0] ^= 1;
    assert_int_equal(store_receipt(f->store, update.key, receipt, sizeof receipt, &bytes, NULL),
                     MYCEL_E_NOT_FOUND);
    assert_int_equal(store_body_size(f->store, update.key, &size), MYCEL_E_NOT_FOUND);
}

static void test_one_decision_per_key(void **state)
{
    const struct fixture *f = *state;
    struct ids ids = make(f);
    struct store_lease lease = fixture_lease(f->store, ids.device[1], ids.run, 1, 1, 0);
    struct store_update update = fixture_update(&lease, 0, 5);
    assert_int_equal(store_update_add(f->store, &update), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(store_update_add(f->store, &update), MYCEL_E_EXISTS);
    }
    struct store_update different = fixture_update(&lease, 0, 6);
    assert_int_equal(store_update_add(f->store, &different), MYCEL_E_CONFLICT);
    different = fixture_update(&lease, MYCEL_E_NORM, 6);
    assert_int_equal(store_update_add(f->store, &different), MYCEL_E_CONFLICT);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM updates"), 1);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM spool"), 1);

    /* A new lease of the same round does not count the device again, nor does a late one. */
    struct store_lease second = fixture_lease(f->store, ids.device[1], ids.run, 1, 2, 0);
    different = fixture_update(&second, 0, 7);
    assert_int_equal(store_update_add(f->store, &different), MYCEL_E_CONFLICT);
    different.counted_round = 2;
    assert_int_equal(store_update_add(f->store, &different), MYCEL_E_CONFLICT);
    struct store_lease late = fixture_lease(f->store, ids.device[1], ids.run, 2, 1, 0);
    different = fixture_update(&late, 0, 8);
    different.counted_round = 1;
    assert_int_equal(store_update_add(f->store, &different), MYCEL_E_CONFLICT);
    different.counted_round = 2;
    assert_int_equal(store_update_add(f->store, &different), 0);
    /* A refusal is recorded beside it, without its body. */
    different = fixture_update(&second, MYCEL_E_NORM, 7);
    assert_int_equal(store_update_add(f->store, &different), 0);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM updates"), 3);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM spool"), 2);
}

static void test_lease_must_fit(void **state)
{
    const struct fixture *f = *state;
    struct ids ids = make(f);
    struct store_lease lease = fixture_lease(f->store, ids.device[1], ids.run, 1, 1, 0);
    struct store_update update = fixture_update(&lease, 0, 5);
    update.device = ids.device[2];
    assert_int_equal(store_update_add(f->store, &update), MYCEL_E_LEASE);
    update = fixture_update(&lease, 0, 5);
    update.round = 2;
    assert_int_equal(store_update_add(f->store, &update), MYCEL_E_LEASE);
    update = fixture_update(&lease, 0, 5);
    update.key[3] ^= 1;
    assert_int_equal(store_update_add(f->store, &update), MYCEL_E_LEASE);
    update = fixture_update(&lease, 0, 5);
    update.body_bytes = PROTO_UPDATE_BYTES_MAX + 1ul;
    assert_int_equal(store_update_add(f->store, &update), MYCEL_E_TOO_LARGE);
    update = fixture_update(&lease, 7, 5); /* a positive status is no reason */
    assert_int_equal(store_update_add(f->store, &update), MYCEL_E_INVALID);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM updates"), 0);
    struct store_lease found;
    assert_int_equal(store_lease_get(f->store, lease.key, &found), 0);
    assert_int_equal(found.state, STORE_LEASE_OPEN);
}

static void test_wrong_body_is_found(void **state)
{
    const struct fixture *f = *state;
    struct ids ids = make(f);
    struct store_lease lease = fixture_lease(f->store, ids.device[1], ids.run, 1, 1, 0);
    struct store_update update = fixture_update(&lease, 0, 5);
    uint8_t body[BODY_BYTES];
    size_t bytes = 0;
    assert_int_equal(store_update_add(f->store, &update), 0);
    assert_int_equal(fixture_sql(f, "UPDATE spool SET bodies = zeroblob(300)"), 0);
    assert_int_equal(store_body_load(f->store, update.key, body, sizeof body, &bytes),
                     MYCEL_E_CORRUPT);
}

static int collect_devices(void *user, const struct store_update *update)
{
    uint32_t *seen = user;
    seen[0]++;
    seen[seen[0]] = update->device;
    return 0;
}

static int collect_shares(void *user, const struct store_share *share)
{
    uint32_t *seen = user;
    seen[0]++;
    seen[seen[0]] = share->device * 100 + share->accepted * 10 + share->last_round;
    return 0;
}

/* Device 3 then 1 in round 1, 2 rejected; device 2 then 1 in round 2. */
static struct ids make_two_rounds(const struct fixture *f)
{
    struct ids ids = make(f);
    static const struct {
        unsigned device, round;
        int status;
    } rows[] = {{3, 1, 0}, {2, 1, MYCEL_E_NORM}, {1, 1, 0}, {2, 2, 0}, {1, 2, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct store_lease lease =
            fixture_lease(f->store, ids.device[rows[i].device], ids.run, rows[i].round, 1, 0);
        struct store_update update = fixture_update(&lease, rows[i].status, (uint8_t)i);
        assert_int_equal(store_update_add(f->store, &update), 0);
    }
    return ids;
}

static void test_lists(void **state)
{
    const struct fixture *f = *state;
    struct ids ids = make_two_rounds(f);
    uint32_t seen[8] = {0};
    assert_int_equal(store_updates(f->store, ids.run, 1, collect_devices, seen), 0);
    assert_int_equal(seen[0], 3);
    assert_int_equal(seen[1], ids.device[3]);
    assert_int_equal(seen[2], ids.device[2]);
    memset(seen, 0, sizeof seen);
    assert_int_equal(store_spooled(f->store, ids.run, 1, collect_devices, seen), 0);
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[1], ids.device[1]);
    assert_int_equal(seen[2], ids.device[3]);
    memset(seen, 0, sizeof seen);
    assert_int_equal(store_updates_recent(f->store, ids.run, 2, 2, collect_devices, seen), 0);
    assert_int_equal(seen[0], 4); /* the last two of round 1, in their order, and both of round 2 */
    assert_int_equal(seen[1], ids.device[2]);
    assert_int_equal(seen[2], ids.device[1]);
    assert_int_equal(seen[3], ids.device[2]);
    memset(seen, 0, sizeof seen);
    assert_int_equal(store_updates_refused(f->store, ids.device[2], 9, collect_devices, seen), 0);
    assert_int_equal(seen[0], 1); /* its other update counts */
    assert_int_equal(store_updates_refused(f->store, ids.device[2], 0, collect_devices, seen), 0);
    assert_int_equal(store_updates_refused(f->store, ids.device[1], 9, collect_devices, seen), 0);
    assert_int_equal(seen[0], 1);
    memset(seen, 0, sizeof seen);
    assert_int_equal(store_shares(f->store, ids.run, collect_shares, seen), 0);
    assert_int_equal(seen[0], 3);
    assert_int_equal(seen[1], ids.device[1] * 100 + 22);
    assert_int_equal(seen[2], ids.device[2] * 100 + 12);
    assert_int_equal(seen[3], ids.device[3] * 100 + 11);
    assert_int_equal(store_spool_drop(f->store, ids.run, 1), 2);
    assert_int_equal(store_spool_drop(f->store, ids.run, 1), 0);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM spool"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_leases),
        WITH_STORE(test_undecided_leases),
        WITH_STORE(test_update_comes_back),
        WITH_STORE(test_one_decision_per_key),
        WITH_STORE(test_lease_must_fit),
        WITH_STORE(test_wrong_body_is_found),
        WITH_STORE(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
