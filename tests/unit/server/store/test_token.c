/*
 * Enrolment tokens: one token makes one device, again and again until that has used its key, and then
 * never more; nothing that is stored tells the token.
 */
#include "fixture.h"

#define HOUR_MS 3600000u

static const uint8_t token[PROTO_TOKEN_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const uint8_t half[PROTO_SHARE_BYTES] = {7, 7, 7};
static const uint8_t first[PROTO_SHARE_BYTES] = {1};
static const uint8_t second[PROTO_SHARE_BYTES] = {2};

static int use(struct fixture *f, const uint8_t *share, uint64_t now_ms,
               struct store_enrolment *out)
{
    char identity[ENROL_IDENTITY_BYTES];
    enrol_identity(token, identity);
    return store_token_use(f->store, identity, token, share, now_ms, out);
}

static void check_key(struct fixture *f, const char *name, const uint8_t *share)
{
    struct store_key key;
    uint8_t expected[PROTO_PSK_BYTES];
    enrol_device_key(share, half, expected);
    assert_int_equal(store_device_key(f->store, name, strlen(name), &key), 0);
    assert_int_equal(key.bytes, sizeof expected);
    assert_memory_equal(key.psk, expected, sizeof expected);
}

static void add(struct fixture *f, const char *name)
{
    assert_int_equal(store_token_add(f->store, token, half, name, "mcu", 1000, 1000 + HOUR_MS), 0);
}

static void test_use_until_spent(void **state)
{
    struct fixture *f = *state;
    struct store_enrolment got, again;
    struct store_device device;
    add(f, "pump");
    assert_int_equal(use(f, first, 2000, &got), 0);
    assert_string_equal(got.name, "pump");
    assert_memory_equal(got.share, half, sizeof half);
    check_key(f, "pump", first);
    assert_int_equal(use(f, second, 3000, &again), 0); /* the device has lost the first */
    assert_int_equal(again.device, got.device);
    check_key(f, "pump", second);
    assert_int_equal(use(f, second, 4000, &again), 0); /* a repeated request */
    check_key(f, "pump", second);
    assert_int_equal(store_device_find(f->store, "pump", &device), 0);
    assert_string_equal(device.device_class, "mcu");
    assert_int_equal(store_token_spend(f->store, got.device, 5000), 0);
    assert_int_equal(store_token_spend(f->store, got.device, 5001), 0);
    assert_int_equal(use(f, first, 6000, &again), MYCEL_E_NOT_FOUND);
    check_key(f, "pump", second);
    /* create, enrol, rekey, spend: one entry each. */
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM audit"), 4);
    uint64_t seq;
    assert_int_equal(store_audit_verify(f->store, &seq), 0);
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    struct store_enrolment got;
    char identity[ENROL_IDENTITY_BYTES];
    uint8_t other[PROTO_TOKEN_BYTES];
    add(f, "pump");
    enrol_identity(token, identity);
    for (unsigned bit = 0; bit < 8u * PROTO_TOKEN_BYTES; bit++) {
        memcpy(other, token, sizeof other);
        other[bit / 8u] ^= (uint8_t)(1u << bit % 8u);
        assert_int_equal(store_token_use(f->store, identity, other, first, 2000, &got),
                         MYCEL_E_NOT_FOUND);
    }
    assert_int_equal(use(f, first, 1000 + HOUR_MS, &got), MYCEL_E_NOT_FOUND); /* expired */
    assert_int_equal(use(f, first, 999 + HOUR_MS, &got), 0);
    assert_int_equal(store_device_revoke(f->store, "pump", 2000), 0);
    assert_int_equal(use(f, second, 2000, &got), MYCEL_E_NOT_FOUND);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM devices WHERE state = 2"), 1);
    assert_int_equal(store_token_add(f->store, token, half, "pump", "", 1, 2), MYCEL_E_EXISTS);
    assert_int_equal(store_token_add(f->store, token, half, "a b", "", 1, 2), MYCEL_E_INVALID);
    assert_int_equal(store_token_add(f->store, token, half, "enrol:x", "", 1, 2), MYCEL_E_INVALID);
}

static void test_names_are_used_once(void **state)
{
    struct fixture *f = *state;
    struct store_enrolment got;
    uint32_t id;
    static const uint8_t psk[PROTO_PSK_BYTES] = {9};
    static const uint8_t later[PROTO_TOKEN_BYTES] = {99};
    char identity[ENROL_IDENTITY_BYTES];
    /* Another token for the same name takes the place of the first, … */
    add(f, "pump");
    assert_int_equal(store_token_add(f->store, later, half, "pump", "", 1000, 1000 + HOUR_MS), 0);
    assert_int_equal(use(f, first, 2000, &got), MYCEL_E_NOT_FOUND);
    enrol_identity(later, identity);
    assert_int_equal(store_token_use(f->store, identity, later, first, 2000, &got), 0);
    /* … also when that had made a device which never came; … */
    add(f, "pump");
    uint32_t before = got.device;
    assert_int_equal(use(f, second, 3000, &got), 0);
    assert_int_equal(got.device, before);
    check_key(f, "pump", second);
    assert_int_equal(store_token_spend(f->store, before, 4000), 0);
    assert_int_equal(store_token_add(f->store, later, half, "pump", "", 5000, 6000),
                     MYCEL_E_EXISTS);
    /* … and a device that was enrolled by hand meanwhile keeps its key. */
    assert_int_equal(store_token_add(f->store, token, half, "valve", "", 1000, 1000 + HOUR_MS), 0);
    assert_int_equal(store_device_enroll(f->store, "valve", "", psk, sizeof psk, 2000, &id), 0);
    assert_int_equal(use(f, first, 3000, &got), MYCEL_E_NOT_FOUND);
    struct store_key key;
    assert_int_equal(store_device_key(f->store, "valve", 5, &key), 0);
    assert_memory_equal(key.psk, psk, sizeof psk);
}

static int note(void *user, const struct store_token *t)
{
    char identity[ENROL_IDENTITY_BYTES];
    uint8_t psk[PROTO_PSK_BYTES];
    enrol_identity(token, identity);
    enrol_psk(token, psk);
    assert_string_equal(t->identity, identity);
    assert_memory_equal(t->psk, psk, sizeof psk);
    assert_int_equal(t->expires_ms, 1000 + HOUR_MS);
    ++*(int *)user;
    return 0;
}

static void test_list_and_revoke(void **state)
{
    struct fixture *f = *state;
    int count = 0;
    struct store_enrolment got;
    add(f, "pump");
    assert_int_equal(store_tokens(f->store, note, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(store_device_revoke(f->store, "pump", 2000), 0); /* before it was used */
    assert_int_equal(use(f, first, 2000, &got), MYCEL_E_NOT_FOUND);
    assert_int_equal(store_device_revoke(f->store, "pump", 2000), MYCEL_E_NOT_FOUND);
    assert_int_equal(store_tokens(f->store, note, &count), 0);
    assert_int_equal(count, 1);
}

/* The database holds hashes: the token is in none of its bytes. */
static void test_token_is_not_stored(void **state)
{
    struct fixture *f = *state;
    add(f, "pump");
    assert_int_equal(
        fixture_number(f, "SELECT COUNT(*) FROM tokens WHERE"
                          " instr(psk, x'0102030405060708') OR instr(proof, x'0102030405060708') OR"
                          " instr(share, x'0102030405060708') OR"
                          " instr(identity, '0102030405060708')"),
        0);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM tokens"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_use_until_spent),     WITH_STORE(test_refused),
        WITH_STORE(test_names_are_used_once), WITH_STORE(test_list_and_revoke),
        WITH_STORE(test_token_is_not_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
