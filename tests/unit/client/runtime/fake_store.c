/* A disk that forgets what was not synced, and whose power can be cut at any operation. See fake.h. */
#include "fake.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka needs those above
#include <cmocka.h>

static struct fake_disk *disk_of(void *ctx)
{
    return &((struct fake_world *)ctx)->disk;
}

static int operation_begins(struct fake_disk *d)
{
    d->operations++;
    if (d->operations == d->cut_before) {
        longjmp(d->power, 1);
    }
    return d->error;
}

static int operation_ends(struct fake_disk *d)
{
    if (d->operations == d->cut_after) {
        longjmp(d->power, 1);
    }
    return 0;
}

static int store_read(void *ctx, enum mycel_area area, uint32_t offset, void *data, size_t bytes)
{
    struct fake_file *f = &disk_of(ctx)->now[area];
    if (offset >= f->bytes) {
        return 0;
    }
    size_t n = f->bytes - offset < bytes ? f->bytes - offset : bytes;
    memcpy(data, f->data + offset, n);
    return (int)n;
}

static int store_write(void *ctx, enum mycel_area area, uint32_t offset, const void *data,
                       size_t bytes)
{
    struct fake_disk *d = disk_of(ctx);
    int rc = operation_begins(d);
    if (rc < 0) {
        return rc;
    }
    assert_true(area != MYCEL_AREA_JOURNAL);
    assert_true(offset + bytes <= FAKE_BODY_MAX);
    struct fake_file *f = &d->now[area];
    memcpy(f->data + offset, data, bytes);
    f->bytes = offset + bytes > f->bytes ? (uint32_t)(offset + bytes) : f->bytes;
    return operation_ends(d);
}

static int store_sync(void *ctx, enum mycel_area area)
{
    struct fake_disk *d = disk_of(ctx);
    int rc = operation_begins(d);
    if (rc < 0) {
        return rc;
    }
    d->safe[area] = d->now[area];
    return operation_ends(d);
}

static int store_save(void *ctx, const void *data, size_t bytes)
{
    struct fake_disk *d = disk_of(ctx);
    int rc = operation_begins(d);
    if (rc < 0) {
        return rc;
    }
    assert_true(bytes <= MYCEL_JOURNAL_BYTES_MAX);
    struct fake_file *f = &d->now[MYCEL_AREA_JOURNAL];
    memcpy(f->data, data, bytes);
    f->bytes = (uint32_t)bytes;
    d->safe[MYCEL_AREA_JOURNAL] = *f;
    return operation_ends(d);
}

static int store_erase(void *ctx, enum mycel_area area)
{
    struct fake_disk *d = disk_of(ctx);
    int rc = operation_begins(d);
    if (rc < 0) {
        return rc;
    }
    d->now[area].bytes = 0;
    memset(d->now[area].data, 0xDD, sizeof d->now[area].data);
    return operation_ends(d);
}

const struct mycel_store fake_store = {
    store_read, store_write, store_sync,
    store_save, store_erase, MYCEL_STORE_RESIDUAL | MYCEL_STORE_CONTROL | MYCEL_STORE_PATCH};
