/*
 * A disk in memory that can lose power, tear writes, fail and fill up. It owns what is durable and
 * what is not: a write is seen by readers at once, but survives a power cut for certain only after a
 * sync of its file. It must never help: whatever POSIX and the hardware leave open goes wrong here.
 *
 * At a power cut each unsynced write is cut into sectors, and each sector arrives, does not, or is torn;
 * so later writes may arrive without earlier ones. A file created or removed may be there or not until
 * the first sync of a new file decides that for its whole folder. A failed sync forgets what it should
 * have written, as Linux does.
 */
#ifndef TESTS_FAULT_STORE_DISK_H
#define TESTS_FAULT_STORE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_FILES_MAX 8
#define DISK_NAME_BYTES 128
#define DISK_SECTOR_BYTES 512u

enum disk_fault {
    DISK_HEALTHY,
    DISK_POWER_CUT, /* from operation `at` on nothing works; that one may have arrived in part */
    DISK_ERROR,     /* the operation fails: reads and opens as well */
    DISK_FULL,      /* writing operations fail, after writing a half of what was asked for */
};

/* What the power cut leaves of everything unsynced. */
enum disk_fate {
    DISK_LOSE_ALL,
    DISK_KEEP_ALL,
    DISK_LOSE_SOME, /* by seed */
};

enum disk_result {
    DISK_OK,
    DISK_FAILED,
    DISK_NO_SPACE,
};

struct disk;

struct disk *disk_new(void);
void disk_free(struct disk *disk);

/* Lets the at-th counted operation from now (1…) go wrong, and with `sticky` all later ones. Writes,
 * syncs, truncations, creations and removals are counted; for DISK_ERROR reads are too. */
void disk_arm(struct disk *disk, enum disk_fault fault, uint64_t at, bool sticky);
void disk_heal(struct disk *disk);

/* Operations counted since disk_arm(), and whether the fault has struck. */
uint64_t disk_operations(const struct disk *disk);
bool disk_struck(const struct disk *disk);

/* Power comes back: what did not survive is gone, and the disk is healthy. */
void disk_reboot(struct disk *disk, enum disk_fate fate, uint64_t seed);

/* An empty file that is there for certain. */
void disk_prepare(struct disk *disk, const char *name);

bool disk_exists(const struct disk *disk, const char *name);
/* The number of a file, created if it is missing and `create` is set; -1: there is none, or an error. */
int disk_open(struct disk *disk, const char *name, bool create);
enum disk_result disk_remove(struct disk *disk, const char *name, bool sync_folder);

size_t disk_size(const struct disk *disk, int file);
/* Bytes beyond the end are zero; *got says how many there were. */
enum disk_result disk_read(struct disk *disk, int file, uint64_t offset, void *data, size_t bytes,
                           size_t *got);
enum disk_result disk_write(struct disk *disk, int file, uint64_t offset, const void *data,
                            size_t bytes);
enum disk_result disk_truncate(struct disk *disk, int file, uint64_t bytes);
enum disk_result disk_sync(struct disk *disk, int file);

#endif
