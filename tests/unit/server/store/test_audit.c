/* The audit chain: appended, never changed, and every tampering found. */
#include "fixture.h"

#include "common/crypto/sha256.h"

#include <stdio.h>

static void add(const struct fixture *f, unsigned number)
{
    char detail[32];
    (void)snprintf(detail, sizeof detail, "entry %u", number);
    const struct store_audit entry = {
        .at_ms = number, .actor = "test", .action = "a", .subject = "s", .detail = detail};
    assert_int_equal(store_audit_add(f->store, &entry), 0);
}

/* The formula of the header, computed here a second time from its words. */
static void test_hash_is_as_documented(void **state)
{
    const struct fixture *f = *state;
    const struct store_audit entry = {
        .at_ms = 0x0102, .actor = "me", .action = "did", .subject = "", .detail = "x"};
    uint8_t message[32 + 8 + 8 + 4 * 8 + 6] = {0};
    uint8_t expected[32];
    uint8_t head[32];
    uint64_t seq = 9;
    size_t at = 32;
    assert_int_equal(store_audit_head(f->store, &seq, head), 0);
    assert_int_equal(seq, 0);
    message[at] = 1;
    message[at + 8] = 0x02;
    message[at + 9] = 0x01;
    at += 16;
    const char *const texts[] = {"me", "did", "", "x"};
    for (size_t i = 0; i < 4; i++) {
        message[at] = (uint8_t)strlen(texts[i]);
        memcpy(message + at + 8, texts[i], strlen(texts[i]));
        at += 8 + strlen(texts[i]);
    }
    assert_int_equal(at, sizeof message);
    sha256(message, sizeof message, expected);
    assert_int_equal(store_audit_add(f->store, &entry), 0);
    assert_int_equal(store_audit_head(f->store, &seq, head), 0);
    assert_int_equal(seq, 1);
    assert_memory_equal(head, expected, sizeof head);
}

static void test_append_only(void **state)
{
    const struct fixture *f = *state;
    uint64_t seq = 0;
    add(f, 1);
    add(f, 2);
    assert_int_not_equal(fixture_sql(f, "UPDATE audit SET detail = 'x'"), 0);
    assert_int_not_equal(fixture_sql(f, "DELETE FROM audit"), 0);
    assert_int_equal(store_audit_verify(f->store, &seq), 0);
    assert_int_equal(seq, 2);
}

static void test_tampering_is_found(void **state)
{
    static const struct {
        const char *sql;
        uint64_t seq;
    } cases[] = {
        {"UPDATE audit SET detail = 'entry 9' WHERE seq = 3", 3},
        {"UPDATE audit SET at_ms = at_ms + 1 WHERE seq = 1", 1},
        {"UPDATE audit SET actor = 'tes', action = 'ta' WHERE seq = 2", 2},
        {"UPDATE audit SET hash = zeroblob(32) WHERE seq = 5", 5},
        {"DELETE FROM audit WHERE seq = 4", 4},
        {"DELETE FROM audit WHERE seq = 1", 1},
        {"UPDATE audit SET seq = 9 WHERE seq = 5", 5},
    };
    const struct fixture *f = *state;
    for (unsigned i = 1; i <= 5; i++) {
        add(f, i);
    }
    assert_int_equal(fixture_sql(f, "DROP TRIGGER audit_not_changed; DROP TRIGGER"
                                    " audit_not_deleted; CREATE TABLE copy AS SELECT * FROM audit"),
                     0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t seq = 0;
        assert_int_equal(fixture_sql(f, cases[i].sql), 0);
        assert_int_equal(store_audit_verify(f->store, &seq), MYCEL_E_CORRUPT);
        assert_int_equal(seq, cases[i].seq);
        assert_int_equal(fixture_sql(f, "DELETE FROM audit; INSERT INTO audit SELECT * FROM copy"),
                         0);
        assert_int_equal(store_audit_verify(f->store, &seq), 0);
    }
}

static int count(void *user, const struct store_audit *entry)
{
    uint64_t *seen = user;
    seen[0]++;
    seen[1] = entry->seq;
    return entry->seq == 4 ? 17 : 0;
}

static void test_texts_and_list(void **state)
{
    const struct fixture *f = *state;
    char text[STORE_AUDIT_TEXT_MAX + 2];
    memset(text, 'x', sizeof text);
    text[STORE_AUDIT_TEXT_MAX + 1] = '\0';
    struct store_audit entry = {.actor = text, .action = "", .subject = "", .detail = ""};
    assert_int_equal(store_audit_add(f->store, &entry), MYCEL_E_INVALID);
    entry.actor = NULL;
    assert_int_equal(store_audit_add(f->store, &entry), MYCEL_E_INVALID);
    entry = (struct store_audit){.actor = "", .action = text, .subject = "", .detail = ""};
    assert_int_equal(store_audit_add(f->store, &entry), MYCEL_E_INVALID);
    entry = (struct store_audit){.actor = "", .action = "", .subject = text, .detail = ""};
    assert_int_equal(store_audit_add(f->store, &entry), MYCEL_E_INVALID);
    entry = (struct store_audit){.actor = "", .action = "", .subject = "", .detail = text};
    assert_int_equal(store_audit_add(f->store, &entry), MYCEL_E_INVALID);
    text[STORE_AUDIT_TEXT_MAX] = '\0';
    entry.actor = text;
    assert_int_equal(store_audit_add(f->store, &entry), 0);
    for (unsigned i = 2; i <= 6; i++) {
        add(f, i);
    }
    uint64_t seen[2] = {0};
    assert_int_equal(store_audits(f->store, 2, count, seen), 17);
    assert_int_equal(seen[0], 3);
    assert_int_equal(seen[1], 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_hash_is_as_documented),
        WITH_STORE(test_append_only),
        WITH_STORE(test_tampering_is_found),
        WITH_STORE(test_texts_and_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
