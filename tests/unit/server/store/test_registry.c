/* Tags, promotion, rollback, lineage and retention. */
#include "fixture.h"

#include <stdio.h>

/* Versions 0…count, each from a round of its own, with different contents. */
static uint32_t make_versions(const struct fixture *f, uint32_t count)
{
    uint32_t run = fixture_run(f->store, "r", 100);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t name[PROTO_SHA256_BYTES];
        fixture_round(f->store, run, i + 1, i);
        struct store_publish publish = fixture_publish(run, i + 1, i, (uint8_t)(i + 1));
        assert_int_equal(store_publish(f->store, &publish, name), 0);
    }
    return run;
}

static int collect_tags(void *user, const struct store_tag *tag)
{
    uint32_t *seen = user;
    seen[0]++;
    seen[seen[0]] = tag->version;
    return 0;
}

static void test_tags(void **state)
{
    struct fixture *f = *state;
    uint32_t run = make_versions(f, 3);
    struct store_tag tag;
    uint32_t seen[8] = {0};
    assert_int_equal(store_tag_set(f->store, run, "Bad", 1, "cli", 5), MYCEL_E_INVALID);
    assert_int_equal(store_tag_set(f->store, run, "good", 9, "cli", 5), MYCEL_E_NOT_FOUND);
    assert_int_equal(store_tag_set(f->store, run, "good", 1, "cli", 5), 0);
    assert_int_equal(store_tag_set(f->store, run, "best", 2, "cli", 5), 0);
    assert_int_equal(store_tag_set(f->store, run, "good", 3, "cli", 6), 0);
    fixture_reopen(f);
    assert_int_equal(store_tag_get(f->store, run, "good", &tag), 0);
    assert_int_equal(tag.version, 3);
    assert_int_equal(tag.set_ms, 6);
    assert_int_equal(store_tags(f->store, run, collect_tags, seen), 0);
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[1], 2);
    assert_int_equal(store_tag_delete(f->store, run, "good", "cli", 7), 0);
    assert_int_equal(store_tag_delete(f->store, run, "good", "cli", 7), MYCEL_E_NOT_FOUND);
    assert_int_equal(store_tag_get(f->store, run, "good", &tag), MYCEL_E_NOT_FOUND);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM audit WHERE subject = 'r/3'"), 2);
    assert_int_equal(store_promote(f->store, run, 2, "cli", 8), 0);
    assert_int_equal(store_tag_get(f->store, run, STORE_TAG_PROMOTED, &tag), 0);
    assert_int_equal(tag.version, 2);
}

static int collect_versions(void *user, const struct store_version *version)
{
    uint32_t *seen = user;
    seen[0]++;
    seen[seen[0]] = version->number;
    return 0;
}

static void test_rollback_and_lineage(void **state)
{
    const struct fixture *f = *state;
    uint32_t run = make_versions(f, 3);
    uint32_t number = 0;
    struct store_version old;
    struct store_version new;
    uint32_t seen[8] = {0};
    assert_int_equal(store_rollback_to(f->store, run, 9, "cli", 50, &number), MYCEL_E_NOT_FOUND);
    assert_int_equal(store_rollback_to(f->store, run, 1, "cli", 50, &number), 0);
    assert_int_equal(number, 4);
    assert_int_equal(store_version_get(f->store, run, 1, &old), 0);
    assert_int_equal(store_version_get(f->store, run, 4, &new), 0);
    assert_memory_equal(old.sha256, new.sha256, sizeof old.sha256);
    assert_memory_equal(old.optimizer_sha256, new.optimizer_sha256, sizeof old.sha256);
    assert_int_equal(new.kind, STORE_VERSION_ROLLBACK);
    assert_int_equal(new.source, 1);
    assert_int_equal(new.parent, 3);
    assert_int_equal(new.round, 0);
    assert_string_equal(store_version_kind_name(new.kind), "rollback");
    assert_int_equal(store_lineage(f->store, run, 4, collect_versions, seen), 0);
    assert_int_equal(seen[0], 5);
    assert_int_equal(seen[1], 4);
    assert_int_equal(seen[5], 0);
    assert_int_equal(store_lineage(f->store, run, 9, collect_versions, seen), MYCEL_E_NOT_FOUND);
    memset(seen, 0, sizeof seen);
    assert_int_equal(store_versions(f->store, run, collect_versions, seen), 0);
    assert_int_equal(seen[0], 5);
    assert_int_equal(seen[1], 0);
}

static bool kept(const struct fixture *f, uint32_t run, uint32_t number)
{
    struct store_version version;
    assert_int_equal(store_version_get(f->store, run, number, &version), 0);
    return version.kept;
}

/* The bodies of a round that nobody will sum: one that another round took the place of, and an abandoned one. */
static void test_bodies_of_given_up_rounds(void **state)
{
    const struct fixture *f = *state;
    uint32_t run = fixture_run(f->store, "r", 1);
    uint32_t device = fixture_device(f->store, 1);
    for (uint32_t round = 1; round <= 3; round++) {
        fixture_round(f->store, run, round, 0);
        struct store_lease lease = fixture_lease(f->store, device, run, round, 1, 0);
        struct store_update update = fixture_update(&lease, 0, (uint8_t)round);
        update.counted_round = round == 3 ? 4 : round; /* carried over into a round to come */
        assert_int_equal(store_update_add(f->store, &update), 0);
    }
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM spool"), 3);
    assert_int_equal(store_retain(f->store, 9), 0);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM spool"), 1);
    assert_int_equal(store_spool_drop(f->store, run, 4), 1);
    struct store_lease lease = fixture_lease(f->store, fixture_device(f->store, 2), run, 3, 2, 0);
    struct store_update update = fixture_update(&lease, 0, 4);
    assert_int_equal(store_update_add(f->store, &update), 0);
    assert_int_equal(store_retain(f->store, 9), 0);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM spool"), 1);
    const struct store_round over = {
        .run = run, .round = 3, .attempt = 2, .state = STORE_ROUND_ABANDONED, .base_version = 0};
    assert_int_equal(store_round_put(f->store, &over), 0);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM spool"), 0);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM updates"), 4);
    assert_int_equal(store_verify(f->store), 0);
}

static void test_retention(void **state)
{
    const struct fixture *f = *state;
    uint32_t run = make_versions(f, 6);
    uint8_t data[MODEL_BYTES];
    size_t bytes = 0;
    struct store_version version;
    uint32_t number = 0;
    assert_int_equal(store_retain(f->store, 0), MYCEL_E_INVALID);
    assert_int_equal(store_tag_set(f->store, run, "good", 2, "cli", 5), 0);
    fixture_round(f->store, run, 7, 4); /* open, starts from version 4 */
    /* Kept: 6 (newest), 4 (in use), 2 (tagged). Dropped: the models of 0, 1, 3, 5 and the optimizer
     * states of 1, 3, 5. */
    assert_int_equal(store_retain(f->store, 1), 7);
    for (uint32_t i = 0; i <= 6; i++) {
        assert_int_equal(kept(f, run, i), i != 0 && i % 2 == 0);
    }
    assert_int_equal(store_retain(f->store, 1), 0);
    assert_int_equal(store_version_get(f->store, run, 3, &version), 0);
    assert_int_equal(version.bytes, MODEL_BYTES);
    assert_int_equal(store_blob_load(f->store, version.sha256, data, sizeof data, &bytes),
                     MYCEL_E_NOT_FOUND);
    assert_int_equal(store_promote(f->store, run, 3, "cli", 5), MYCEL_E_STATE);
    assert_int_equal(store_rollback_to(f->store, run, 3, "cli", 5, &number), MYCEL_E_STATE);
    assert_int_equal(store_verify(f->store), 0);
    /* An abandoned round needs no base. */
    const struct store_round over = {
        .run = run, .round = 7, .attempt = 1, .state = STORE_ROUND_ABANDONED, .base_version = 4};
    assert_int_equal(store_round_put(f->store, &over), 0);
    assert_int_equal(store_retain(f->store, 1), 2);
    assert_false(kept(f, run, 4));
    /* Stored again, it is back. */
    struct store_publish publish = fixture_publish(run, 3, 2, 3);
    uint8_t name[PROTO_SHA256_BYTES];
    assert_int_equal(store_blob_put(f->store, publish.model, publish.model_bytes, name), 0);
    assert_true(kept(f, run, 3));
    assert_int_equal(store_rollback_to(f->store, run, 2, "cli", 5, &number), 0);
    assert_int_equal(number, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_tags),
        WITH_STORE(test_rollback_and_lineage),
        WITH_STORE(test_bodies_of_given_up_rounds),
        WITH_STORE(test_retention),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
