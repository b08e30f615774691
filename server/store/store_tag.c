/* The model registry: names for versions, promotion, rollback, lineage, and which contents are kept.
 * It must never change what a version is: a rollback is a new one. */
#include "server/store/spool.h"

#include <stdio.h>
#include <string.h>

static void read_tag(struct query *q, struct store_tag *tag)
{
    *tag = (struct store_tag){.run = query_get_u32(q)};
    query_get_text(q, tag->name, sizeof tag->name);
    tag->version = query_get_u32(q);
    tag->set_ms = query_get_u64(q);
}

/* "run/3", the subject of an audit entry about a version. */
static int name_version(struct store *store, uint32_t run_id, uint32_t version, char *text,
                        size_t capacity)
{
    struct store_run run;
    int code = store_run_get(store, run_id, &run);
    if (code == MYCEL_OK) {
        (void)snprintf(text, capacity, "%s/%u", run.config.name, version);
    }
    return code;
}

static int set(struct store *store, uint32_t run, const char *name, uint32_t number,
               const char *actor, uint64_t now_ms)
{
    struct store_version version;
    char subject[STORE_NAME_BYTES + 12];
    int code = store_version_get(store, run, number, &version);
    if (code == MYCEL_OK) {
        code = name_version(store, run, number, subject, sizeof subject);
    }
    if (code != MYCEL_OK) {
        return code;
    }
    struct query q;
    query_open(&q, store, SQL_TAG_SET);
    query_u64(&q, run);
    query_text(&q, name);
    query_u64(&q, number);
    query_u64(&q, now_ms);
    code = query_run(&q);
    return code != MYCEL_OK ? code
                            : store_audit_note(store, now_ms, actor, "model.tag", subject, name);
}

int store_tag_set(struct store *store, uint32_t run, const char *name, uint32_t version,
                  const char *actor, uint64_t now_ms)
{
    if (store_name_check(name) != MYCEL_OK) {
        return store_fail(store, MYCEL_E_INVALID,
                          "a tag is 1 to 48 of a-z 0-9 . _ - and starts with a letter or digit");
    }
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    return scope_end(store, &scope, set(store, run, name, version, actor, now_ms));
}

static int remove_tag(struct store *store, uint32_t run, const char *name, const char *actor,
                      uint64_t now_ms)
{
    struct store_tag tag = {.run = run};
    char subject[STORE_NAME_BYTES + 12];
    int code = store_tag_get(store, run, name, &tag);
    if (code == MYCEL_OK) {
        code = name_version(store, run, tag.version, subject, sizeof subject);
    }
    if (code != MYCEL_OK) {
        return code;
    }
    struct query q;
    query_open(&q, store, SQL_TAG_DELETE);
    query_u64(&q, run);
    query_text(&q, name);
    code = query_run(&q);
    return code != MYCEL_OK ? code
                            : store_audit_note(store, now_ms, actor, "model.untag", subject, name);
}

int store_tag_delete(struct store *store, uint32_t run, const char *name, const char *actor,
                     uint64_t now_ms)
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    return scope_end(store, &scope, remove_tag(store, run, name, actor, now_ms));
}

int store_tag_get(struct store *store, uint32_t run, const char *name, struct store_tag *out)
{
    struct query q;
    query_open(&q, store, SQL_TAG_GET);
    query_u64(&q, run);
    query_text(&q, name);
    bool found = query_row(&q) == 1;
    if (found) {
        read_tag(&q, out);
    }
    int code = query_close(&q);
    return code == MYCEL_OK && !found
               ? store_fail(store, MYCEL_E_NOT_FOUND, "run %u has no tag %s", run, name)
               : code;
}

int store_tags(struct store *store, uint32_t run,
               int (*each)(void *user, const struct store_tag *tag), void *user)
{
    struct query q;
    query_open(&q, store, SQL_TAG_LIST);
    query_u64(&q, run);
    int result = MYCEL_OK;
    while (result == MYCEL_OK && query_row(&q) == 1) {
        struct store_tag tag;
        read_tag(&q, &tag);
        result = q.code != MYCEL_OK ? q.code : each(user, &tag);
    }
    int code = query_close(&q);
    return result != MYCEL_OK ? result : code;
}

/* A version whose content can still be had. */
static int get_kept(struct store *store, uint32_t run, uint32_t number, struct store_version *out)
{
    int code = store_version_get(store, run, number, out);
    if (code == MYCEL_OK && !out->kept) {
        code = store_fail(store, MYCEL_E_STATE, "the content of version %u was dropped", number);
    }
    return code;
}

int store_promote(struct store *store, uint32_t run, uint32_t version, const char *actor,
                  uint64_t now_ms)
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    struct store_version found;
    code = get_kept(store, run, version, &found);
    if (code == MYCEL_OK) {
        code = store_tag_set(store, run, STORE_TAG_PROMOTED, version, actor, now_ms);
    }
    return scope_end(store, &scope, code);
}

static int roll_back(struct store *store, uint32_t run, uint32_t old, const char *actor,
                     uint64_t now_ms, uint32_t *number)
{
    struct store_version version;
    struct store_version newest;
    char subject[STORE_NAME_BYTES + 12];
    int code = get_kept(store, run, old, &version);
    if (code == MYCEL_OK) {
        code = store_version_newest(store, run, &newest);
    }
    if (code == MYCEL_OK && newest.number == UINT32_MAX) {
        code = store_fail(store, MYCEL_E_FULL, "run %u has no version number left", run);
    }
    if (code != MYCEL_OK) {
        return code;
    }
    version.number = newest.number + 1;
    version.has_parent = true;
    version.parent = newest.number;
    version.kind = STORE_VERSION_ROLLBACK;
    version.source = old;
    version.round = 0;
    version.created_ms = now_ms;
    *number = version.number;
    code = store_version_add(store, &version);
    if (code == MYCEL_OK) {
        code = name_version(store, run, version.number, subject, sizeof subject);
    }
    char detail[40];
    (void)snprintf(detail, sizeof detail, "content of version %u", old);
    return code != MYCEL_OK
               ? code
               : store_audit_note(store, now_ms, actor, "model.rollback", subject, detail);
}

int store_rollback_to(struct store *store, uint32_t run, uint32_t version, const char *actor,
                      uint64_t now_ms, uint32_t *number)
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    return scope_end(store, &scope, roll_back(store, run, version, actor, now_ms, number));
}

int store_lineage(struct store *store, uint32_t run, uint32_t number,
                  int (*each)(void *user, const struct store_version *version), void *user)
{
    struct store_version version = {.has_parent = true, .parent = number};
    int code = MYCEL_OK;
    for (uint32_t i = 0; i < STORE_LINEAGE_MAX && code == MYCEL_OK && version.has_parent; i++) {
        code = store_version_get(store, run, version.parent, &version);
        if (code == MYCEL_OK) {
            code = each(user, &version);
        }
    }
    return code;
}

static int retain(struct store *store, uint32_t keep)
{
    struct query q;
    query_open(&q, store, SQL_BLOB_RETAIN);
    query_u64(&q, keep);
    int code = query_run(&q);
    if (code != MYCEL_OK) {
        return code;
    }
    int dropped = sqlite3_changes(store->db);
    code = spool_flush(store);
    if (code == MYCEL_OK) {
        query_open(&q, store, SQL_SPOOL_RETAIN);
        code = query_run(&q);
    }
    return code != MYCEL_OK ? code : dropped;
}

int store_retain(struct store *store, uint32_t keep)
{
    if (keep == 0) {
        return store_fail(store, MYCEL_E_INVALID, "at least the newest version must be kept");
    }
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    return scope_end(store, &scope, retain(store, keep));
}
