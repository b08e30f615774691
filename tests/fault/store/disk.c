/* See disk.h. Each file has two images: `live`, what readers see, and `durable`, what is certain; the
 * operations between the two wait in a list. */
#include "disk.h"

#include "common/assert.h"
#include "common/rng.h"

#include <stdlib.h>
#include <string.h>

struct image {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

struct change {
    struct change *next;
    bool truncate;
    uint64_t offset; /* or the new size */
    size_t bytes;
    uint8_t data[];
};

struct file {
    char name[DISK_NAME_BYTES];
    bool live_exists;
    bool durable_exists;
    bool
        fresh; /* created since the last sync: the changes start from nothing, not from `durable` */
    struct image live;
    struct image durable;
    struct change *first;
    struct change *last;
};

struct disk {
    struct file files[DISK_FILES_MAX];
    int count;
    enum disk_fault fault;
    uint64_t at;
    bool sticky;
    bool struck;
    bool dead;
    uint64_t operations;
};

enum verdict { GO, GO_AND_DIE, REFUSE, HALF };

struct disk *disk_new(void)
{
    struct disk *disk = calloc(1, sizeof *disk);
    MYCEL_ASSERT(disk != NULL);
    return disk;
}

static void drop_changes(struct file *file)
{
    for (struct change *change = file->first, *next; change != NULL; change = next) {
        next = change->next;
        free(change);
    }
    file->first = NULL;
    file->last = NULL;
}

void disk_free(struct disk *disk)
{
    for (int i = 0; i < disk->count; i++) {
        drop_changes(&disk->files[i]);
        free(disk->files[i].live.data);
        free(disk->files[i].durable.data);
    }
    free(disk);
}

void disk_arm(struct disk *disk, enum disk_fault fault, uint64_t at, bool sticky)
{
    disk->fault = fault;
    disk->at = at;
    disk->sticky = sticky;
    disk->struck = false;
    disk->operations = 0;
}

void disk_heal(struct disk *disk)
{
    disk->fault = DISK_HEALTHY;
}

uint64_t disk_operations(const struct disk *disk)
{
    return disk->operations;
}

bool disk_struck(const struct disk *disk)
{
    return disk->struck;
}

/* --- images ----------------------------------------------------------------------------------- */

static void resize(struct image *image, size_t size)
{
    if (size > image->capacity) {
        size_t capacity = size * 2;
        image->data = realloc(image->data, capacity);
        MYCEL_ASSERT(image->data != NULL);
        image->capacity = capacity;
    }
    if (size > image->size) {
        memset(image->data + image->size, 0, size - image->size);
    }
    image->size = size;
}

static void put(struct image *image, uint64_t offset, const uint8_t *data, size_t bytes)
{
    if (bytes == 0) {
        return;
    }
    if (offset + bytes > image->size) {
        resize(image, (size_t)offset + bytes);
    }
    memcpy(image->data + offset, data, bytes);
}

static void copy(struct image *to, const struct image *from)
{
    resize(to, 0);
    if (from->size > 0) {
        put(to, 0, from->data, from->size);
    }
}

static void apply(struct image *image, const struct change *change)
{
    if (change->truncate) {
        resize(image, (size_t)change->offset);
    } else {
        put(image, change->offset, change->data, change->bytes);
    }
}

/* Sector by sector, a random part of a change. */
static void apply_some(struct image *image, const struct change *change, uint64_t seed,
                       uint64_t *counter)
{
    if (change->truncate) {
        if (rng_below(seed, 1, (*counter)++, 2) == 0) {
            resize(image, (size_t)change->offset);
        }
        return;
    }
    for (size_t at = 0; at < change->bytes;) {
        uint64_t offset = change->offset + at;
        size_t room = DISK_SECTOR_BYTES - (size_t)(offset % DISK_SECTOR_BYTES);
        size_t bytes = change->bytes - at < room ? change->bytes - at : room;
        uint32_t fate = rng_below(seed, 1, (*counter)++, 8);
        size_t arrived = fate < 4 ? bytes : 0;
        if (fate == 7) { /* torn */
            arrived = rng_below(seed, 2, *counter, (uint32_t)bytes + 1);
        }
        put(image, offset, change->data + at, arrived);
        at += bytes;
    }
}

/* --- faults ----------------------------------------------------------------------------------- */

static enum verdict judge(struct disk *disk, bool reads, bool writes)
{
    if (disk->dead) {
        return REFUSE;
    }
    if (reads && disk->fault != DISK_ERROR) {
        return GO;
    }
    disk->operations++;
    bool due = disk->operations == disk->at ||
               (disk->operations > disk->at && (disk->sticky || !disk->struck));
    if (disk->fault == DISK_HEALTHY || !due || (disk->fault == DISK_FULL && !writes)) {
        return GO;
    }
    disk->struck = true;
    if (disk->fault == DISK_POWER_CUT) {
        disk->dead = true;
        return GO_AND_DIE;
    }
    return disk->fault == DISK_FULL ? HALF : REFUSE;
}

/* What is left of one file. */
static void survive(struct file *file, enum disk_fate fate, uint64_t seed, uint64_t *counter)
{
    bool old = file->fresh || !file->live_exists;
    bool keep_old = fate == DISK_LOSE_ALL ||
                    (fate == DISK_LOSE_SOME && rng_below(seed, 3, (*counter)++, 2) == 0);
    if (old && keep_old) {
        /* The folder still shows what was there before the creation or removal. */
        drop_changes(file);
    } else if (!file->live_exists) {
        drop_changes(file);
        file->durable_exists = false;
    } else {
        if (file->fresh) {
            resize(&file->durable, 0);
            file->durable_exists = true;
        }
        for (const struct change *c = file->first; c != NULL && fate != DISK_LOSE_ALL;
             c = c->next) {
            if (fate == DISK_KEEP_ALL) {
                apply(&file->durable, c);
            } else {
                apply_some(&file->durable, c, seed, counter);
            }
        }
        drop_changes(file);
    }
    file->fresh = false;
    file->live_exists = file->durable_exists;
    copy(&file->live, &file->durable);
}

void disk_reboot(struct disk *disk, enum disk_fate fate, uint64_t seed)
{
    uint64_t counter = 0;
    for (int i = 0; i < disk->count; i++) {
        survive(&disk->files[i], fate, seed, &counter);
    }
    disk->dead = false;
    disk->fault = DISK_HEALTHY;
}

/* --- files ------------------------------------------------------------------------------------ */

/* The number of a file that has, or had, this name; -1: never seen. */
static int find(const struct disk *disk, const char *name)
{
    for (int i = 0; i < disk->count; i++) {
        if (strcmp(disk->files[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

bool disk_exists(const struct disk *disk, const char *name)
{
    int number = find(disk, name);
    return number >= 0 && disk->files[number].live_exists;
}

static int add(struct disk *disk, const char *name)
{
    int number = find(disk, name);
    if (number < 0) {
        MYCEL_ASSERT(disk->count < DISK_FILES_MAX && strlen(name) < DISK_NAME_BYTES);
        number = disk->count++;
        memcpy(disk->files[number].name, name, strlen(name) + 1);
    }
    return number;
}

void disk_prepare(struct disk *disk, const char *name)
{
    struct file *file = &disk->files[add(disk, name)];
    file->live_exists = true;
    file->durable_exists = true;
}

int disk_open(struct disk *disk, const char *name, bool create)
{
    if (disk_exists(disk, name)) {
        return judge(disk, true, false) == GO ? find(disk, name) : -1;
    }
    if (!create) {
        return -1;
    }
    enum verdict verdict = judge(disk, false, true);
    if (verdict == REFUSE || verdict == HALF) {
        return -1;
    }
    int number = add(disk, name);
    struct file *file = &disk->files[number];
    drop_changes(file);
    resize(&file->live, 0);
    file->live_exists = true;
    file->fresh = true;
    return verdict == GO ? number : -1;
}

enum disk_result disk_remove(struct disk *disk, const char *name, bool sync_folder)
{
    enum verdict verdict = judge(disk, false, false);
    if (verdict == REFUSE) {
        return DISK_FAILED;
    }
    if (disk_exists(disk, name)) {
        struct file *file = &disk->files[find(disk, name)];
        file->live_exists = false;
        file->fresh = false;
        drop_changes(file);
        resize(&file->live, 0);
        file->durable_exists = file->durable_exists && !(sync_folder && verdict == GO);
    }
    return verdict == GO ? DISK_OK : DISK_FAILED;
}

size_t disk_size(const struct disk *disk, int file)
{
    return disk->files[file].live.size;
}

enum disk_result disk_read(struct disk *disk, int number, uint64_t offset, void *data, size_t bytes,
                           size_t *got)
{
    const struct image *image = &disk->files[number].live;
    if (judge(disk, true, false) != GO) {
        return DISK_FAILED;
    }
    *got = offset < image->size ? image->size - (size_t)offset : 0;
    *got = *got < bytes ? *got : bytes;
    memset(data, 0, bytes);
    if (*got > 0) {
        memcpy(data, image->data + offset, *got);
    }
    return DISK_OK;
}

static void note(struct file *file, bool truncate, uint64_t offset, const void *data, size_t bytes)
{
    struct change *change = malloc(sizeof *change + bytes);
    MYCEL_ASSERT(change != NULL);
    *change = (struct change){.truncate = truncate, .offset = offset, .bytes = bytes};
    if (bytes > 0) {
        memcpy(change->data, data, bytes);
    }
    if (file->last != NULL) {
        file->last->next = change;
    } else {
        file->first = change;
    }
    file->last = change;
    apply(&file->live, change);
}

enum disk_result disk_write(struct disk *disk, int number, uint64_t offset, const void *data,
                            size_t bytes)
{
    struct file *file = &disk->files[number];
    switch (judge(disk, false, true)) {
    case GO:
        note(file, false, offset, data, bytes);
        return DISK_OK;
    case GO_AND_DIE:
        note(file, false, offset, data, bytes);
        return DISK_FAILED;
    case HALF:
        note(file, false, offset, data, bytes / 2);
        return DISK_NO_SPACE;
    case REFUSE:
        break;
    }
    return DISK_FAILED;
}

enum disk_result disk_truncate(struct disk *disk, int number, uint64_t bytes)
{
    enum verdict verdict = judge(disk, false, false);
    if (verdict == REFUSE) {
        return DISK_FAILED;
    }
    note(&disk->files[number], true, bytes, NULL, 0);
    return verdict == GO ? DISK_OK : DISK_FAILED;
}

/* A new file's first sync syncs its folder as well, as SQLite's Unix VFS does: whatever was created or
 * removed there before is certain from now on. */
static void sync_folder(struct disk *disk)
{
    for (int i = 0; i < disk->count; i++) {
        struct file *file = &disk->files[i];
        if (file->fresh) {
            resize(&file->durable, 0);
            file->fresh = false;
        }
        file->durable_exists = file->live_exists;
    }
}

enum disk_result disk_sync(struct disk *disk, int number)
{
    struct file *file = &disk->files[number];
    enum verdict verdict = judge(disk, false, false);
    if (verdict == GO_AND_DIE || disk->dead) {
        return DISK_FAILED;
    }
    if (verdict == REFUSE) {
        drop_changes(file);
        return DISK_FAILED;
    }
    if (file->fresh) {
        sync_folder(disk);
    }
    for (const struct change *change = file->first; change != NULL; change = change->next) {
        apply(&file->durable, change);
    }
    drop_changes(file);
    return DISK_OK;
}
