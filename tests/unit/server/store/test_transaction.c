/* Transactions, savepoints and backups. */
#include "fixture.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_commit_and_rollback(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_commit(f->store), MYCEL_E_STATE);
    assert_int_equal(store_mark(f->store), MYCEL_E_STATE);
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_begin(f->store), MYCEL_E_STATE);
    (void)fixture_device(f->store, 1);
    store_rollback(f->store);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM devices"), 0);
    assert_int_equal(store_begin(f->store), 0);
    (void)fixture_device(f->store, 1);
    uint8_t psk[16] = {0};
    uint32_t id = 0;
    assert_int_equal(store_device_enroll(f->store, "device-1", "", psk, 16, 1, &id),
                     MYCEL_E_EXISTS);
    (void)fixture_device(f->store, 2);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM devices"), 2);
    /* An unfinished transaction is undone by closing. */
    assert_int_equal(store_begin(f->store), 0);
    (void)fixture_device(f->store, 3);
    fixture_reopen(f);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM devices"), 2);
}

static void test_marks(void **state)
{
    const struct fixture *f = *state;
    assert_int_equal(store_begin(f->store), 0);
    (void)fixture_device(f->store, 1);
    assert_int_equal(store_mark(f->store), 0);
    (void)fixture_device(f->store, 2);
    assert_int_equal(store_mark(f->store), 0);
    (void)fixture_device(f->store, 3);
    store_undo(f->store);
    assert_int_equal(store_release(f->store), 0);
    assert_int_equal(store_mark(f->store), 0);
    (void)fixture_device(f->store, 4);
    store_undo(f->store);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(fixture_number(f, "SELECT SUM(identity IN ('device-1', 'device-2')) * 10 +"
                                       " COUNT(*) FROM devices"),
                     22);
}

/* A call that fails inside a mark takes with it what the mark holds, and nothing else. */
static void test_spoiled_mark(void **state)
{
    const struct fixture *f = *state;
    uint8_t psk[16] = {0};
    uint32_t id = 0;
    assert_int_equal(store_begin(f->store), 0);
    (void)fixture_device(f->store, 1);
    assert_int_equal(store_mark(f->store), 0);
    (void)fixture_device(f->store, 2);
    assert_int_equal(store_device_enroll(f->store, "device-1", "", psk, 16, 1, &id),
                     MYCEL_E_EXISTS);
    assert_int_equal(store_device_enroll(f->store, "device-3", "", psk, 16, 1, &id),
                     MYCEL_E_EXISTS);
    assert_int_equal(store_mark(f->store), MYCEL_E_EXISTS);
    assert_int_equal(store_release(f->store), MYCEL_E_EXISTS);
    store_undo(f->store);
    assert_int_equal(store_mark(f->store), 0);
    (void)fixture_device(f->store, 4);
    assert_int_equal(store_release(f->store), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(fixture_number(f, "SELECT SUM(identity IN ('device-1', 'device-4')) * 10 +"
                                       " COUNT(*) FROM devices"),
                     22);
}

/* Without savepoints a call that fails takes everything with it; a mark inside is undone alone. */
static void test_whole(void **state)
{
    const struct fixture *f = *state;
    uint8_t psk[16] = {0};
    uint32_t id = 0;
    assert_int_equal(store_intact(f->store), MYCEL_E_STATE);
    assert_int_equal(store_begin_whole(f->store), 0);
    assert_int_equal(store_begin_whole(f->store), MYCEL_E_STATE);
    (void)fixture_device(f->store, 1);
    assert_int_equal(store_mark(f->store), 0);
    (void)fixture_device(f->store, 2);
    assert_int_equal(store_device_enroll(f->store, "device-1", "", psk, 16, 1, &id),
                     MYCEL_E_EXISTS);
    assert_int_equal(store_intact(f->store), MYCEL_E_EXISTS);
    store_undo(f->store);
    assert_int_equal(store_intact(f->store), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM devices"), 1);

    assert_int_equal(store_begin_whole(f->store), 0);
    (void)fixture_device(f->store, 3);
    assert_int_equal(store_device_enroll(f->store, "device-1", "", psk, 16, 1, &id),
                     MYCEL_E_EXISTS);
    assert_int_equal(store_device_enroll(f->store, "device-4", "", psk, 16, 1, &id),
                     MYCEL_E_EXISTS);
    assert_int_equal(store_commit(f->store), MYCEL_E_EXISTS);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM devices"), 1);
    assert_int_equal(store_begin(f->store), 0);
    (void)fixture_device(f->store, 4);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(fixture_number(f, "SELECT COUNT(*) FROM devices"), 2);
}

/* Two writers: the second waits, and gives up with BUSY when told not to wait for long. */
static void test_busy(void **state)
{
    const struct fixture *f = *state;
    const struct store_options options = {.folder = f->folder, .busy_timeout_ms = 20};
    struct store *second = NULL;
    uint8_t psk[16] = {0};
    uint32_t id = 0;
    assert_int_equal(store_open(&options, &second, NULL), 0);
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_begin(second), MYCEL_E_BUSY);
    assert_int_equal(store_device_enroll(second, "x", "", psk, 16, 1, &id), MYCEL_E_BUSY);
    assert_int_equal(store_commit(f->store), 0);
    int64_t before = store_data_version(f->store);
    assert_int_equal(store_device_enroll(second, "x", "", psk, 16, 1, &id), 0);
    assert_true(store_data_version(f->store) != before);
    before = store_data_version(f->store);
    (void)fixture_device(f->store, 1);
    assert_true(store_data_version(f->store) == before);
    store_close(second);
}

/* --- backups ---------------------------------------------------------------------------------- */

static void test_backup(void **state)
{
    const struct fixture *f = *state;
    char folder[PATH_MAX];
    char path[PATH_MAX];
    struct stat st;
    uint32_t run = fixture_run(f->store, "r", 1);
    fixture_path(f, "backup", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    fixture_path(f, "backup/" STORE_FILE, path);
    mode_t before = umask(0);
    assert_int_equal(store_backup(f->store, path), 0);
    (void)umask(before);
    assert_int_equal(store_backup(f->store, path), MYCEL_E_EXISTS);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777u, 0600);
    assert_int_equal(st.st_nlink, 1);
    (void)fixture_device(f->store, 1); /* after the copy: not in it */

    const struct store_options options = {.folder = folder, .check = true};
    struct store *copy = NULL;
    struct store_version version;
    struct store_device device;
    assert_int_equal(store_open(&options, &copy, NULL), 0);
    assert_int_equal(store_verify(copy), 0);
    assert_int_equal(store_version_newest(copy, run, &version), 0);
    assert_int_equal(store_device_find(copy, "device-1", &device), MYCEL_E_NOT_FOUND);
    store_close(copy);

    fixture_path(f, "missing/x", path);
    assert_int_equal(store_backup(f->store, path), MYCEL_E_IO);
    fixture_path(f, "other", path);
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_backup(f->store, path), MYCEL_E_STATE);
    store_rollback(f->store);
    assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_commit_and_rollback),
        WITH_STORE(test_marks),
        WITH_STORE(test_spoiled_mark),
        WITH_STORE(test_whole),
        WITH_STORE(test_busy),
        WITH_STORE(test_backup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
