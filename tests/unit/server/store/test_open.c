/* Opening: who may read the state, what is refused, and what a fresh database looks like. */
#include "fixture.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static mode_t mode_of(const struct fixture *f, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    fixture_path(f, name, path);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777u;
}

static void set_mode(const struct fixture *f, const char *name, mode_t mode)
{
    char path[PATH_MAX];
    fixture_path(f, name, path);
    assert_int_equal(chmod(path, mode), 0);
}

static void expect_refusal(const struct fixture *f, int code, const char *words)
{
    struct store *store = NULL;
    char problem[STORE_PROBLEM_BYTES] = "";
    assert_int_equal(fixture_try_open(f, false, &store, problem), code);
    assert_null(store);
    if (strstr(problem, words) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", words, problem);
    }
}

static void test_files_are_private(void **state)
{
    const struct fixture *f = *state;
    (void)fixture_run(f->store, "r", 1);
    assert_int_equal(mode_of(f, "."), 0700);
    assert_int_equal(mode_of(f, STORE_FILE), 0600);
    assert_int_equal(mode_of(f, STORE_FILE "-wal"), 0600);
    assert_int_equal(mode_of(f, STORE_FILE "-shm"), 0600);
}

static void test_folder_is_created_private(void **state)
{
    const struct fixture *f = *state;
    char inner[PATH_MAX];
    struct store *store = NULL;
    fixture_path(f, "inner", inner);
    struct store_options options = {.folder = inner};
    assert_int_equal(store_open(&options, &store, NULL), MYCEL_E_NOT_FOUND);
    mode_t before = umask(0);
    options.create = true;
    assert_int_equal(store_open(&options, &store, NULL), 0);
    (void)umask(before);
    store_close(store);
    assert_int_equal(mode_of(f, "inner"), 0700);
    assert_int_equal(mode_of(f, "inner/" STORE_FILE), 0600);
}

static void test_open_files_are_refused(void **state)
{
    struct fixture *f = *state;
    (void)fixture_run(f->store, "r", 1);
    static const mode_t open_modes[] = {0640, 0604, 0620, 0610, 0601, 0644};
    for (size_t i = 0; i < sizeof open_modes / sizeof open_modes[0]; i++) {
        set_mode(f, STORE_FILE, open_modes[i]);
        expect_refusal(f, MYCEL_E_PERMISSION, "chmod 600");
        set_mode(f, STORE_FILE, 0600);
        set_mode(f, STORE_FILE "-wal", open_modes[i]);
        expect_refusal(f, MYCEL_E_PERMISSION, "-wal");
        set_mode(f, STORE_FILE "-wal", 0600);
        set_mode(f, ".", open_modes[i] | 0100);
        expect_refusal(f, MYCEL_E_PERMISSION, "chmod 700");
        set_mode(f, ".", 0700);
    }
}

static void test_links_and_folders_are_refused(void **state)
{
    const struct fixture *f = *state;
    char inner[PATH_MAX];
    char path[PATH_MAX];
    struct store *store = NULL;
    fixture_path(f, "inner", inner);
    fixture_path(f, "inner/" STORE_FILE, path);
    assert_int_equal(mkdir(inner, 0700), 0);
    assert_int_equal(symlink("/dev/null", path), 0);
    struct store_options options = {.folder = inner, .create = true};
    assert_int_equal(store_open(&options, &store, NULL), MYCEL_E_INVALID);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(store_open(&options, &store, NULL), MYCEL_E_INVALID);
    options.folder = "/dev/null";
    assert_int_equal(store_open(&options, &store, NULL), MYCEL_E_INVALID);
}

static void test_settings(void **state)
{
    struct fixture *f = *state;
    (void)fixture_run(f->store, "r", 1);
    assert_int_equal(fixture_number(f, "PRAGMA user_version"), STORE_SCHEMA);
    assert_int_equal(fixture_number(f, "PRAGMA application_id"), STORE_APPLICATION);
    assert_int_equal(fixture_number(f, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    /* FULL and foreign keys belong to the connection: seen by their effect. */
    const struct store_version orphan = {.run = 77, .kind = STORE_VERSION_INITIAL};
    assert_int_equal(store_version_add(f->store, &orphan), MYCEL_E_INVALID);
}

static void test_newer_schema_is_refused(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(fixture_sql(f, "PRAGMA user_version = 99"), SQLITE_OK);
    expect_refusal(f, MYCEL_E_VERSION, "newer mycel");
    assert_int_equal(fixture_number(f, "PRAGMA user_version"), 99);
}

static void test_foreign_database_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX];
    store_close(f->store);
    f->store = NULL;
    fixture_path(f, STORE_FILE, path);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(fixture_sql(f, "CREATE TABLE theirs(x)"), SQLITE_OK);
    expect_refusal(f, MYCEL_E_CORRUPT, "another program");
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM sqlite_schema"), 1);

    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++) {
        (void)fputs("this is not a database ", file);
    }
    assert_int_equal(fclose(file), 0);
    expect_refusal(f, MYCEL_E_CORRUPT, "not a database");
}

static void test_damage_is_found(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX];
    for (unsigned i = 0; i < 200; i++) {
        (void)fixture_device(f->store, i);
    }
    store_close(f->store);
    f->store = NULL;
    fixture_path(f, STORE_FILE, path);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    for (long page = 1; page < size / 4096; page++) {
        assert_int_equal(fseek(file, page * 4096 + 3, SEEK_SET), 0);
        (void)fputs("\x7f\x7f\x7f\x7f", file);
    }
    assert_int_equal(fclose(file), 0);
    expect_refusal(f, MYCEL_E_CORRUPT, "");
}

/* --- a disk that cannot be read --------------------------------------------------------------- */

static const sqlite3_io_methods *real_methods;
static sqlite3_io_methods failing_methods;
static sqlite3_int64 failing_page; /* offset of the only one */

static int failing_read(sqlite3_file *file, void *out, int bytes, sqlite3_int64 at)
{
    return at == failing_page ? SQLITE_IOERR_READ : real_methods->xRead(file, out, bytes, at);
}

static int failing_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    sqlite3_vfs *base = sqlite3_vfs_find(NULL);
    (void)vfs;
    int rc = base->xOpen(base, name, file, flags, out);
    if (rc == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB) != 0) {
        real_methods = file->pMethods;
        failing_methods = *real_methods;
        failing_methods.xRead = failing_read;
        file->pMethods = &failing_methods;
    }
    return rc;
}

/* Nothing is damaged: who restores a backup now would lose what the disk gives back tomorrow. */
static void test_unreadable_is_not_damaged(void **state)
{
    struct fixture *f = *state;
    sqlite3_vfs vfs = *sqlite3_vfs_find(NULL);
    struct store *store = NULL;
    char problem[STORE_PROBLEM_BYTES] = "";
    const struct store_options options = {.folder = f->folder, .check = true, .vfs = "failing"};
    store_close(f->store);
    f->store = NULL;
    failing_page =
        (fixture_number(f, "SELECT rootpage FROM sqlite_schema WHERE name = 'whys'") - 1) * 4096;
    vfs.zName = "failing";
    vfs.xOpen = failing_open;
    assert_int_equal(sqlite3_vfs_register(&vfs, 0), SQLITE_OK);
    assert_int_equal(store_open(&options, &store, problem), MYCEL_E_IO);
    assert_non_null(strstr(problem, "cannot be read"));
    assert_int_equal(sqlite3_vfs_unregister(&vfs), SQLITE_OK);
    fixture_reopen(f);
}

static void test_read_only(void **state)
{
    const struct fixture *f = *state;
    uint32_t id = fixture_device(f->store, 1);
    struct store *reader = fixture_second(f, true);
    struct store_device device;
    uint8_t psk[16] = {0};
    assert_int_equal(store_device_get(reader, id, &device), 0);
    assert_int_equal(store_device_enroll(reader, "x", "", psk, sizeof psk, 0, &id),
                     MYCEL_E_PERMISSION);
    assert_int_equal(store_begin(reader), MYCEL_E_PERMISSION);
    assert_true(strlen(store_problem(reader)) > 0);
    /* One view over several reads, whatever is written meanwhile. */
    assert_int_equal(store_begin_read(reader), 0);
    assert_int_equal(store_device_get(reader, id, &device), 0);
    uint32_t second = fixture_device(f->store, 2);
    assert_int_equal(store_device_get(reader, second, &device), MYCEL_E_NOT_FOUND);
    assert_int_equal(store_commit(reader), 0);
    assert_int_equal(store_device_get(reader, second, &device), 0);
    store_close(reader);
}

static void test_missing(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX];
    store_close(f->store);
    f->store = NULL;
    fixture_path(f, STORE_FILE, path);
    assert_int_equal(unlink(path), 0);
    expect_refusal(f, MYCEL_E_NOT_FOUND, "no database");
    char longer[PATH_MAX + 64];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    struct store *store = NULL;
    const struct store_options options = {.folder = longer, .create = true};
    assert_int_equal(store_open(&options, &store, NULL), MYCEL_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_files_are_private),
        WITH_STORE(test_folder_is_created_private),
        WITH_STORE(test_open_files_are_refused),
        WITH_STORE(test_links_and_folders_are_refused),
        WITH_STORE(test_settings),
        WITH_STORE(test_newer_schema_is_refused),
        WITH_STORE(test_foreign_database_is_refused),
        WITH_STORE(test_damage_is_found),
        WITH_STORE(test_unreadable_is_not_damaged),
        WITH_STORE(test_read_only),
        WITH_STORE(test_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
