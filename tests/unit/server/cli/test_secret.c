/* Key files: private, never written over, and on the disk with their names before anybody relies on them. */
#include "server/cli/secret.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mycel/error.h>

#include "cmocka_all.h"

static unsigned files_synced, folders_synced;
static bool folders_fail;

/* In the library's place. */
int fsync(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    files_synced += S_ISREG(st.st_mode);
    folders_synced += S_ISDIR(st.st_mode);
    return S_ISDIR(st.st_mode) && folders_fail ? -1 : (int)syscall(SYS_fsync, fd);
}

static void test_write(void **state)
{
    (void)state;
    static const uint8_t key[SECRET_BYTES] = {0xAB, 1};
    char folder[] = "/tmp/mycel-secret-XXXXXX", path[64], text[64] = "";
    struct stat st;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/key", folder);
    assert_int_equal(secret_write(path, key), MYCEL_OK);
    assert_int_equal(files_synced, 1);
    assert_int_equal(folders_synced, 1);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, text, sizeof text), 2 * SECRET_BYTES + 1);
    assert_int_equal(close(fd), 0);
    assert_string_equal(text, "ab010000000000000000000000000000\n");
    assert_int_equal(secret_write(path, key), MYCEL_E_EXISTS);
    assert_int_equal(unlink(path), 0);
    /* Nothing is left of a file that may not outlive a power cut; a name without a folder is in this one. */
    folders_fail = true;
    assert_int_equal(secret_write(path, key), MYCEL_E_IO);
    assert_int_not_equal(stat(path, &st), 0);
    folders_fail = false;
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(secret_write("key", key), MYCEL_OK);
    assert_int_equal(folders_synced, 3);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(secret_write(path, key), MYCEL_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_write)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
