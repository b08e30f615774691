/* The roster: what it knows of devices and tokens, how it follows changes, and which keys it gives out. */
#include "server/daemon/roster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 5000u

static struct roster_change device_change(uint32_t id, uint32_t generation)
{
    struct roster_change c = {.there = true};
    c.entry.device = id;
    c.entry.state = STORE_DEVICE_ACTIVE;
    c.entry.mode = STORE_DEVICE_PSK;
    c.entry.generation = generation;
    c.entry.psk_bytes = 16;
    c.entry.psk[0] = (uint8_t)generation;
    (void)snprintf(c.entry.identity, sizeof c.entry.identity, "device-%u", id);
    return c;
}

static void set_next(struct roster_change *c, enum store_rotation_kind kind, uint64_t ends_ms)
{
    c->entry.rotation =
        (struct store_rotation){.kind = kind, .from_ms = 100, .ends_ms = ends_ms, .made = true};
    c->entry.next_generation = c->entry.generation + 1u;
    c->entry.next_bytes = 16;
    c->entry.next[0] = (uint8_t)c->entry.next_generation;
}

static struct roster_change token_change(unsigned number, bool there)
{
    struct roster_change c = {.is_token = true, .there = there};
    (void)snprintf(c.token.identity, sizeof c.token.identity, "enrol:%016u", number);
    c.token.expires_ms = 1000;
    c.token.psk[0] = (uint8_t)number;
    return c;
}

static void put(struct roster *roster, struct roster_change c)
{
    assert_int_equal(roster_put(roster, &c), 0);
}

static void test_many(void **state)
{
    (void)state;
    struct roster *roster = roster_new(7);
    struct roster_key keys[ROSTER_KEYS_MAX];
    char name[32];
    assert_int_equal(roster_head(roster), 7);
    for (uint32_t i = 1; i <= MANY; i++) {
        put(roster, device_change(2u * i, 1));
        put(roster, token_change(i, true));
    }
    const struct roster_entry *first = roster_get(roster, 2);
    for (uint32_t i = 1; i <= MANY; i++) {
        (void)snprintf(name, sizeof name, "device-%u", 2u * i);
        assert_ptr_equal(roster_find(roster, name), roster_get(roster, 2u * i));
        assert_non_null(roster_find(roster, name));
        assert_null(roster_get(roster, 2u * i + 1u));
        (void)snprintf(name, sizeof name, "enrol:%016u", i);
        assert_int_equal(roster_keys(roster, name, 999, keys), 1);
        assert_int_equal(keys[0].psk[0], (uint8_t)i);
        assert_int_equal(keys[0].number, 0);
        assert_int_equal(roster_keys(roster, name, 1000, keys), 0);
    }
    assert_ptr_equal(first, roster_get(roster, 2)); /* entries never move */
    assert_int_equal(roster_count(roster), MANY);
    for (uint32_t i = 1; i <= MANY; i += 2) {
        put(roster, token_change(i, false));
    }
    assert_int_equal(roster_keys(roster, "enrol:0000000000000001", 1, keys), 0);
    assert_int_equal(roster_keys(roster, "enrol:0000000000000002", 1, keys), 1);
    struct roster_change lower = device_change(3, 1); /* an id from before the last one */
    assert_int_equal(roster_put(roster, &lower), MYCEL_E_STATE);
    roster_free(roster);
}

static void expect_keys(const struct roster *roster, uint64_t wall_ms, unsigned count,
                        uint32_t first, uint32_t second)
{
    struct roster_key keys[ROSTER_KEYS_MAX];
    const uint32_t expected[ROSTER_KEYS_MAX] = {first, second};
    assert_int_equal(roster_keys(roster, "device-1", wall_ms, keys), count);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(keys[i].number, expected[i]);
        assert_int_equal(keys[i].psk[0], expected[i]);
        assert_int_equal(keys[i].bytes, 16);
    }
}

static void test_keys(void **state)
{
    (void)state;
    struct roster *roster = roster_new(0);
    struct roster_change c = device_change(1, 4);
    put(roster, c);
    expect_keys(roster, 500, 1, 4, 0);
    set_next(&c, STORE_ROTATION_FILE, 800);
    put(roster, c);
    expect_keys(roster, 0, 2, 4,
                5); /* the clock was set back since: the device may have the file */
    expect_keys(roster, 100, 2, 4, 5);
    expect_keys(roster, 799, 2, 4, 5);
    expect_keys(roster, 800, 1, 5, 0); /* the overlap is over */
    set_next(&c, STORE_ROTATION_AIR, 0);
    put(roster, c);
    expect_keys(roster, UINT64_MAX, 2, 5, 4); /* the likelier one first */
    expect_keys(roster, 0, 2, 5, 4);          /* again: it may have no other */
    c.entry.state = STORE_DEVICE_REVOKED;
    put(roster, c);
    expect_keys(roster, 500, 0, 0, 0);
    roster_free(roster);
}

static void note_access(void *user, const struct roster_entry *before, enum roster_access access)
{
    (void)before;
    *(enum roster_access *)user = access;
}

/* What a device with these keys loses by becoming another one; `now` NULL: by being gone. */
static enum roster_access loss(const struct roster_change *before, const struct roster_change *now)
{
    struct roster *old = roster_new(0), *new = roster_new(0);
    enum roster_access access = ROSTER_SAME;
    put(old, *before);
    if (now) {
        put(new, *now);
    }
    roster_lost(old, new, &(struct roster_losses){note_access, NULL}, &access);
    roster_free(old);
    roster_free(new);
    return access;
}

static void test_losses(void **state)
{
    (void)state;
    struct roster_change one = device_change(1, 1), two = device_change(1, 1),
                         later = device_change(1, 2), revoked = device_change(1, 1);
    set_next(&two, STORE_ROTATION_FILE, 0);
    revoked.entry.state = STORE_DEVICE_REVOKED;
    assert_int_equal(loss(&one, &one), ROSTER_SAME);
    assert_int_equal(loss(&one, &two), ROSTER_SAME);
    assert_int_equal(loss(&two, &later), ROSTER_OTHER_KEYS); /* finished */
    assert_int_equal(loss(&two, &one), ROSTER_OTHER_KEYS);   /* aborted */
    assert_int_equal(loss(&one, &later), ROSTER_OTHER_KEYS);
    assert_int_equal(loss(&one, &revoked), ROSTER_LOST);
    assert_int_equal(loss(&one, NULL), ROSTER_LOST);
    assert_int_equal(loss(&revoked, &one), ROSTER_SAME);
}

/* --- changes ------------------------------------------------------------------------------------- */

struct lost {
    char text[128];
};

static void lost_device(void *user, const struct roster_entry *before, enum roster_access access)
{
    struct lost *lost = user;
    size_t at = strlen(lost->text);
    (void)snprintf(lost->text + at, sizeof lost->text - at, "%s:%u:%u ", before->identity,
                   before->generation, (unsigned)access);
}

static void lost_token(void *user, const char *identity)
{
    struct lost *lost = user;
    size_t at = strlen(lost->text);
    (void)snprintf(lost->text + at, sizeof lost->text - at, "%s ", identity);
}

static const struct roster_losses losses = {lost_device, lost_token};

static void link_changes(struct roster_change *c, unsigned count, struct roster_changes *out)
{
    *out = (struct roster_changes){.head = 9, .ends_ms = UINT64_MAX};
    for (unsigned i = 0; i < count; i++) {
        c[i].next = i + 1u < count ? &c[i + 1u] : NULL;
    }
    out->first = c;
}

static struct roster *three_devices(void)
{
    struct roster *roster = roster_new(0);
    for (uint32_t i = 1; i <= 3; i++) {
        put(roster, device_change(i, 1));
    }
    put(roster, token_change(1, true));
    put(roster, token_change(2, true));
    return roster;
}

/* Change by change and as a whole, the same is lost. */
static void test_apply(void **state)
{
    (void)state;
    struct roster *old = three_devices(), *now = three_devices();
    struct roster_change c[] = {device_change(1, 2), device_change(2, 1), device_change(4, 1),
                                token_change(1, false), token_change(3, true)};
    struct roster_changes changes;
    struct lost lost = {""}, whole = {""};
    c[1].entry.state = STORE_DEVICE_REVOKED;
    link_changes(c, 5, &changes);
    roster_set_confirming(now, 1, true);
    assert_int_equal(roster_apply(now, &changes), 0);
    assert_int_equal(roster_head(now), 9);
    assert_false(roster_get(now, 1)->confirming);
    roster_changes_lost(&changes, now, &losses, &lost);
    assert_string_equal(lost.text, "device-1:1:1 device-2:1:2 enrol:0000000000000001 ");
    roster_lost(old, now, &losses, &whole);
    assert_string_equal(whole.text, lost.text);
    assert_int_equal(roster_count(now), 4);
    roster_free(old);
    roster_free(now);
}

/* What comes after a change that fails is not in place: nobody has lost anything by it, and it is read again. */
static void test_apply_fails(void **state)
{
    (void)state;
    struct roster *now = three_devices();
    struct roster_change c[] = {device_change(1, 2), device_change(0, 1), device_change(2, 2),
                                token_change(1, false), token_change(3, true)};
    struct roster_changes changes;
    struct lost lost = {""};
    link_changes(c, 5, &changes);
    assert_int_equal(roster_apply(now, &changes), MYCEL_E_STATE);
    assert_int_equal(roster_head(now), 0);
    roster_changes_lost(&changes, now, &losses, &lost);
    assert_string_equal(lost.text, "device-1:1:1 ");
    assert_int_equal(roster_get(now, 2)->generation, 1);
    roster_free(now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_losses),      cmocka_unit_test(test_apply),
        cmocka_unit_test(test_apply_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
