/* Translates between SQLite's VFS interface and disk.h. It reports what the usual Unix one does: sectors
 * of 4,096 bytes and power-safe overwriting (a write damages no byte outside its range). */
#include "vfs.h"

#include "common/assert.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define SHM_REGIONS_MAX 64
#define SHM_REGION_BYTES 32768

struct handle {
    sqlite3_file base; /* first: SQLite's view */
    struct disk *disk;
    int file;
    void *regions[SHM_REGIONS_MAX]; /* the log's index: memory of one connection, never durable */
};

static struct handle *handle_of(sqlite3_file *file)
{
    return (struct handle *)(void *)file;
}

static int code_of(enum disk_result result, int failed)
{
    switch (result) {
    case DISK_OK:
        return SQLITE_OK;
    case DISK_NO_SPACE:
        return SQLITE_FULL;
    case DISK_FAILED:
        break;
    }
    return failed;
}

static void drop_regions(struct handle *h)
{
    for (int i = 0; i < SHM_REGIONS_MAX; i++) {
        free(h->regions[i]);
        h->regions[i] = NULL;
    }
}

static int file_close(sqlite3_file *file)
{
    drop_regions(handle_of(file));
    return SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *data, int bytes, sqlite3_int64 offset)
{
    struct handle *h = handle_of(file);
    size_t got = 0;
    enum disk_result result =
        disk_read(h->disk, h->file, (uint64_t)offset, data, (size_t)bytes, &got);
    if (result != DISK_OK) {
        return SQLITE_IOERR_READ;
    }
    return got == (size_t)bytes ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *file, const void *data, int bytes, sqlite3_int64 offset)
{
    struct handle *h = handle_of(file);
    return code_of(disk_write(h->disk, h->file, (uint64_t)offset, data, (size_t)bytes),
                   SQLITE_IOERR_WRITE);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 bytes)
{
    struct handle *h = handle_of(file);
    return code_of(disk_truncate(h->disk, h->file, (uint64_t)bytes), SQLITE_IOERR_TRUNCATE);
}

static int file_sync(sqlite3_file *file, int flags)
{
    struct handle *h = handle_of(file);
    (void)flags;
    return code_of(disk_sync(h->disk, h->file), SQLITE_IOERR_FSYNC);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    struct handle *h = handle_of(file);
    *size = (sqlite3_int64)disk_size(h->disk, h->file);
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *file, int level)
{
    (void)file;
    (void)level;
    return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *file, int *reserved)
{
    (void)file;
    *reserved = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int operation, void *argument)
{
    (void)file;
    (void)operation;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *file)
{
    (void)file;
    return 4096;
}

static int file_characteristics(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int shm_map(sqlite3_file *file, int region, int bytes, int extend, void volatile **out)
{
    struct handle *h = handle_of(file);
    MYCEL_ASSERT(region < SHM_REGIONS_MAX && bytes == SHM_REGION_BYTES);
    if (h->regions[region] == NULL && extend != 0) {
        h->regions[region] = calloc(1, (size_t)bytes);
        if (h->regions[region] == NULL) {
            return SQLITE_IOERR_NOMEM;
        }
    }
    *out = h->regions[region];
    return SQLITE_OK;
}

static int shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    (void)file;
    (void)offset;
    (void)count;
    (void)flags;
    return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *file)
{
    (void)file;
}

static int shm_unmap(sqlite3_file *file, int delete_it)
{
    (void)delete_it;
    drop_regions(handle_of(file));
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_lock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                    int *flags_out)
{
    struct handle *h = handle_of(file);
    struct disk *disk = vfs->pAppData;
    *h = (struct handle){.disk = disk};
    MYCEL_ASSERT(name != NULL); /* temporary files stay in memory */
    h->file = disk_open(disk, name, (flags & SQLITE_OPEN_CREATE) != 0);
    if (h->file < 0) {
        return SQLITE_CANTOPEN;
    }
    h->base.pMethods = &methods;
    if (flags_out != NULL) {
        *flags_out = flags;
    }
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    struct disk *disk = vfs->pAppData;
    if (!disk_exists(disk, name)) {
        return SQLITE_IOERR_DELETE_NOENT;
    }
    return code_of(disk_remove(disk, name, sync_folder != 0), SQLITE_IOERR_DELETE);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)flags;
    *out = disk_exists(vfs->pAppData, name);
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int bytes, char *out)
{
    (void)vfs;
    size_t length = strlen(name);
    if (length >= (size_t)bytes) {
        return SQLITE_CANTOPEN;
    }
    memcpy(out, name, length + 1);
    return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *vfs, int bytes, char *out)
{
    (void)vfs;
    memset(out, 7, (size_t)bytes);
    return bytes;
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    return microseconds;
}

static int vfs_time(sqlite3_vfs *vfs, double *days)
{
    (void)vfs;
    *days = 2461000.5;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int bytes, char *out)
{
    (void)vfs;
    (void)bytes;
    (void)out;
    return 0;
}

void vfs_install(struct disk *disk)
{
    static sqlite3_vfs vfs = {
        .iVersion = 1,
        .szOsFile = sizeof(struct handle),
        .mxPathname = DISK_NAME_BYTES,
        .zName = VFS_NAME,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
    };
    vfs.pAppData = disk;
    MYCEL_ASSERT(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
}
