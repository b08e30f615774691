/* Flash that never fails: the journal and the body by copy, the model by reference. */
#include "sim/live.h"

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

static int store_read(void *ctx, enum mycel_area area, uint32_t offset, void *data, size_t bytes)
{
    const struct live_store *store = &((const struct live *)ctx)->store;
    if (area == MYCEL_AREA_JOURNAL) {
        return copy_out(store->journal, store->journal_bytes, offset, data, bytes);
    }
    if (area == MYCEL_AREA_MODEL) {
        return store->model == NULL
                   ? 0
                   : copy_out(store->model->data, store->model_bytes, offset, data, bytes);
    }
    if (area == MYCEL_AREA_BODY) {
        return copy_out(store->body, store->body_bytes, offset, data, bytes);
    }
    return MYCEL_E_UNSUPPORTED;
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

static int store_write(void *ctx, enum mycel_area area, uint32_t offset, const void *data,
                       size_t bytes)
{
    struct live_store *store = &((struct live *)ctx)->store;
    if (area == MYCEL_AREA_BODY) {
        return write_body(store, offset, data, bytes);
    }
    /* Blocks of a model come out of the shared blob that the transport has put in place. */
    if (area != MYCEL_AREA_MODEL || store->model == NULL || offset + bytes > store->model->bytes ||
        data != store->model->data + offset) {
        return MYCEL_E_IO;
    }
    if (offset + bytes > store->model_bytes) {
        store->model_bytes = offset + (uint32_t)bytes;
    }
    return MYCEL_OK;
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

static int store_erase(void *ctx, enum mycel_area area)
{
    struct live_store *store = &((struct live *)ctx)->store;
    if (area == MYCEL_AREA_MODEL) {
        blob_unref(store->model);
        store->model = NULL;
        store->model_bytes = 0;
    } else if (area == MYCEL_AREA_BODY) {
        store->body_bytes = 0;
    }
    return MYCEL_OK;
}

void port_store_clear(struct live_store *store)
{
    blob_unref(store->model);
    free(store->body);
    store->model = NULL;
    store->body = NULL;
    store->journal_bytes = store->model_bytes = store->body_bytes = store->body_capacity = 0;
}

const struct mycel_store port_store = {store_read, store_write, store_sync,
                                       store_save, store_erase, 0};
