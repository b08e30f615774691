/*
 * Transactions. It owns the rule that a call happens wholly or not at all, also when SQLite undoes the
 * whole transaction by itself, which it does for some disk errors: from then on nothing inside the
 * same transaction may be written, or it would be committed on its own.
 */
#include "server/store/spool.h"

static int run(struct store *store, enum statement statement)
{
    struct query q;
    query_open(&q, store, statement);
    return query_run(&q);
}

/* Cleaning up must not replace the words of the error that made it necessary. Even this can fail: the
 * statement may have to be prepared again, for which there may be no memory. */
static bool run_quietly(struct store *store, enum statement statement)
{
    sqlite3_stmt *stmt = store->statements[statement];
    if (stmt == NULL) {
        return false;
    }
    int rc = sqlite3_step(stmt);
    (void)sqlite3_reset(stmt); /* repeats the result of the step */
    return rc == SQLITE_DONE;
}

static bool nothing_open(const struct store *store)
{
    return sqlite3_get_autocommit(store->db) != 0;
}

static int begin(struct store *store, enum statement statement)
{
    if (store->in_transaction) {
        return store_fail(store, MYCEL_E_STATE, "a transaction is open already");
    }
    int code = run(store, statement);
    store->in_transaction = code == MYCEL_OK;
    store->lost = MYCEL_OK;
    store->marks = 0;
    store->whole = false;
    store->spoiled = MYCEL_OK;
    return code;
}

int store_begin(struct store *store)
{
    if (store->read_only) {
        return store_fail(store, MYCEL_E_PERMISSION, "the store was opened for reading only");
    }
    return begin(store, SQL_BEGIN_WRITE);
}

/* The transaction is its own first mark: calls inside make none of their own. */
int store_begin_whole(struct store *store)
{
    int code = store_begin(store);
    store->marks = code == MYCEL_OK ? 1 : 0;
    store->whole = code == MYCEL_OK;
    return code;
}

int store_begin_read(struct store *store)
{
    return begin(store, SQL_BEGIN_READ);
}

/* Notices that SQLite has undone the transaction, because of `code`. */
static void notice_loss(struct store *store, int code)
{
    if (store->in_transaction && store->lost == MYCEL_OK && nothing_open(store)) {
        store->lost = code != MYCEL_OK ? code : MYCEL_E_IO;
    }
}

int store_commit(struct store *store)
{
    if (!store->in_transaction) {
        return store_fail(store, MYCEL_E_STATE, "no transaction is open");
    }
    notice_loss(store, MYCEL_E_IO);
    int code = store->lost != MYCEL_OK ? store->lost : store->spoiled;
    if (code == MYCEL_OK) {
        code = spool_flush(store);
    }
    if (code == MYCEL_OK) {
        code = run(store, SQL_COMMIT);
    }
    store_rollback(store); /* what is left open after a failure */
    return code;
}

/* If it fails, transaction_settle() tries again before anything else is done. */
void store_rollback(struct store *store)
{
    if (!nothing_open(store)) {
        (void)run_quietly(store, SQL_ROLLBACK);
    }
    spool_forget(store);
    store->in_transaction = false;
    store->lost = MYCEL_OK;
}

int transaction_settle(struct store *store)
{
    if (store->in_transaction || nothing_open(store) || run_quietly(store, SQL_ROLLBACK)) {
        return MYCEL_OK;
    }
    return store_fail(store, MYCEL_E_NO_MEMORY, "an earlier transaction cannot be undone yet");
}

int store_intact(struct store *store)
{
    if (!store->in_transaction) {
        return store_fail(store, MYCEL_E_STATE, "no transaction is open");
    }
    notice_loss(store, MYCEL_E_IO);
    return store->lost != MYCEL_OK ? store->lost : store->spoiled;
}

int store_mark(struct store *store)
{
    int code = store_intact(store);
    code = code != MYCEL_OK ? code : spool_flush(store);
    code = code != MYCEL_OK ? code : run(store, SQL_MARK);
    store->marks += code == MYCEL_OK;
    return code;
}

int store_release(struct store *store)
{
    int code = store_intact(store);
    code = code != MYCEL_OK ? code : run(store, SQL_RELEASE);
    store->marks -= code == MYCEL_OK;
    return code;
}

void store_undo(struct store *store)
{
    notice_loss(store, MYCEL_E_IO);
    if (store->lost != MYCEL_OK || nothing_open(store)) {
        return;
    }
    if (!run_quietly(store, SQL_UNDO) || !run_quietly(store, SQL_RELEASE)) {
        /* A part that cannot be undone alone takes the whole with it. */
        store->lost = MYCEL_E_NO_MEMORY;
        return;
    }
    store->marks -= store->marks > 0;
    store->spoiled = MYCEL_OK;
}

int scope_begin(struct store *store, struct scope *scope)
{
    scope->owns = !store->in_transaction;
    scope->marks = !scope->owns && store->marks == 0;
    if (store->read_only) {
        return store_fail(store, MYCEL_E_PERMISSION, "the store was opened for reading only");
    }
    if (scope->owns) {
        return store_begin(store);
    }
    return scope->marks ? store_mark(store) : store_intact(store);
}

int scope_end(struct store *store, struct scope *scope, int result)
{
    int code = result;
    if (code >= 0 && (scope->owns || scope->marks)) {
        int kept = scope->owns ? store_commit(store) : store_release(store);
        code = kept == MYCEL_OK ? code : kept;
    } else if (code < 0) {
        notice_loss(store, code);
        if (scope->owns) {
            store_rollback(store);
        }
    }
    if (code < 0 && scope->marks) {
        store_undo(store);
    } else if (code < 0 && !scope->owns) {
        store->spoiled = code;
    }
    return code;
}

int64_t store_data_version(struct store *store)
{
    struct query q;
    query_open(&q, store, SQL_DATA_VERSION);
    int64_t version = query_row(&q) == 1 ? (int64_t)query_get_u32(&q) : q.code;
    (void)query_close(&q);
    return version;
}

int store_probe(struct store *store)
{
    struct scope scope;
    int code = scope_begin(store, &scope);
    if (code != MYCEL_OK) {
        return code;
    }
    return scope_end(store, &scope, run(store, SQL_PROBE));
}
