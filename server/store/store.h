/*
 * The coordinator's memory: one SQLite database in one private folder. This header owns opening it,
 * transactions and its health; the nouns are in store_device.h, store_key.h, store_token.h, store_run.h,
 * store_model.h, store_update.h and store_audit.h. It must never decide anything about rounds, and never lets a
 * device's key leave in a list, a message or a log.
 *
 * Threads and processes. A `struct store` is one connection and is used by one thread at a time. Any
 * number of connections, in any number of processes, may be open: the daemon's store thread writes,
 * its workers read through read-only connections, and the command line does both while the daemon
 * runs. Every call here may block: on the disk, and on another writer for up to busy_timeout_ms.
 *
 * Errors that every call can return, besides those that it documents:
 *   BUSY        another connection holds the write lock longer than busy_timeout_ms
 *   DISK_FULL   no space; the transaction is undone
 *   IO          reading or writing failed; the transaction is undone
 *   CORRUPT     the database or a stored content is damaged
 *   PERMISSION  the connection or the file system is read-only
 *   NO_MEMORY
 * store_problem() has the words.
 *
 * Times are wall-clock milliseconds since 1970, given by the caller; the store has no clock.
 */
#ifndef SERVER_STORE_STORE_H
#define SERVER_STORE_STORE_H

#include <mycel/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_FILE "mycel.db"        /* name of the database in the state folder */
#define STORE_APPLICATION 0x4D59434C /* PRAGMA application_id: "MYCL" */
#define STORE_SCHEMA 9               /* PRAGMA user_version that this build writes */
#define STORE_BUSY_MS_DEFAULT 5000u
#define STORE_PROBLEM_BYTES 256 /* a message for a person, with its NUL */

struct store;

struct store_options {
    const char *folder;       /* state folder; must belong to the user and be closed to others */
    bool create;              /* make folder (0700) and database (0600) if they are missing */
    bool read_only;           /* no writes and no migration through this connection */
    bool check;               /* run SQLite's quick integrity check; reads the whole file */
    uint32_t busy_timeout_ms; /* 0: STORE_BUSY_MS_DEFAULT */
    const char *vfs;          /* SQLite VFS to use, NULL: the default; for tests */
    int schema_max;           /* stop migrating at this version, 0: STORE_SCHEMA; for tests */
};

/*
 * Opens the database, brings its schema up to date and checks who may read it. On success *out must
 * be closed with store_close(). On failure *out is NULL and `problem` (STORE_PROBLEM_BYTES, may be
 * NULL) says in words what to do.
 *   NOT_FOUND   no folder or database and `create` is off
 *   PERMISSION  folder or file is readable by others, or belongs to somebody else
 *   VERSION     the schema is newer than this build, or needs migrating and read_only is on
 *   CORRUPT     not a Mycel database, or the integrity check failed
 */
int store_open(const struct store_options *options, struct store **out,
               char problem[STORE_PROBLEM_BYTES]);

/* Undoes an unfinished transaction and releases everything. NULL is allowed. */
void store_close(struct store *store);

/* What the last failed call said, for logs and people. Never contains a key. Valid until the next
 * call; "" if nothing has failed. */
const char *store_problem(const struct store *store);

/*
 * One transaction around several calls: all of them happen or none. begin takes the write lock. A
 * call that fails inside leaves the transaction open and undoes only its own part, so that the caller
 * may go on; DISK_FULL and IO may have undone all of it, and then commit says so. Calls outside a
 * transaction are a transaction each. Does not nest (STATE).
 */
int store_begin(struct store *store);
int store_commit(struct store *store);

/* The same for calls of which none is expected to fail: a call that does spoils the whole, which can then only be
 * rolled back, and commit refuses with that error. No copies of pages are kept to undo a part, which is most of what a
 * small call costs. */
int store_begin_whole(struct store *store);

/* 0, or why the open transaction, or the innermost mark in it, can only be undone. STATE: none is open. */
int store_intact(struct store *store);
void store_rollback(struct store *store);

/* Savepoints inside a transaction, to undo a part of it; they nest like parentheses. The store thread
 * uses them to keep one bad job from spoiling its group. A call that fails inside a mark does not undo
 * its own part: it spoils the innermost mark, which can then only be undone. Until then, every writing
 * call and release return that error. STATE: no transaction is open. */
int store_mark(struct store *store);
int store_release(struct store *store);
void store_undo(struct store *store);

/* A consistent view for several reads in a row; ended by store_commit() or store_rollback(). */
int store_begin_read(struct store *store);

/* A number that changes when another connection has committed. Negative: an error. */
int64_t store_data_version(struct store *store);

/* Writes and syncs 64 KiB of nothing in a transaction of its own: can the disk take data again? */
int store_probe(struct store *store);

/* SQLite's full integrity check and every blob against its name; up to STORE_PROBLEM_BYTES of the
 * first finding in store_problem(). 0 or CORRUPT. Reads everything. */
int store_verify(struct store *store);

/* Copies the database as of now to `path` (0600, must not exist: EXISTS), while others go on writing.
 * The copy appears under its name only when it is complete and synced. */
int store_backup(struct store *store, const char *path);

#include "server/store/store_audit.h"
#include "server/store/store_device.h"
#include "server/store/store_key.h"
#include "server/store/store_model.h"
#include "server/store/store_run.h"
#include "server/store/store_token.h"
#include "server/store/store_update.h"

#endif
