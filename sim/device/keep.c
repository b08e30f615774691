/* See keep.h. */
#include "sim/device/keep.h"

#include "common/assert.h"
#include "proto/limits.h"

#include <mycel/error.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 4096u

static struct keep_area *area_of(struct keep *kept, enum mycel_area area)
{
    MYCEL_ASSERT(keep_has(area));
    return &kept->areas[area - MYCEL_AREA_RESIDUAL_A];
}

struct keep *keep_find(const struct keeps *keeps, uint32_t device)
{
    return keeps->of != NULL ? keeps->of[device] : NULL;
}

struct keep *keep_make(struct keeps *keeps, uint32_t device)
{
    if (keeps->of == NULL) {
        keeps->of = calloc(keeps->devices, sizeof *keeps->of);
    }
    if (keeps->of == NULL) {
        return NULL;
    }
    if (keeps->of[device] == NULL) {
        keeps->of[device] = calloc(1, sizeof **keeps->of);
    }
    return keeps->of[device];
}

int keep_read(const struct keeps *keeps, uint32_t device, enum mycel_area area, uint32_t offset,
              void *data, size_t bytes)
{
    struct keep *kept = keep_find(keeps, device);
    const struct keep_area *from = kept != NULL ? area_of(kept, area) : NULL;
    if (from == NULL || offset >= from->bytes) {
        return 0;
    }
    uint32_t left = from->bytes - offset;
    uint32_t count = bytes < left ? (uint32_t)bytes : left;
    memcpy(data, from->data + offset, count);
    return (int)count;
}

static int reserve(struct keep_area *area, size_t end)
{
    if (end <= area->capacity) {
        return MYCEL_OK;
    }
    size_t capacity = area->capacity == 0 ? FIRST_BYTES : area->capacity;
    while (capacity < end) {
        capacity *= 2u;
    }
    uint8_t *data = realloc(area->data, capacity);
    if (data == NULL) {
        return MYCEL_E_DISK_FULL;
    }
    area->data = data;
    area->capacity = (uint32_t)capacity;
    return MYCEL_OK;
}

int keep_write(struct keeps *keeps, uint32_t device, enum mycel_area area, uint32_t offset,
               const void *data, size_t bytes)
{
    size_t end = (size_t)offset + bytes;
    struct keep *kept = keep_make(keeps, device);
    if (kept == NULL || end > PROTO_MODEL_PARAMS_MAX * sizeof(float)) {
        return MYCEL_E_DISK_FULL;
    }
    struct keep_area *to = area_of(kept, area);
    uint32_t before = to->capacity;
    int rc = reserve(to, end);
    if (rc < 0) {
        return rc;
    }
    keeps->bytes += to->capacity - before;
    memcpy(to->data + offset, data, bytes);
    to->bytes = end > to->bytes ? (uint32_t)end : to->bytes;
    return MYCEL_OK;
}

void keep_erase(struct keeps *keeps, uint32_t device, enum mycel_area area)
{
    struct keep *kept = keep_find(keeps, device);
    if (kept != NULL) {
        struct keep_area *erased = area_of(kept, area);
        keeps->bytes -= erased->capacity;
        free(erased->data);
        *erased = (struct keep_area){0};
    }
}

void keep_drop(struct keeps *keeps, uint32_t device)
{
    struct keep *kept = keep_find(keeps, device);
    if (kept == NULL) {
        return;
    }
    for (unsigned i = 0; i < KEEP_AREAS; i++) {
        keeps->bytes -= kept->areas[i].capacity;
        free(kept->areas[i].data);
    }
    for (unsigned i = 0; i < KEEP_MODELS; i++) {
        blob_unref(kept->models[i]);
    }
    free(kept);
    keeps->of[device] = NULL;
}

void keeps_free(struct keeps *keeps)
{
    for (uint32_t i = 0; keeps->of != NULL && i < keeps->devices; i++) {
        keep_drop(keeps, i);
    }
    free(keeps->of);
    *keeps = (struct keeps){0};
}
