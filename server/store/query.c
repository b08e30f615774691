/* Prepared statements, binding and reading, and what SQLite's result codes mean here. It owns the
 * statement cache and must know no table. */
#include "server/store/internal.h"

#include "common/assert.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const statement_text[SQL_COUNT] = {
#define STATEMENT_TEXT(name, sql) [SQL_##name] = sql,
    STORE_STATEMENTS(STATEMENT_TEXT)
#undef STATEMENT_TEXT
};

static int constraint_code(int rc)
{
    switch (rc) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return MYCEL_E_EXISTS;
    case SQLITE_CONSTRAINT_TRIGGER:
        return MYCEL_E_STATE;
    default: /* CHECK, NOT NULL, foreign key, type */
        return MYCEL_E_INVALID;
    }
}

int store_code(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return MYCEL_OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return MYCEL_E_BUSY;
    case SQLITE_FULL:
        return MYCEL_E_DISK_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return MYCEL_E_CORRUPT;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return MYCEL_E_PERMISSION;
    case SQLITE_NOMEM:
        return MYCEL_E_NO_MEMORY;
    case SQLITE_TOOBIG:
        return MYCEL_E_TOO_LARGE;
    case SQLITE_CONSTRAINT:
        return constraint_code(rc);
    case SQLITE_IOERR:
        return rc == SQLITE_IOERR_NOMEM ? MYCEL_E_NO_MEMORY : MYCEL_E_IO;
    default:
        return MYCEL_E_IO;
    }
}

int store_fail(struct store *store, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(store->problem, sizeof store->problem, format, arguments);
    va_end(arguments);
    return code;
}

int store_fail_sqlite(struct store *store, int rc)
{
    return store_fail(store, store_code(rc), "database: %s (%d)", sqlite3_errmsg(store->db),
                      sqlite3_extended_errcode(store->db));
}

int store_exec(struct store *store, const char *sql)
{
    int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? MYCEL_OK : store_fail_sqlite(store, rc);
}

int store_exec_int(struct store *store, const char *sql, int64_t *value)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    int code = MYCEL_OK;
    if (rc == SQLITE_ROW) {
        *value = sqlite3_column_int64(stmt, 0);
    } else {
        code = store_fail_sqlite(store, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc);
    }
    sqlite3_finalize(stmt);
    return code;
}

/* Remembers the first error only: later ones follow from it. */
static void latch(struct query *q, int rc)
{
    if (rc != SQLITE_OK && q->code == MYCEL_OK) {
        q->code = store_fail_sqlite(q->store, rc);
    }
}

static void damaged(struct query *q)
{
    if (q->code == MYCEL_OK) {
        q->code = store_fail(q->store, MYCEL_E_CORRUPT, "a stored value is out of its range");
    }
}

void query_open(struct query *q, struct store *store, enum statement statement)
{
    *q = (struct query){.store = store, .code = transaction_settle(store)};
    sqlite3_stmt **slot = &store->statements[statement];
    if (*slot == NULL && q->code == MYCEL_OK) {
        latch(q, sqlite3_prepare_v3(store->db, statement_text[statement], -1,
                                    SQLITE_PREPARE_PERSISTENT, slot, NULL));
    }
    /* A statement in use means that a list's callback started the same list: a bug of the caller. */
    MYCEL_ASSERT(*slot == NULL || !sqlite3_stmt_busy(*slot));
    q->stmt = *slot;
}

void query_u64(struct query *q, uint64_t value)
{
    if (value > INT64_MAX && q->code == MYCEL_OK) {
        q->code = store_fail(q->store, MYCEL_E_INVALID, "a number is out of range");
    }
    query_bits(q, value);
}

void query_bits(struct query *q, uint64_t value)
{
    int64_t number;
    memcpy(&number, &value, sizeof number);
    if (q->code == MYCEL_OK) {
        latch(q, sqlite3_bind_int64(q->stmt, ++q->parameter, number));
    }
}

void query_i32(struct query *q, int32_t value)
{
    if (q->code == MYCEL_OK) {
        latch(q, sqlite3_bind_int64(q->stmt, ++q->parameter, value));
    }
}

void query_real(struct query *q, float value)
{
    if (!isfinite(value)) {
        query_null(q);
    } else if (q->code == MYCEL_OK) {
        latch(q, sqlite3_bind_double(q->stmt, ++q->parameter, (double)value));
    }
}

void query_text(struct query *q, const char *text)
{
    query_chars(q, text, strlen(text));
}

void query_chars(struct query *q, const char *text, size_t bytes)
{
    if (q->code == MYCEL_OK) {
        latch(q, sqlite3_bind_text64(q->stmt, ++q->parameter, text, bytes, SQLITE_STATIC,
                                     SQLITE_UTF8));
    }
}

void query_bytes(struct query *q, const void *data, size_t bytes)
{
    if (q->code == MYCEL_OK) {
        latch(q, sqlite3_bind_blob64(q->stmt, ++q->parameter, data, bytes, SQLITE_STATIC));
    }
}

void query_null(struct query *q)
{
    if (q->code == MYCEL_OK) {
        latch(q, sqlite3_bind_null(q->stmt, ++q->parameter));
    }
}

int query_row(struct query *q)
{
    if (q->code != MYCEL_OK) {
        return q->code;
    }
    q->column = 0;
    int rc = sqlite3_step(q->stmt);
    if (rc == SQLITE_ROW) {
        return 1;
    }
    latch(q, rc == SQLITE_DONE ? SQLITE_OK : rc);
    return q->code;
}

uint64_t query_get_u64(struct query *q)
{
    int64_t value = sqlite3_column_int64(q->stmt, q->column++);
    if (value < 0) {
        damaged(q);
        return 0;
    }
    return (uint64_t)value;
}

uint32_t query_get_u32(struct query *q)
{
    uint64_t value = query_get_u64(q);
    if (value > UINT32_MAX) {
        damaged(q);
        return 0;
    }
    return (uint32_t)value;
}

int32_t query_get_i32(struct query *q)
{
    return sqlite3_column_int(q->stmt, q->column++);
}

uint64_t query_get_bits(struct query *q)
{
    return (uint64_t)sqlite3_column_int64(q->stmt, q->column++);
}

float query_get_real(struct query *q)
{
    int column = q->column++;
    if (sqlite3_column_type(q->stmt, column) == SQLITE_NULL) {
        return NAN;
    }
    return (float)sqlite3_column_double(q->stmt, column);
}

bool query_get_has(struct query *q)
{
    return sqlite3_column_type(q->stmt, q->column) != SQLITE_NULL;
}

void query_get_text(struct query *q, char *text, size_t capacity)
{
    int column = q->column++;
    const void *stored = sqlite3_column_text(q->stmt, column);
    size_t bytes = (size_t)sqlite3_column_bytes(q->stmt, column);
    if (bytes >= capacity || (stored == NULL && bytes > 0)) {
        damaged(q);
        bytes = 0;
    }
    if (bytes > 0) {
        memcpy(text, stored, bytes);
    }
    text[bytes] = '\0';
}

void query_get_bytes(struct query *q, void *data, size_t bytes)
{
    size_t stored_bytes = 0;
    const void *stored = query_get_view(q, &stored_bytes);
    if (stored == NULL || stored_bytes != bytes) {
        damaged(q);
        memset(data, 0, bytes);
        return;
    }
    memcpy(data, stored, bytes);
}

const void *query_get_view(struct query *q, size_t *bytes)
{
    int column = q->column++;
    const void *data = sqlite3_column_blob(q->stmt, column);
    *bytes = (size_t)sqlite3_column_bytes(q->stmt, column);
    return data;
}

int query_close(struct query *q)
{
    if (q->stmt != NULL) {
        /* The result of the reset repeats that of the step, which was seen. */
        (void)sqlite3_reset(q->stmt);
        (void)sqlite3_clear_bindings(q->stmt);
        q->stmt = NULL;
    }
    return q->code;
}

int query_run(struct query *q)
{
    (void)query_row(q);
    return query_close(q);
}
