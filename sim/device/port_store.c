/* Flash that never fails: journal and body by copy, what was downloaded by reference. See keep.h for what stays. */
#include "sim/world/world.h"

#include <mycel/error.h>
#include <stdlib.h>
#include <string.h>

static int copy_out(const uint8_t *from, uint32_t have, uint32_t offset, void *data, size_t bytes)
{
    uint32_t left = offset < have ? have - offset : 0;
    uint32_t count = bytes < left ? (uint32_t)bytes : left;
    if (count > 0) {
        memcpy(data, from + offset, count);
    }
    return (int)count;
}

/* What was downloaded, and into which of two areas; NULL: another area. */
static struct live_shared *shared_of(struct live_store *store, enum mycel_area area)
{
    return area == MYCEL_AREA_MODEL            ? &store->model
           : area == MYCEL_AREA_CONTROL_SERVER ? &store->control
                                               : NULL;
}

static int store_read(void *ctx, enum mycel_area area, uint32_t offset, void *data, size_t bytes)
{
    struct live *live = ctx;
    struct live_store *store = &live->store;
    const struct live_shared *shared = shared_of(store, area);
    if (keep_has(area)) {
        return keep_read(&live->world->keeps, live->device, area, offset, data, bytes);
    }
    if (shared != NULL) {
        return shared->blob == NULL
                   ? 0
                   : copy_out(shared->blob->data, shared->bytes, offset, data, bytes);
    }
    return area == MYCEL_AREA_JOURNAL
               ? copy_out(store->journal, store->journal_bytes, offset, data, bytes)
               : copy_out(store->body, store->body_bytes, offset, data, bytes);
}

static int write_body(struct live_store *store, uint32_t offset, const void *data, size_t bytes)
{
    size_t end = (size_t)offset + bytes;
    if (end > PROTO_UPDATE_BYTES_MAX) {
        return MYCEL_E_DISK_FULL;
    }
    if (end > store->body_capacity) {
        size_t capacity = store->body_capacity == 0 ? 4096u : store->body_capacity;
        while (capacity < end) {
            capacity *= 2u;
        }
        uint8_t *body = realloc(store->body, capacity);
        if (body == NULL) {
            return MYCEL_E_DISK_FULL;
        }
        store->body = body;
        store->body_capacity = (uint32_t)capacity;
    }
    memcpy(store->body + offset, data, bytes);
    if (end > store->body_bytes) {
        store->body_bytes = (uint32_t)end;
    }
    return MYCEL_OK;
}

/* A block lies in the shared blob that has just arrived: the flash refers to it instead of copying. */
static int write_shared(struct live_store *store, struct live_shared *shared, uint32_t offset,
                        const void *data, size_t bytes)
{
    struct blob *blob = store->arrived;
    if (blob == NULL || offset + bytes > blob->bytes || data != blob->data + offset) {
        return MYCEL_E_IO;
    }
    if (shared->blob != blob) {
        blob_unref(shared->blob);
        *shared = (struct live_shared){.blob = blob_ref(blob)};
    }
    uint32_t end = offset + (uint32_t)bytes;
    shared->bytes = end > shared->bytes ? end : shared->bytes;
    return MYCEL_OK;
}

static int store_write(void *ctx, enum mycel_area area, uint32_t offset, const void *data,
                       size_t bytes)
{
    struct live *live = ctx;
    struct live_shared *shared = shared_of(&live->store, area);
    if (keep_has(area)) {
        return keep_write(&live->world->keeps, live->device, area, offset, data, bytes);
    }
    return shared != NULL ? write_shared(&live->store, shared, offset, data, bytes)
                          : write_body(&live->store, offset, data, bytes);
}

static int store_sync(void *ctx, enum mycel_area area)
{
    (void)ctx;
    (void)area;
    return MYCEL_OK;
}

static int store_save(void *ctx, const void *data, size_t bytes)
{
    struct live_store *store = &((struct live *)ctx)->store;
    if (bytes > sizeof store->journal) {
        return MYCEL_E_DISK_FULL;
    }
    memcpy(store->journal, data, bytes);
    store->journal_bytes = (uint32_t)bytes;
    return MYCEL_OK;
}

static void drop_shared(struct live_shared *shared)
{
    blob_unref(shared->blob);
    *shared = (struct live_shared){0};
}

static int store_erase(void *ctx, enum mycel_area area)
{
    struct live *live = ctx;
    struct live_shared *shared = shared_of(&live->store, area);
    if (keep_has(area)) {
        keep_erase(&live->world->keeps, live->device, area);
    } else if (shared != NULL) {
        drop_shared(shared);
    } else {
        live->store.body_bytes = 0;
    }
    return MYCEL_OK;
}

void port_store_arrived(struct live_store *store, struct blob *blob)
{
    if (blob != NULL && store->arrived != blob) {
        blob_unref(store->arrived);
        store->arrived = blob_ref(blob);
    }
}

void port_store_wake(struct live *live)
{
    const struct keep *keep = keep_find(&live->world->keeps, live->device);
    if (keep != NULL) {
        memcpy(live->store.journal, keep->journal, keep->journal_bytes);
        live->store.journal_bytes = keep->journal_bytes;
    }
}

void port_store_park(struct live *live)
{
    struct keep *keep = keep_find(&live->world->keeps, live->device);
    if (keep != NULL) {
        memcpy(keep->journal, live->store.journal, live->store.journal_bytes);
        keep->journal_bytes = live->store.journal_bytes;
    }
}

void port_store_clear(struct live_store *store)
{
    drop_shared(&store->model);
    drop_shared(&store->control);
    blob_unref(store->arrived);
    free(store->body);
    *store = (struct live_store){0};
}

const struct mycel_store port_store = {store_read,  store_write,
                                       store_sync,  store_save,
                                       store_erase, MYCEL_STORE_RESIDUAL | MYCEL_STORE_CONTROL};
