/* Copies and checks of the whole database. A copy must never be mistaken for a whole one before it is:
 * it gets its name last. */
#include "server/store/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARTIAL ".partial"

static int fail_errno(struct store *store, const char *path)
{
    int code = errno == ENOSPC || errno == EDQUOT ? MYCEL_E_DISK_FULL : MYCEL_E_IO;
    code = errno == EEXIST ? MYCEL_E_EXISTS : code;
    return store_fail(store, code, "%s: %s", path, strerror(errno));
}

/* One step for all pages holds one read transaction: others may write meanwhile without making the
 * copy start again. */
static int copy_pages(struct store *store, sqlite3 *target)
{
    sqlite3_backup *backup = sqlite3_backup_init(target, "main", store->db, "main");
    if (backup == NULL) {
        return store_fail(store, store_code(sqlite3_extended_errcode(target)), "backup: %s",
                          sqlite3_errmsg(target));
    }
    int rc = sqlite3_backup_step(backup, -1);
    int finished = sqlite3_backup_finish(backup);
    if (rc == SQLITE_DONE && finished == SQLITE_OK) {
        return MYCEL_OK;
    }
    int bad = finished != SQLITE_OK ? finished : rc;
    return store_fail(store, store_code(bad), "backup: %s", sqlite3_errstr(bad));
}

static int copy_to(struct store *store, const char *partial)
{
    int fd = open(partial, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || fchmod(fd, 0600) != 0) {
        int code = fail_errno(store, partial);
        if (fd >= 0) {
            (void)close(fd);
        }
        return code;
    }
    sqlite3 *target = NULL;
    int rc = sqlite3_open_v2(partial, &target, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL);
    int code = rc == SQLITE_OK ? copy_pages(store, target)
                               : store_fail(store, store_code(rc), "%s cannot be opened", partial);
    (void)sqlite3_close(target);
    if (code == MYCEL_OK && fsync(fd) != 0) {
        code = fail_errno(store, partial);
    }
    (void)close(fd);
    return code;
}

/* link() instead of rename(): it refuses to replace a file that appeared meanwhile. */
static int give_name(struct store *store, const char *partial, const char *path)
{
    if (link(partial, path) != 0) {
        return fail_errno(store, path);
    }
    char folder[PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL) {
        slash[slash == folder ? 1 : 0] = '\0';
    }
    int fd = open(slash != NULL ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return fail_errno(store, path);
    }
    int code = fsync(fd) == 0 ? MYCEL_OK : fail_errno(store, path);
    (void)close(fd);
    return code;
}

int store_backup(struct store *store, const char *path)
{
    char partial[PATH_MAX];
    int length = snprintf(partial, sizeof partial, "%s%s", path, PARTIAL);
    if (length >= (int)sizeof partial) {
        return store_fail(store, MYCEL_E_INVALID, "the path of the backup is too long");
    }
    if (store->in_transaction) {
        return store_fail(store, MYCEL_E_STATE, "a transaction is open");
    }
    struct stat st;
    if (lstat(path, &st) == 0) {
        return store_fail(store, MYCEL_E_EXISTS, "%s exists already", path);
    }
    int code = copy_to(store, partial);
    if (code == MYCEL_OK) {
        code = give_name(store, partial, path);
    }
    (void)unlink(partial);
    return code;
}

/* What must find nothing. An update repeats its lease's device, run and round for the sake of its indexes. */
static int check_rows(struct store *store)
{
    static const struct {
        const char *count;
        const char *words;
    } faults[] = {
        {"SELECT COUNT(*) FROM pragma_foreign_key_check", "rows refer to missing ones"},
        {"SELECT COUNT(*) FROM updates u LEFT JOIN leases l ON l.id = u.lease"
         " WHERE (u.device, u.run, u.round) IS NOT (l.device, l.run, l.round)",
         "updates are not those of their leases"},
        {"SELECT COUNT(*) FROM updates u JOIN spool s ON s.id = u.spool"
         " WHERE body_at + body_bytes > length(bodies) OR u.run <> s.run"
         " OR u.counted_round <> s.counted_round",
         "bodies are not where they should be"},
    };
    int code = MYCEL_OK;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0] && code == MYCEL_OK; i++) {
        int64_t count = 0;
        code = store_exec_int(store, faults[i].count, &count);
        if (code == MYCEL_OK && count != 0) {
            code = store_fail(store, MYCEL_E_CORRUPT, "%lld %s", (long long)count, faults[i].words);
        }
    }
    return code;
}

int store_verify(struct store *store)
{
    uint64_t seq = 0;
    int code = store_check_pages(store, "PRAGMA integrity_check(1)");
    if (code == MYCEL_OK) {
        code = check_rows(store);
    }
    if (code == MYCEL_OK) {
        code = store_audit_verify(store, &seq);
    }
    return code != MYCEL_OK ? code : blob_check_all(store);
}
