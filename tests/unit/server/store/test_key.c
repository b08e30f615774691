/* Keys: what is read, what has changed, and every way from one key to the next. */
#include "fixture.h"

#include "proto/enrol.h"

#include <stdio.h>

static const uint8_t first[16] = {1}, second[16] = {2}, half[PROTO_SHARE_BYTES] = {3},
                     other_half[PROTO_SHARE_BYTES] = {4}, share[PROTO_SHARE_BYTES] = {5};

static uint32_t enroll(const struct fixture *f, const char *name)
{
    uint32_t id = 0;
    assert_int_equal(store_device_enroll(f->store, name, "", first, sizeof first, 100, &id), 0);
    return id;
}

static struct store_key key_of(const struct fixture *f, uint32_t device)
{
    struct store_key key;
    assert_int_equal(store_key_get(f->store, device, &key), 0);
    return key;
}

/* Exactly this key, and `next` (NULL: none) beside it. */
static void expect(const struct fixture *f, uint32_t device, const uint8_t *psk,
                   const uint8_t *next)
{
    struct store_key key = key_of(f, device);
    assert_int_equal(key.bytes, 16);
    assert_memory_equal(key.psk, psk, 16);
    assert_int_equal(key.next_bytes, next != NULL ? 16 : 0);
    assert_int_equal(key.rotation.made, next != NULL);
    if (next != NULL) {
        assert_memory_equal(key.next, next, 16);
        assert_true(key.next_generation > key.generation);
    }
}

static long long audits(const struct fixture *f, const char *action)
{
    char sql[96];
    (void)snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM audit WHERE action = '%s'", action);
    return fixture_number(f, sql);
}

static void test_file(void **state)
{
    const struct fixture *f = *state;
    struct store_device device;
    uint32_t id = enroll(f, "a");
    assert_int_equal(key_of(f, id).generation, 1);
    assert_int_equal(store_rotate_file(f->store, "a", second, 16, 1000, 2000), 0);
    expect(f, id, first, second);
    assert_int_equal(store_device_find(f->store, "a", &device), 0);
    assert_int_equal(device.rotation.kind, STORE_ROTATION_FILE);
    assert_int_equal(device.rotation.from_ms, 1000);
    assert_int_equal(device.rotation.ends_ms, 2000);
    assert_int_equal(device.key_since_ms, 100);
    assert_int_equal(store_rotate_finish(f->store, id, 1, 1500), 0); /* came with the present one */
    expect(f, id, first, second);
    assert_int_equal(store_rotate_finish(f->store, id, 2, 1500), 1);
    expect(f, id, second, NULL);
    assert_int_equal(key_of(f, id).generation, 2);
    assert_int_equal(store_rotate_finish(f->store, id, 2, 1600), 0); /* again */
    assert_int_equal(store_device_find(f->store, "a", &device), 0);
    assert_int_equal(device.key_since_ms, 1500);
    assert_int_equal(device.rotation.kind, STORE_ROTATION_NONE);
    assert_int_equal(audits(f, "rotation.start"), 1);
    assert_int_equal(audits(f, "rotation.finish"), 1);
}

static void test_overlap_ends(void **state)
{
    const struct fixture *f = *state;
    uint32_t a = enroll(f, "a"), b = enroll(f, "b"), c = enroll(f, "c");
    uint64_t next_ms = 0;
    assert_int_equal(store_rotate_next_end(f->store, &next_ms), 0);
    assert_true(next_ms == UINT64_MAX);
    assert_int_equal(store_rotate_file(f->store, "a", second, 16, 1000, 2000), 0);
    assert_int_equal(store_rotate_file(f->store, "b", second, 16, 1000, 3000), 0);
    assert_int_equal(store_rotate_air(f->store, "c", share, 1000, 1000), 0);
    assert_int_equal(store_rotate_expire(f->store, 1999), 0);
    assert_int_equal(store_rotate_next_end(f->store, &next_ms), 0);
    assert_int_equal(next_ms, 2000);
    assert_int_equal(store_rotate_expire(f->store, 2000), 1);
    assert_int_equal(store_rotate_next_end(f->store, &next_ms), 0);
    assert_int_equal(next_ms, 3000);
    expect(f, a, second, NULL);
    expect(f, b, first, second);
    assert_int_equal(store_rotate_expire(f->store, 90000), 1);
    assert_int_equal(store_rotate_next_end(f->store, &next_ms), 0);
    assert_true(next_ms == UINT64_MAX);
    expect(f, b, second, NULL);
    expect(f, c, first, NULL); /* over the air: for as long as it takes */
    assert_int_equal(key_of(f, c).rotation.kind, STORE_ROTATION_AIR);
}

static void test_over_the_air(void **state)
{
    const struct fixture *f = *state;
    uint8_t made[16], remade[16], answer[PROTO_SHARE_BYTES];
    uint32_t id = enroll(f, "a");
    enrol_next_key(half, share, made);
    enrol_next_key(other_half, share, remade);
    assert_int_equal(store_rotate_give(f->store, id, half, 1000, answer), MYCEL_E_NOT_FOUND);
    assert_int_equal(store_rotate_air(f->store, "a", share, 1000, 5000), 0);
    assert_int_equal(store_rotate_give(f->store, id, half, 4999, answer), MYCEL_E_NOT_FOUND);
    expect(f, id, first, NULL);
    assert_int_equal(store_rotate_give(f->store, id, half, 5000, answer), 0);
    assert_memory_equal(answer, share, sizeof answer);
    expect(f, id, first, made);
    assert_int_equal(store_rotate_give(f->store, id, half, 5001, answer), 0); /* the same again */
    assert_int_equal(key_of(f, id).next_generation, 2);
    assert_int_equal(audits(f, "rotation.key"), 1);
    assert_int_equal(store_rotate_give(f->store, id, other_half, 5002, answer), 0);
    expect(f, id, first, remade);
    assert_int_equal(key_of(f, id).next_generation, 3);
    assert_int_equal(store_rotate_finish(f->store, id, 2, 5003), 0); /* that one was replaced */
    expect(f, id, first, remade);
    assert_int_equal(store_rotate_finish(f->store, id, 3, 5004), 1);
    expect(f, id, remade, NULL);
    assert_int_equal(store_rotate_give(f->store, id, half, 5005, answer), MYCEL_E_NOT_FOUND);
}

/* Keys have numbers without end, whichever way they come, and one that is offered is never lost. */
static void test_many_generations(void **state)
{
    struct fixture *f = *state;
    uint8_t answer[PROTO_SHARE_BYTES], now[16], next[16];
    uint32_t id = enroll(f, "a");
    memcpy(now, first, sizeof now);
    for (uint32_t i = 1; i <= 40; i++) {
        if (i % 2 == 0) {
            uint8_t ours[PROTO_SHARE_BYTES] = {(uint8_t)i};
            enrol_next_key(half, ours, next);
            assert_int_equal(store_rotate_air(f->store, "a", ours, 1000, 1000), 0);
            assert_int_equal(store_rotate_give(f->store, id, half, 1000, answer), 0);
        } else {
            memset(next, (int)i, sizeof next);
            assert_int_equal(store_rotate_file(f->store, "a", next, 16, 1000, 2000), 0);
        }
        fixture_reopen(f);
        expect(f, id, now, next);
        assert_int_equal(store_rotate_finish(f->store, id, i + 1, 1500), 1);
        expect(f, id, next, NULL);
        assert_int_equal(key_of(f, id).generation, i + 1);
        memcpy(now, next, sizeof now);
    }
    assert_int_equal(store_verify(f->store), 0);
}

/* A number of a key that was withdrawn is not given to another one. */
static void test_abort(void **state)
{
    const struct fixture *f = *state;
    uint32_t id = enroll(f, "a");
    assert_int_equal(store_rotate_abort(f->store, "a", false, 1000), MYCEL_E_STATE);
    assert_int_equal(store_rotate_abort(f->store, "z", false, 1000), MYCEL_E_NOT_FOUND);
    assert_int_equal(store_rotate_file(f->store, "a", second, 16, 1000, 2000), 0);
    assert_int_equal(store_rotate_abort(f->store, "a", false, 1001), 0);
    expect(f, id, first, NULL);
    assert_int_equal(store_rotate_finish(f->store, id, 2, 1002), 0);
    expect(f, id, first, NULL);
    assert_int_equal(store_rotate_file(f->store, "a", second, 16, 1003, 2000), 0);
    assert_int_equal(key_of(f, id).next_generation, 3);
    assert_int_equal(audits(f, "rotation.abort"), 1);
    /* Over the air: once the device may have it, only by force. */
    uint8_t answer[PROTO_SHARE_BYTES];
    assert_int_equal(store_rotate_abort(f->store, "a", false, 1004), 0);
    assert_int_equal(store_rotate_air(f->store, "a", share, 1005, 1005), 0);
    assert_int_equal(store_rotate_abort(f->store, "a", false, 1006), 0);
    assert_int_equal(store_rotate_air(f->store, "a", share, 1007, 1007), 0);
    assert_int_equal(store_rotate_give(f->store, id, half, 1008, answer), 0);
    assert_int_equal(store_rotate_abort(f->store, "a", false, 1009), MYCEL_E_EXISTS);
    assert_int_equal(store_rotate_abort(f->store, "a", true, 1010), 0);
    expect(f, id, first, NULL);
}

static void test_refused(void **state)
{
    const struct fixture *f = *state;
    static const uint8_t token[PROTO_TOKEN_BYTES] = {9};
    struct store_enrolment made;
    char identity[ENROL_IDENTITY_BYTES];
    uint32_t id = 0;
    (void)enroll(f, "a");
    assert_int_equal(store_rotate_file(f->store, "b", second, 16, 1, 2), MYCEL_E_NOT_FOUND);
    assert_int_equal(store_rotate_air(f->store, "b", share, 1, 2), MYCEL_E_NOT_FOUND);
    assert_int_equal(store_rotate_file(f->store, "a", second, 15, 1, 2), MYCEL_E_INVALID);
    assert_int_equal(store_rotate_file(f->store, "a", second, 16, 2, 2), MYCEL_E_INVALID);
    assert_int_equal(store_rotate_file(f->store, "a", first, 16, 1, 2), MYCEL_E_INVALID);
    assert_int_equal(store_rotate_file(f->store, "a", second, 16, 1, 2), 0);
    assert_int_equal(store_rotate_file(f->store, "a", second, 16, 1, 2), MYCEL_E_STATE);
    assert_int_equal(store_rotate_air(f->store, "a", share, 1, 2), MYCEL_E_STATE);
    assert_int_equal(store_device_revoke(f->store, "a", 5), 0);
    assert_int_equal(store_rotate_air(f->store, "a", share, 6, 7), MYCEL_E_STATE);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM keys"), 0);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM rotations"), 0);
    assert_int_equal(store_device_enroll(f->store, "cert", "", NULL, 0, 5, &id), 0);
    assert_int_equal(key_of(f, id).mode, STORE_DEVICE_CERTIFICATE);
    assert_int_equal(key_of(f, id).bytes, 0);
    assert_int_equal(store_rotate_air(f->store, "cert", share, 6, 7), MYCEL_E_STATE);
    assert_int_equal(store_device_enroll(f->store, "d", "", NULL, 16, 5, &id), MYCEL_E_INVALID);
    /* Its first key may still change without a rotation. */
    enrol_identity(token, identity);
    assert_int_equal(store_token_add(f->store, token, share, "t", "", 5, 50), 0);
    assert_int_equal(store_token_use(f->store, identity, token, half, 6, &made), 0);
    assert_int_equal(store_rotate_air(f->store, "t", share, 7, 7), MYCEL_E_STATE);
    assert_int_equal(store_token_use(f->store, identity, token, other_half, 8, &made), 0);
    assert_int_equal(key_of(f, made.device).generation, 2);
    assert_int_equal(store_token_spend(f->store, made.device, 9), 0);
    assert_int_equal(store_rotate_air(f->store, "t", share, 10, 10), 0);
}

/* --- changes ------------------------------------------------------------------------------------- */

static int list_device(void *user, const struct store_key *key)
{
    char *out = user;
    size_t at = strlen(out);
    (void)snprintf(out + at, 64 - at, "%s%s ", key->identity, key->unconfirmed ? "?" : "");
    return 0;
}

static int list_token(void *user, const struct store_token *token)
{
    char *out = user;
    size_t at = strlen(out);
    (void)snprintf(out + at, 64 - at, "%s ", token->name[0] != '\0' ? token->name : "-");
    return 0;
}

static void expect_changes(const struct fixture *f, uint64_t *since, const char *devices,
                           const char *tokens)
{
    char seen[64] = "";
    assert_int_equal(store_keys_changed(f->store, *since, list_device, seen), 0);
    assert_string_equal(seen, devices);
    seen[0] = '\0';
    assert_int_equal(store_tokens_changed(f->store, *since, list_token, seen), 0);
    assert_string_equal(seen, tokens);
    assert_int_equal(store_change_head(f->store, since), 0);
}

static void test_changes(void **state)
{
    const struct fixture *f = *state;
    static const uint8_t token[PROTO_TOKEN_BYTES] = {9};
    char identity[ENROL_IDENTITY_BYTES];
    struct store_enrolment made;
    uint8_t answer[PROTO_SHARE_BYTES];
    uint64_t at = 0;
    expect_changes(f, &at, "", "");
    uint32_t a = enroll(f, "a");
    (void)enroll(f, "b");
    expect_changes(f, &at, "a b ", "");
    expect_changes(f, &at, "", "");
    assert_int_equal(store_device_penalty(f->store, a, 1, 1), 0);
    expect_changes(f, &at, "", "");
    assert_int_equal(store_rotate_air(f->store, "b", share, 1, 1), 0);
    expect_changes(f, &at, "b ", "");
    assert_int_equal(store_rotate_give(f->store, 2, half, 1, answer), 0);
    expect_changes(f, &at, "b ", "");
    assert_int_equal(store_rotate_finish(f->store, 2, 2, 1), 1);
    expect_changes(f, &at, "b ", "");
    assert_int_equal(store_device_revoke(f->store, "a", 9), 0);
    expect_changes(f, &at, "a ", "");
    enrol_identity(token, identity);
    assert_int_equal(store_token_add(f->store, token, share, "t", "", 5, 50), 0);
    expect_changes(f, &at, "", "t ");
    assert_int_equal(store_token_use(f->store, identity, token, half, 6, &made), 0);
    expect_changes(f, &at, "t? ", "t ");
    assert_int_equal(store_token_use(f->store, identity, token, other_half, 6, &made), 0);
    expect_changes(f, &at, "t? ", "");
    assert_int_equal(store_token_spend(f->store, made.device, 9), 0);
    expect_changes(f, &at, "t ", "- ");
}

/* Who has missed more than is remembered is told so, and who has missed exactly as much is not. */
static void test_changes_are_bounded(void **state)
{
    const struct fixture *f = *state;
    char seen[64] = "";
    uint64_t head = 0;
    (void)enroll(f, "a");
    assert_int_equal(fixture_sql(f,
                                 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                                 " WHERE i < 65540) INSERT INTO changes(device) SELECT 1 FROM n"),
                     0);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM changes"), 65536);
    assert_int_equal(store_change_head(f->store, &head), 0);
    assert_int_equal(store_keys_changed(f->store, head - 65537, list_device, seen),
                     MYCEL_E_NOT_FOUND);
    assert_int_equal(store_keys_changed(f->store, head - 65536, list_device, seen), 0);
    assert_string_equal(seen, "a ");
    assert_int_equal(store_keys_changed(f->store, head + 1, list_device, seen), MYCEL_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_file),
        WITH_STORE(test_overlap_ends),
        WITH_STORE(test_many_generations),
        WITH_STORE(test_abort),
        WITH_STORE(test_over_the_air),
        WITH_STORE(test_refused),
        WITH_STORE(test_changes),
        WITH_STORE(test_changes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
