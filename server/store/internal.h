/*
 * What the files of this folder share and nobody outside sees: the connection, its prepared
 * statements, and the way of building a query whose first error sticks.
 */
#ifndef SERVER_STORE_INTERNAL_H
#define SERVER_STORE_INTERNAL_H

#include "server/store/statements.h"
#include "server/store/store.h"

#include <sqlite3.h>

/* Bodies that wait for the transaction's end: spool.h. */
struct spool_batch {
    uint8_t *data; /* NULL until it is needed first */
    size_t bytes;  /* in it, 0: none */
    uint64_t row;
    uint32_t run;
    uint32_t round;
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_COUNT]; /* prepared at first use */
    bool read_only;
    bool in_transaction; /* between store_begin and store_commit */
    int lost;            /* why SQLite undid that transaction by itself, 0: it is alive */
    uint32_t marks;      /* savepoints of the caller that are open; a whole transaction is one */
    bool whole;          /* it was begun by store_begin_whole() */
    int spoiled;         /* why the innermost of them can only be undone, 0: it can be kept */
    struct spool_batch spool;
    char problem[STORE_PROBLEM_BYTES];
};

/* Translates an (extended) SQLite result code. 0 for OK, ROW and DONE. */
int store_code(int sqlite_rc);

/* Records words for store_problem() and returns `code`. The format must never name a key. */
__attribute__((format(printf, 3, 4))) int store_fail(struct store *store, int code,
                                                     const char *format, ...);

/* Records what SQLite says about its last error and returns the translated code. */
int store_fail_sqlite(struct store *store, int sqlite_rc);

/* Runs SQL without parameters or results. */
int store_exec(struct store *store, const char *sql);

/* Runs a PRAGMA-like statement that answers with one integer. */
int store_exec_int(struct store *store, const char *sql, int64_t *value);

/* Runs `pragma`, SQLite's quick or full check for one finding. CORRUPT with that finding in the problem; a page that
 * could not be read is IO or whatever kept it from being read. */
int store_check_pages(struct store *store, const char *pragma);

/* Brings the schema to `target`; knows every earlier one. VERSION if it is newer. */
int store_migrate(struct store *store, int target);

/* The frame of a version that is being published, with its row. */
int store_downlink_add(struct store *store, const struct store_publish *publish);

/* The SQL of each migration: schema i becomes schema i + 1 by migrations[i]. */
#define STORE_MIGRATIONS STORE_SCHEMA
extern const char *const store_migration_001;
extern const char *const store_migration_002;
extern const char *const store_migration_003;
extern const char *const store_migration_004;
extern const char *const store_migration_005;
extern const char *const store_migration_006;
extern const char *const store_migration_007;
extern const char *const store_migration_008;
extern const char *const store_migration_009;

/*
 * One execution of a prepared statement. Parameters are bound, and columns read, from left to right.
 * The first error sticks in `code`: check it once, from query_row() or query_run().
 */
struct query {
    struct store *store;
    sqlite3_stmt *stmt;
    int parameter;
    int column;
    int code;
};

void query_open(struct query *q, struct store *store, enum statement statement);

void query_u64(struct query *q, uint64_t value);  /* INVALID above INT64_MAX */
void query_bits(struct query *q, uint64_t value); /* all 64 bits, as a signed number */
void query_i32(struct query *q, int32_t value);
void query_real(struct query *q, float value); /* NaN and infinities become NULL */
void query_text(struct query *q, const char *text);
void query_chars(struct query *q, const char *text, size_t bytes);
void query_bytes(struct query *q, const void *data, size_t bytes); /* not copied: keep it */
void query_null(struct query *q);

/* 1: a row is there; 0: no more rows; negative: an error. */
int query_row(struct query *q);

uint64_t query_get_u64(struct query *q);
uint32_t query_get_u32(struct query *q);
int32_t query_get_i32(struct query *q);
uint64_t query_get_bits(struct query *q);
float query_get_real(struct query *q); /* NaN for NULL */
bool query_get_has(struct query *q);   /* the next column is not NULL; does not move on */
void query_get_text(struct query *q, char *text, size_t capacity);
void query_get_bytes(struct query *q, void *data, size_t bytes); /* exactly so many, else CORRUPT */
const void *query_get_view(struct query *q, size_t *bytes);      /* valid until the next row */

/* Releases the statement for its next use and returns the sticking error, or 0. */
int query_close(struct query *q);

/* Runs a statement without rows and closes it. */
int query_run(struct query *q);

/* A transaction of the call's own, or a savepoint inside the caller's. Every writing call has one. Inside
 * a mark of the caller's that mark is enough: a call that fails spoils it. */
struct scope {
    bool owns;
    bool marks;
};
int scope_begin(struct store *store, struct scope *scope);

/* result ≥ 0: keeps the changes and returns result, or the error of the commit. Else undoes them. */
int scope_end(struct store *store, struct scope *scope, int result);

/* Undoes a transaction that an earlier call had to leave open because undoing it failed. NO_MEMORY: it
 * fails again. */
int transaction_settle(struct store *store);

/* Whether a new device may have this name and class; INVALID with words. */
int store_device_check(struct store *store, const char *identity, const char *device_class);

/* In the caller's scope: the first key of a new device; another one in its place without an overlap, for
 * an enrolment that is repeated (1: it is another, 0: the same); none any more. Without audit entries. */
int store_key_check(struct store *store, size_t psk_bytes); /* INVALID with words */
int store_key_first(struct store *store, uint32_t device, const uint8_t *psk, size_t psk_bytes,
                    uint64_t now_ms);
int store_key_renew(struct store *store, uint32_t device, const uint8_t psk[PROTO_PSK_BYTES],
                    uint64_t now_ms);
int store_key_forget(struct store *store, const char *identity);

/* The columns of SQL_ROTATION_SELECT. */
void store_rotation_read(struct query *q, struct store_rotation *out);

/* Whether every change after `since` is still known; NOT_FOUND if not. */
int store_change_known(struct store *store, uint64_t since);

/* Appends an audit entry in the caller's scope. */
int store_audit_note(struct store *store, uint64_t at_ms, const char *actor, const char *action,
                     const char *subject, const char *detail);

#endif
