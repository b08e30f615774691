/* The audit chain. It owns what is hashed and in which order; see store_audit.h for the formula. */
#include "server/store/internal.h"

#include "common/crypto/sha256.h"

#include <string.h>

_Static_assert(STORE_AUDIT_HASH_BYTES == SHA256_BYTES, "one hash everywhere");

static void hash_u64(struct sha256 *s, uint64_t value)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(value >> (8u * i));
    }
    sha256_update(s, bytes, sizeof bytes);
}

static void hash_text(struct sha256 *s, const char *text)
{
    size_t bytes = strlen(text);
    hash_u64(s, bytes);
    sha256_update(s, text, bytes);
}

static void chain(const uint8_t before[SHA256_BYTES], const struct store_audit *entry,
                  uint8_t hash[SHA256_BYTES])
{
    struct sha256 s;
    sha256_init(&s);
    sha256_update(&s, before, SHA256_BYTES);
    hash_u64(&s, entry->seq);
    hash_u64(&s, entry->at_ms);
    hash_text(&s, entry->actor);
    hash_text(&s, entry->action);
    hash_text(&s, entry->subject);
    hash_text(&s, entry->detail);
    sha256_final(&s, hash);
}

static bool text_fits(const char *text)
{
    return text != NULL && strnlen(text, STORE_AUDIT_TEXT_MAX + 1) <= STORE_AUDIT_TEXT_MAX;
}

static int append(struct store *store, struct store_audit *entry)
{
    uint8_t before[SHA256_BYTES];
    int code = store_audit_head(store, &entry->seq, before);
    if (code != MYCEL_OK) {
        return code;
    }
    entry->seq++;
    chain(before, entry, entry->hash);
    struct query q;
    query_open(&q, store, SQL_AUDIT_ADD);
    query_u64(&q, entry->seq);
    query_u64(&q, entry->at_ms);
    query_text(&q, entry->actor);
    query_text(&q, entry->action);
    query_text(&q, entry->subject);
    query_text(&q, entry->detail);
    query_bytes(&q, entry->hash, sizeof entry->hash);
    return query_run(&q);
}

int store_audit_add(struct store *store, const struct store_audit *entry)
{
    if (!text_fits(entry->actor) || !text_fits(entry->action) || !text_fits(entry->subject) ||
        !text_fits(entry->detail)) {
        return store_fail(store, MYCEL_E_INVALID,
                          "a text of an audit entry is missing or too long");
    }
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    struct store_audit copy = *entry;
    return scope_end(store, &scope, append(store, &copy));
}

int store_audit_note(struct store *store, uint64_t at_ms, const char *actor, const char *action,
                     const char *subject, const char *detail)
{
    const struct store_audit entry = {
        .at_ms = at_ms, .actor = actor, .action = action, .subject = subject, .detail = detail};
    return store_audit_add(store, &entry);
}

/* The four texts of the row, each NUL-terminated, in this buffer. */
struct texts {
    char actor[STORE_AUDIT_TEXT_MAX + 1];
    char action[STORE_AUDIT_TEXT_MAX + 1];
    char subject[STORE_AUDIT_TEXT_MAX + 1];
    char detail[STORE_AUDIT_TEXT_MAX + 1];
};

static void read_entry(struct query *q, struct texts *texts, struct store_audit *entry)
{
    entry->seq = query_get_u64(q);
    entry->at_ms = query_get_u64(q);
    query_get_text(q, texts->actor, sizeof texts->actor);
    query_get_text(q, texts->action, sizeof texts->action);
    query_get_text(q, texts->subject, sizeof texts->subject);
    query_get_text(q, texts->detail, sizeof texts->detail);
    query_get_bytes(q, entry->hash, sizeof entry->hash);
    entry->actor = texts->actor;
    entry->action = texts->action;
    entry->subject = texts->subject;
    entry->detail = texts->detail;
}

int store_audits(struct store *store, uint64_t first,
                 int (*each)(void *user, const struct store_audit *entry), void *user)
{
    struct query q;
    query_open(&q, store, SQL_AUDIT_LIST);
    query_u64(&q, first);
    int result = MYCEL_OK;
    while (result == MYCEL_OK && query_row(&q) == 1) {
        struct texts texts;
        struct store_audit entry;
        read_entry(&q, &texts, &entry);
        result = q.code != MYCEL_OK ? q.code : each(user, &entry);
    }
    int code = query_close(&q);
    return result != MYCEL_OK ? result : code;
}

int store_audit_head(struct store *store, uint64_t *seq, uint8_t hash[STORE_AUDIT_HASH_BYTES])
{
    struct query q;
    query_open(&q, store, SQL_AUDIT_HEAD);
    *seq = 0;
    memset(hash, 0, STORE_AUDIT_HASH_BYTES);
    if (query_row(&q) == 1) {
        *seq = query_get_u64(&q);
        query_get_bytes(&q, hash, STORE_AUDIT_HASH_BYTES);
    }
    return query_close(&q);
}

struct walk {
    struct store *store;
    uint64_t seq;
    uint8_t hash[SHA256_BYTES];
};

static int check_entry(void *user, const struct store_audit *entry)
{
    struct walk *walk = user;
    uint8_t expected[SHA256_BYTES];
    chain(walk->hash, entry, expected);
    walk->seq++;
    if (entry->seq != walk->seq || memcmp(expected, entry->hash, sizeof expected) != 0) {
        return store_fail(walk->store, MYCEL_E_CORRUPT, "audit entry %llu does not fit the chain",
                          (unsigned long long)walk->seq);
    }
    memcpy(walk->hash, expected, sizeof expected);
    return MYCEL_OK;
}

int store_audit_verify(struct store *store, uint64_t *seq)
{
    struct walk walk = {.store = store};
    int code = store_audits(store, 1, check_entry, &walk);
    *seq = walk.seq;
    return code;
}
