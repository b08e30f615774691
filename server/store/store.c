/*
 * Opens and closes the database. It owns the rules about who may read the state folder, and the
 * settings that make a commit durable; it must never loosen a permission by itself.
 */
#include "server/store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define OTHERS (S_IRWXG | S_IRWXO)

/* WAL with FULL: a commit is on the disk when it returns. The log is copied into the database every
 * 3,500 pages (14 MiB), so that with a commit on top its index stays within the 4,062 frames of one mapping
 * of 32 KiB, and cut back to 64 MiB after a large transaction. Temporary tables stay in
 * memory, since files of SQLite's own would lie outside the private folder. */
static const char *const settings = "PRAGMA journal_mode = WAL;"
                                    "PRAGMA synchronous = FULL;"
                                    "PRAGMA foreign_keys = ON;"
                                    "PRAGMA trusted_schema = OFF;"
                                    "PRAGMA cell_size_check = ON;"
                                    "PRAGMA secure_delete = FAST;"
                                    "PRAGMA temp_store = MEMORY;"
                                    "PRAGMA wal_autocheckpoint = 3500;"
                                    "PRAGMA journal_size_limit = 67108864;"
                                    "PRAGMA cache_size = -2048;"; /* KiB */

/* Readers come and go, one for each job, and each page is read once: the system's cache serves them. */
static const char *const reader_settings = "PRAGMA query_only = ON;"
                                           "PRAGMA cache_size = -128;";

static int sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return MYCEL_E_IO;
    }
    int rc = fsync(fd);
    (void)close(fd);
    return rc == 0 ? MYCEL_OK : MYCEL_E_IO;
}

/* Refuses what others could read, or what belongs to somebody else (root may help anybody). */
static int check_private(struct store *store, const char *path, const struct stat *st,
                         const char *mode)
{
    if (st->st_uid != geteuid() && geteuid() != 0) {
        return store_fail(store, MYCEL_E_PERMISSION, "%s belongs to another user", path);
    }
    if ((st->st_mode & OTHERS) != 0) {
        return store_fail(store, MYCEL_E_PERMISSION,
                          "%s is open to other users (mode %04o): run chmod %s on it", path,
                          (unsigned)(st->st_mode & 07777u), mode);
    }
    return MYCEL_OK;
}

static int prepare_folder(struct store *store, const struct store_options *options)
{
    struct stat st;
    if (stat(options->folder, &st) != 0) {
        if (errno != ENOENT) {
            return store_fail(store, MYCEL_E_IO, "%s: %s", options->folder, strerror(errno));
        }
        if (!options->create) {
            return store_fail(store, MYCEL_E_NOT_FOUND, "there is no state folder %s",
                              options->folder);
        }
        if (mkdir(options->folder, 0700) != 0 && errno != EEXIST) {
            return store_fail(store, errno == ENOSPC ? MYCEL_E_DISK_FULL : MYCEL_E_IO,
                              "cannot create %s: %s", options->folder, strerror(errno));
        }
        if (stat(options->folder, &st) != 0) {
            return store_fail(store, MYCEL_E_IO, "%s: %s", options->folder, strerror(errno));
        }
    }
    if (!S_ISDIR(st.st_mode)) {
        return store_fail(store, MYCEL_E_INVALID, "%s is not a folder", options->folder);
    }
    return check_private(store, options->folder, &st, "700");
}

/* SQLite would create the file with whatever the umask leaves, so it is created here. */
static int create_file(struct store *store, const char *folder, const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        if (errno == EEXIST) {
            return MYCEL_OK; /* another process was faster */
        }
        return store_fail(store, errno == ENOSPC ? MYCEL_E_DISK_FULL : MYCEL_E_IO,
                          "cannot create %s: %s", path, strerror(errno));
    }
    (void)close(fd);
    return sync_folder(folder);
}

static int prepare_file(struct store *store, const struct store_options *options, const char *path,
                        bool must_exist)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        if (errno != ENOENT) {
            return store_fail(store, MYCEL_E_IO, "%s: %s", path, strerror(errno));
        }
        if (!must_exist) {
            return MYCEL_OK;
        }
        if (!options->create || options->read_only) {
            return store_fail(store, MYCEL_E_NOT_FOUND, "there is no database %s", path);
        }
        int code = create_file(store, options->folder, path);
        if (code != MYCEL_OK || lstat(path, &st) != 0) {
            return code != MYCEL_OK ? code : store_fail(store, MYCEL_E_IO, "%s vanished", path);
        }
    }
    if (!S_ISREG(st.st_mode)) {
        return store_fail(store, MYCEL_E_INVALID, "%s is not a regular file", path);
    }
    return check_private(store, path, &st, "600");
}

/* The log and its index hold the same secrets as the database. */
static int prepare_files(struct store *store, const struct store_options *options, const char *path)
{
    static const char *const companions[] = {"-wal", "-shm"};
    int code = prepare_folder(store, options);
    if (code == MYCEL_OK) {
        code = prepare_file(store, options, path, true);
    }
    for (size_t i = 0; code == MYCEL_OK && i < sizeof companions / sizeof companions[0]; i++) {
        char companion[PATH_MAX];
        int length = snprintf(companion, sizeof companion, "%s%s", path, companions[i]);
        if (length >= (int)sizeof companion) {
            return store_fail(store, MYCEL_E_INVALID, "the path of the state folder is too long");
        }
        code = prepare_file(store, options, companion, false);
    }
    return code;
}

static int connect(struct store *store, const struct store_options *options, const char *path)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    /* Memory statistics nobody reads, behind a lock for each allocation. Refused once SQLite is in use. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    int rc = sqlite3_open_v2(path, &store->db, flags, options->vfs);
    if (rc != SQLITE_OK) {
        return store->db != NULL ? store_fail_sqlite(store, rc)
                                 : store_fail(store, MYCEL_E_NO_MEMORY, "out of memory");
    }
    uint32_t busy_ms = options->busy_timeout_ms;
    (void)sqlite3_busy_timeout(store->db, (int)(busy_ms != 0 ? busy_ms : STORE_BUSY_MS_DEFAULT));
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return MYCEL_OK;
}

/* Statements that end a transaction must be there when memory or the disk is not. */
static int prepare_endings(struct store *store)
{
    static const enum statement endings[] = {SQL_COMMIT, SQL_ROLLBACK, SQL_RELEASE, SQL_UNDO};
    int code = MYCEL_OK;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0] && code == MYCEL_OK; i++) {
        struct query q;
        query_open(&q, store, endings[i]);
        code = query_close(&q);
    }
    return code;
}

/* SQLite reports a page that it could not read like one that is damaged, but for a code in the words. */
static int finding_code(const char *finding)
{
    static const char key[] = "error code=";
    const char *at = strstr(finding, key);
    int code = at != NULL ? store_code((int)strtol(at + sizeof key - 1, NULL, 10)) : MYCEL_OK;
    return code != MYCEL_OK ? code : MYCEL_E_CORRUPT;
}

int store_check_pages(struct store *store, const char *pragma)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(store->db, pragma, -1, &stmt, NULL);
    rc = rc == SQLITE_OK ? sqlite3_step(stmt) : rc;
    const char *finding = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    int code = MYCEL_OK;
    if (finding == NULL) {
        code = store_fail_sqlite(store, rc == SQLITE_ROW ? SQLITE_NOMEM : rc);
    } else if (strcmp(finding, "ok") != 0) {
        code = finding_code(finding);
        (void)store_fail(store, code,
                         code == MYCEL_E_CORRUPT ? "the database is damaged: restore a backup (%s)"
                                                 : "the database cannot be read: %s",
                         finding);
    }
    (void)sqlite3_finalize(stmt);
    return code;
}

static int configure(struct store *store, const struct store_options *options)
{
    int code = prepare_endings(store);
    if (code == MYCEL_OK) {
        code = store_exec(store, settings);
    }
    if (code == MYCEL_OK && options->check) {
        code = store_check_pages(store, "PRAGMA quick_check(1)");
    }
    if (code == MYCEL_OK) {
        code = store_migrate(store, options->schema_max > 0 ? options->schema_max : STORE_SCHEMA);
    }
    if (code == MYCEL_OK && options->read_only) {
        code = store_exec(store, reader_settings);
    }
    return code;
}

/* SQLite says "I/O error" where it could not make room for its shared memory file. */
static int blame_full_disk(struct store *store, const char *folder, int code)
{
    struct statvfs disk;
    if (code != MYCEL_E_IO || statvfs(folder, &disk) != 0 || disk.f_bavail > 0) {
        return code;
    }
    return store_fail(store, MYCEL_E_DISK_FULL, "the disk of %s is full: make room", folder);
}

int store_open(const struct store_options *options, struct store **out,
               char problem[STORE_PROBLEM_BYTES])
{
    *out = NULL;
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        if (problem != NULL) {
            (void)snprintf(problem, STORE_PROBLEM_BYTES, "out of memory");
        }
        return MYCEL_E_NO_MEMORY;
    }
    store->read_only = options->read_only;
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", options->folder, STORE_FILE);
    int code = length < (int)sizeof path
                   ? prepare_files(store, options, path)
                   : store_fail(store, MYCEL_E_INVALID, "the path of the state folder is too long");
    if (code == MYCEL_OK) {
        code = connect(store, options, path);
    }
    if (code == MYCEL_OK) {
        code = configure(store, options);
    }
    if (code == MYCEL_OK) {
        *out = store;
        return MYCEL_OK;
    }
    code = blame_full_disk(store, options->folder, code);
    if (problem != NULL) {
        (void)snprintf(problem, STORE_PROBLEM_BYTES, "%s", store->problem);
    }
    store_close(store);
    return code;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    for (size_t i = 0; i < SQL_COUNT; i++) {
        (void)sqlite3_finalize(store->statements[i]);
    }
    /* Cannot fail: no statement is left. An open transaction is rolled back. */
    (void)sqlite3_close(store->db);
    free(store->spool.data);
    free(store);
}

const char *store_problem(const struct store *store)
{
    return store->problem;
}
