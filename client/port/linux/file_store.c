/* Files under one folder, by descriptor. See file_store.h. */
#include "client/port/linux/file_store.h"

#include "data/file_error.h"

#include <errno.h>
#include <fcntl.h>
#include <mycel/error.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[] = {
    [MYCEL_AREA_JOURNAL] = "journal",
    [MYCEL_AREA_MODEL] = "model",
    [MYCEL_AREA_BODY] = "body",
    [MYCEL_AREA_RESIDUAL_A] = "residual.a",
    [MYCEL_AREA_RESIDUAL_B] = "residual.b",
    [MYCEL_AREA_CONTROL_A] = "control.a",
    [MYCEL_AREA_CONTROL_B] = "control.b",
    [MYCEL_AREA_CONTROL_SERVER] = "control.server",
    [MYCEL_AREA_MODEL_B] = "model.b",
    [MYCEL_AREA_PATCH] = "patch",
};

_Static_assert(sizeof names / sizeof names[0] == MYCEL_AREA_COUNT, "every area has a name");

#define JOURNAL_NEW "journal.new"

static int check(int result)
{
    return result < 0 ? file_error(errno) : MYCEL_OK;
}

/* Reads until `bytes` or the end of the file. */
static int read_all(int fd, off_t offset, uint8_t *data, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t n = pread(fd, data + done, bytes - done, offset + (off_t)done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return file_error(errno);
        }
        if (n == 0) {
            break;
        }
        done += (size_t)n;
    }
    return (int)done;
}

static int write_all(int fd, off_t offset, const uint8_t *data, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t n = pwrite(fd, data + done, bytes - done, offset + (off_t)done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return file_error(errno);
        }
        done += (size_t)n;
    }
    return MYCEL_OK;
}

static int store_read(void *ctx, enum mycel_area area, uint32_t offset, void *data, size_t bytes)
{
    struct file_store *s = ctx;
    if (area != MYCEL_AREA_JOURNAL) {
        return read_all(s->areas[area], offset, data, bytes);
    }
    int fd = openat(s->folder, names[area], O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? 0 : file_error(errno);
    }
    int n = read_all(fd, offset, data, bytes);
    (void)close(fd); /* read-only: nothing can be lost */
    return n;
}

static int store_write(void *ctx, enum mycel_area area, uint32_t offset, const void *data,
                       size_t bytes)
{
    struct file_store *s = ctx;
    return write_all(s->areas[area], offset, data, bytes);
}

static int store_sync(void *ctx, enum mycel_area area)
{
    struct file_store *s = ctx;
    return check(fdatasync(s->areas[area]));
}

/* New file, its content durable, then the name, then the folder: after a crash at any point one of
 * the two records is whole under the name. */
static int store_save(void *ctx, const void *data, size_t bytes)
{
    struct file_store *s = ctx;
    int fd =
        openat(s->folder, JOURNAL_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return file_error(errno);
    }
    int rc = write_all(fd, 0, data, bytes);
    if (rc == MYCEL_OK) {
        rc = check(fdatasync(fd));
    }
    if (close(fd) < 0 && rc == MYCEL_OK) {
        rc = file_error(errno);
    }
    if (rc == MYCEL_OK) {
        rc = check(renameat(s->folder, JOURNAL_NEW, s->folder, names[MYCEL_AREA_JOURNAL]));
    }
    return rc == MYCEL_OK ? check(fsync(s->folder)) : rc;
}

static int store_erase(void *ctx, enum mycel_area area)
{
    struct file_store *s = ctx;
    return check(ftruncate(s->areas[area], 0));
}

const struct mycel_store file_store_table = {
    store_read, store_write, store_sync,
    store_save, store_erase, MYCEL_STORE_RESIDUAL | MYCEL_STORE_CONTROL | MYCEL_STORE_PATCH};

static int open_folder(struct file_store *s, const char *path)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        return file_error(errno);
    }
    s->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat status;
    if (s->folder < 0 || fstat(s->folder, &status) < 0) {
        return file_error(errno);
    }
    /* The folder will hold what the device learned from its data: nobody else's business. */
    return (status.st_mode & 077) != 0 || status.st_uid != geteuid() ? MYCEL_E_PERMISSION
                                                                     : MYCEL_OK;
}

static int open_files(struct file_store *s)
{
    s->lock = openat(s->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock < 0 || flock(s->lock, LOCK_EX | LOCK_NB) < 0) {
        return file_error(errno);
    }
    for (int area = MYCEL_AREA_MODEL; area < MYCEL_AREA_COUNT; area++) {
        s->areas[area] =
            openat(s->folder, names[area], O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (s->areas[area] < 0) {
            return file_error(errno);
        }
    }
    return check(fsync(s->folder));
}

int file_store_open(struct file_store *store, const char *path)
{
    *store = (struct file_store){.folder = -1, .lock = -1};
    for (int area = 0; area < MYCEL_AREA_COUNT; area++) {
        store->areas[area] = -1;
    }
    int rc = open_folder(store, path);
    if (rc == MYCEL_OK) {
        rc = open_files(store);
    }
    if (rc < 0) {
        file_store_close(store);
    }
    return rc;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd); /* what had to be durable was synced before */
        *fd = -1;
    }
}

void file_store_close(struct file_store *store)
{
    for (int area = 0; area < MYCEL_AREA_COUNT; area++) {
        close_fd(&store->areas[area]);
    }
    close_fd(&store->lock);
    close_fd(&store->folder);
}
