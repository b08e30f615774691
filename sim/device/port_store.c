/* Flash that never fails: journal and body by copy, what was downloaded by reference. A model that the device has
 * made of a patch is its own until it is synced; then it is the coordinator's, if that has the same. See keep.h
 * for what stays. */
#include "sim/coordinator/coordinator.h"
#include "sim/world/world.h"

#include <mycel/error.h>
#include <stdlib.h>
#include <string.h>

#define OWN_BYTES 4096u /* at first */

static int copy_out(const uint8_t *from, uint32_t have, uint32_t offset, void *data, size_t bytes)
{
    uint32_t left = offset < have ? have - offset : 0;
    uint32_t count = bytes < left ? (uint32_t)bytes : left;
    if (count > 0) {
        memcpy(data, from + offset, count);
    }
    return (int)count;
}

/* What was downloaded, or made of it, and into which area; NULL: another area. */
static struct live_shared *shared_of(struct live_store *store, enum mycel_area area)
{
    switch (area) {
    case MYCEL_AREA_MODEL:
        return &store->models[0];
    case MYCEL_AREA_MODEL_B:
        return &store->models[1];
    case MYCEL_AREA_PATCH:
        return &store->patch;
    case MYCEL_AREA_CONTROL_SERVER:
        return &store->control;
    default:
        return NULL;
    }
}

static const uint8_t *content(const struct live_shared *shared)
{
    return shared->blob != NULL ? shared->blob->data + shared->first : shared->own;
}

const float *port_store_base(const struct live_store *store)
{
    return (const float *)(const void *)content(&store->models[store->base]);
}

static int store_read(void *ctx, enum mycel_area area, uint32_t offset, void *data, size_t bytes)
{
    struct live *live = ctx;
    struct live_store *store = &live->store;
    const struct live_shared *shared = shared_of(store, area);
    if (area == MYCEL_AREA_MODEL || area == MYCEL_AREA_MODEL_B) {
        store->base = area == MYCEL_AREA_MODEL_B;
    }
    if (keep_has(area)) {
        return keep_read(&live->world->keeps, live->device, area, offset, data, bytes);
    }
    if (shared != NULL) {
        const uint8_t *from = content(shared);
        return from == NULL ? 0 : copy_out(from, shared->bytes, offset, data, bytes);
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

static void drop_shared(struct live_shared *shared)
{
    blob_unref(shared->blob);
    free(shared->own);
    *shared = (struct live_shared){0};
}

/* A block lies in the shared blob that has just arrived: the flash refers to it instead of copying. False: it
 * does not. */
static bool write_shared(const struct live_store *store, struct live_shared *shared,
                         uint32_t offset, const uint8_t *data, size_t bytes)
{
    struct blob *blob = store->arrived;
    if (blob == NULL || data < blob->data + offset || data + bytes > blob->data + blob->bytes) {
        return false;
    }
    uint32_t first = (uint32_t)(data - blob->data) - offset;
    if (shared->blob != blob || shared->first != first) {
        drop_shared(shared);
        *shared = (struct live_shared){.blob = blob_ref(blob), .first = first};
    }
    uint32_t end = offset + (uint32_t)bytes;
    shared->bytes = end > shared->bytes ? end : shared->bytes;
    return true;
}

/* What the device makes itself; it has erased the area before. */
static int write_own(struct live_shared *shared, uint32_t offset, const void *data, size_t bytes)
{
    size_t end = (size_t)offset + bytes;
    size_t capacity = shared->capacity == 0 ? OWN_BYTES : shared->capacity;
    if (shared->blob != NULL || end > PROTO_MODEL_PARAMS_MAX * sizeof(float)) {
        return MYCEL_E_IO;
    }
    while (capacity < end) {
        capacity *= 2u;
    }
    if (capacity > shared->capacity) {
        uint8_t *own = realloc(shared->own, capacity);
        if (own == NULL) {
            return MYCEL_E_DISK_FULL;
        }
        shared->own = own;
        shared->capacity = (uint32_t)capacity;
    }
    memcpy(shared->own + offset, data, bytes);
    shared->bytes = end > shared->bytes ? (uint32_t)end : shared->bytes;
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
    if (shared == NULL) {
        return write_body(&live->store, offset, data, bytes);
    }
    return write_shared(&live->store, shared, offset, data, bytes)
               ? MYCEL_OK
               : write_own(shared, offset, data, bytes);
}

static int store_sync(void *ctx, enum mycel_area area)
{
    struct live *live = ctx;
    struct live_shared *shared = shared_of(&live->store, area);
    if (shared != NULL && shared->own != NULL) {
        struct blob *same = coordinator_model(live->world->coordinator, shared->own, shared->bytes);
        if (same != NULL) {
            drop_shared(shared);
            *shared = (struct live_shared){.blob = same, .bytes = (uint32_t)same->bytes};
        }
    }
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
    if (keep == NULL) {
        return;
    }
    memcpy(live->store.journal, keep->journal, keep->journal_bytes);
    live->store.journal_bytes = keep->journal_bytes;
    for (unsigned i = 0; i < KEEP_MODELS; i++) {
        struct blob *model = keep->models[i];
        if (model != NULL) {
            live->store.models[i] =
                (struct live_shared){.blob = blob_ref(model), .bytes = (uint32_t)model->bytes};
        }
    }
}

/* Only whole models: a device that goes to sleep has no download under way. */
static void park_model(const struct live_shared *shared, struct blob **kept)
{
    struct blob *whole = shared->blob;
    bool is_whole = whole != NULL && shared->first == 0 && shared->bytes == whole->bytes;
    if (is_whole) {
        blob_ref(whole);
    }
    blob_unref(*kept);
    *kept = is_whole ? whole : NULL;
}

void port_store_park(struct live *live)
{
    bool has_models = live->port.store == &port_store_patch &&
                      (live->store.models[0].blob != NULL || live->store.models[1].blob != NULL);
    struct keep *keep = has_models ? keep_make(&live->world->keeps, live->device)
                                   : keep_find(&live->world->keeps, live->device);
    if (keep == NULL) {
        if (has_models) {
            world_fail(live->world, MYCEL_E_NO_MEMORY, "no memory for what a device keeps");
        }
        return;
    }
    for (unsigned i = 0; has_models && i < KEEP_MODELS; i++) {
        park_model(&live->store.models[i], &keep->models[i]);
    }
    memcpy(keep->journal, live->store.journal, live->store.journal_bytes);
    keep->journal_bytes = live->store.journal_bytes;
}

void port_store_clear(struct live_store *store)
{
    drop_shared(&store->models[0]);
    drop_shared(&store->models[1]);
    drop_shared(&store->patch);
    drop_shared(&store->control);
    blob_unref(store->arrived);
    free(store->body);
    *store = (struct live_store){0};
}

#define AREAS (MYCEL_STORE_RESIDUAL | MYCEL_STORE_CONTROL)

const struct mycel_store port_store = {store_read, store_write, store_sync,
                                       store_save, store_erase, AREAS};
const struct mycel_store port_store_patch = {store_read, store_write, store_sync,
                                             store_save, store_erase, AREAS | MYCEL_STORE_PATCH};
