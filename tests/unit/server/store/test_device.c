/* Devices: identities, keys, revocation, conduct. */
#include "fixture.h"

#include <stdio.h>

static void test_identities(void **state)
{
    const struct fixture *f = *state;
    static const char *const bad[] = {"", " ", "a b", "tab\t", "\x7f", "\xc3\xa4", "new\nline"};
    uint8_t psk[PROTO_PSK_BYTES_MAX] = {1};
    uint32_t id = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(store_identity_check(bad[i]), MYCEL_E_INVALID);
        assert_int_equal(store_device_enroll(f->store, bad[i], "", psk, 16, 1, &id),
                         MYCEL_E_INVALID);
    }
    char longest[PROTO_IDENTITY_BYTES_MAX + 2];
    memset(longest, '~', sizeof longest);
    longest[PROTO_IDENTITY_BYTES_MAX + 1] = '\0';
    assert_int_equal(store_identity_check(longest), MYCEL_E_INVALID);
    longest[PROTO_IDENTITY_BYTES_MAX] = '\0';
    assert_int_equal(store_device_enroll(f->store, longest, "", psk, 16, 1, &id), 0);
    assert_int_equal(id, 1);
    assert_int_equal(store_device_enroll(f->store, "k15", "", psk, 15, 1, &id), MYCEL_E_INVALID);
    assert_int_equal(store_device_enroll(f->store, "k33", "", psk, 33, 1, &id), MYCEL_E_INVALID);
    assert_int_equal(store_device_enroll(f->store, "k32", "", psk, 32, 1, &id), 0);
    assert_int_equal(
        store_device_enroll(f->store, "c", "a class name far too long", psk, 16, 1, &id),
        MYCEL_E_INVALID);
    assert_int_equal(store_device_enroll(f->store, "k32", "", psk, 32, 1, &id), MYCEL_E_EXISTS);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM devices"), 2);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM audit"), 2);
}

static void test_key(void **state)
{
    const struct fixture *f = *state;
    uint8_t psk[PROTO_PSK_BYTES_MAX];
    uint32_t id = 0;
    struct store_key key;
    for (size_t i = 0; i < sizeof psk; i++) {
        psk[i] = (uint8_t)(i * 37u);
    }
    assert_int_equal(store_device_enroll(f->store, "alpha", "mcu", psk, 20, 5, &id), 0);
    assert_int_equal(store_device_key(f->store, "alphabet", 5, &key), 0);
    assert_int_equal(key.device, id);
    assert_int_equal(key.bytes, 20);
    assert_memory_equal(key.psk, psk, 20);
    assert_int_equal(key.state, STORE_DEVICE_ACTIVE);
    assert_int_equal(store_device_key(f->store, "alphabet", 8, &key), MYCEL_E_NOT_FOUND);
    assert_int_equal(key.bytes, 0);
    assert_int_equal(store_device_key(f->store, "alpha\0x", 7, &key), MYCEL_E_NOT_FOUND);
    assert_int_equal(store_device_key(f->store, "\xff\xfe", 2, &key), MYCEL_E_NOT_FOUND);
    assert_int_equal(store_device_revoke(f->store, "alpha", 9), 0);
    assert_int_equal(store_device_key(f->store, "alpha", 5, &key), 0);
    assert_int_equal(key.state, STORE_DEVICE_REVOKED);
}

/* The words of an error come from the caller's identity and SQLite; neither may hold the key. */
static void test_key_is_in_no_message(void **state)
{
    const struct fixture *f = *state;
    uint8_t psk[] = "SECRETSECRETSECRET";
    uint32_t id = 0;
    assert_int_equal(store_device_enroll(f->store, "alpha", "", psk, 18, 5, &id), 0);
    assert_int_equal(store_device_enroll(f->store, "alpha", "", psk, 18, 5, &id), MYCEL_E_EXISTS);
    assert_null(strstr(store_problem(f->store), "SECRET"));
    assert_int_equal(fixture_sql(f, "CREATE TRIGGER t BEFORE INSERT ON devices"
                                    " BEGIN SELECT RAISE(FAIL, 'no'); END"),
                     0);
    assert_int_equal(store_device_enroll(f->store, "beta", "", psk, 18, 5, &id), MYCEL_E_STATE);
    assert_null(strstr(store_problem(f->store), "SECRET"));
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM audit WHERE instr(actor || action ||"
                                       " subject || detail, 'SECRET')"),
                     0);
}

static void test_revoke(void **state)
{
    const struct fixture *f = *state;
    uint32_t id = fixture_device(f->store, 1);
    struct store_device device;
    assert_int_equal(store_device_revoke(f->store, "nobody", 5), MYCEL_E_NOT_FOUND);
    assert_int_equal(store_device_revoke(f->store, "", 5), MYCEL_E_NOT_FOUND);
    assert_int_equal(store_device_revoke(f->store, "device-1", 50), 0);
    assert_int_equal(store_device_revoke(f->store, "device-1", 60), 0);
    assert_int_equal(store_device_get(f->store, id, &device), 0);
    assert_int_equal(device.state, STORE_DEVICE_REVOKED);
    assert_int_equal(device.revoked_ms, 50);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM audit WHERE action = 'device.revoke'"),
                     1);
    uint8_t psk[16] = {2};
    assert_int_equal(store_device_enroll(f->store, "device-1", "", psk, 16, 70, &id),
                     MYCEL_E_EXISTS);
}

static int collect(void *user, const struct store_device *device)
{
    uint32_t *ids = user;
    ids[0]++;
    ids[ids[0]] = device->id;
    return ids[0] == 3 ? 42 : 0;
}

static int collect_why(void *user, const struct store_why *why)
{
    uint32_t *seen = user;
    seen[0]++;
    seen[seen[0]] = why->run * 1000 + why->why;
    return 0;
}

static void test_lists_and_conduct(void **state)
{
    const struct fixture *f = *state;
    uint32_t ids[8] = {0};
    for (unsigned i = 1; i <= 5; i++) {
        (void)fixture_device(f->store, i);
    }
    assert_int_equal(store_devices(f->store, collect, ids), 42);
    assert_int_equal(ids[0], 3);
    assert_int_equal(ids[3], 3);

    struct store_device device;
    assert_int_equal(store_device_penalty(f->store, 99, 1, 0), MYCEL_E_NOT_FOUND);
    assert_int_equal(store_device_penalty(f->store, 2, 3, 777), 0);
    assert_int_equal(store_device_find(f->store, "device-2", &device), 0);
    assert_int_equal(device.strikes, 3);
    assert_int_equal(device.quarantine_until_ms, 777);
    assert_string_equal(device.device_class, "linux");
    assert_int_equal(device.enrolled_ms, 1000);
    assert_int_equal(store_device_find(f->store, "device-9", &device), MYCEL_E_NOT_FOUND);

    uint32_t seen[4] = {0};
    assert_int_equal(store_device_why(f->store, 99, 1, 4, 10), MYCEL_E_INVALID);
    assert_int_equal(store_device_why(f->store, 2, 1, 4, 10), 0);
    assert_int_equal(store_device_why(f->store, 2, 0, 1, 30), 0);
    assert_int_equal(store_device_why(f->store, 2, 1, 5, 20), 0);
    assert_int_equal(store_device_whys(f->store, 2, collect_why, seen), 0);
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[1], 1);
    assert_int_equal(seen[2], 1005);
}

static void test_counts(void **state)
{
    const struct fixture *f = *state;
    struct store_device device;
    uint32_t id = fixture_device(f->store, 1);
    uint32_t run = fixture_run(f->store, "r", 1);
    fixture_round(f->store, run, 1, 0);
    assert_int_equal(store_device_get(f->store, id, &device), 0);
    assert_int_equal(device.seen_ms, 0);
    struct store_lease bad = fixture_lease(f->store, id, run, 1, 1, 0);
    struct store_lease good = fixture_lease(f->store, id, run, 1, 2, 0);
    struct store_update update = fixture_update(&bad, MYCEL_E_NORM, 1);
    assert_int_equal(store_update_add(f->store, &update), 0);
    update = fixture_update(&good, 0, 1);
    assert_int_equal(store_update_add(f->store, &update), 0);
    assert_int_equal(store_device_get(f->store, id, &device), 0);
    assert_int_equal(device.accepted, 1);
    assert_int_equal(device.rejected, 1);
    assert_int_equal(device.seen_ms, good.issued_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_identities),           WITH_STORE(test_key),
        WITH_STORE(test_key_is_in_no_message), WITH_STORE(test_revoke),
        WITH_STORE(test_lists_and_conduct),    WITH_STORE(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
