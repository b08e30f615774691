/*
 * What stays in a device's flash while it sleeps: the optional areas of its store (residuals of codecs with
 * error feedback, SCAFFOLD's control variates, the model that patches are added to) and the journal that says
 * which of them hold. Only devices that have written such an area have any; for all others sleep costs nothing.
 * Models are the coordinator's own, shared by all who hold the same one.
 */
#ifndef MYCEL_SIM_DEVICE_KEEP_H
#define MYCEL_SIM_DEVICE_KEEP_H

#include "sim/world/blob.h"

#include <mycel/port.h>
#include <stdbool.h>
#include <stdint.h>

#define KEEP_AREAS (MYCEL_AREA_CONTROL_B - MYCEL_AREA_RESIDUAL_A + 1u)
#define KEEP_MODELS 2u /* MODEL and MODEL_B */

struct keep_area {
    uint8_t *data;
    uint32_t bytes;
    uint32_t capacity;
};

/* Of one device. */
struct keep {
    struct keep_area areas[KEEP_AREAS];
    struct blob *models[KEEP_MODELS]; /* NULL: nothing there */
    uint8_t journal[MYCEL_JOURNAL_BYTES_MAX];
    uint32_t journal_bytes;
};

/* Of all devices. Begins as zeros and the number of devices. */
struct keeps {
    uint32_t devices;
    struct keep **of; /* by device; NULL until there is one */
    uint64_t bytes;   /* of all areas */
};

/* Whether flash of this kind is kept. */
static inline bool keep_has(enum mycel_area area)
{
    return area >= MYCEL_AREA_RESIDUAL_A && area <= MYCEL_AREA_CONTROL_B;
}

/* The device's; NULL: it has none. */
struct keep *keep_find(const struct keeps *keeps, uint32_t device);

/* The same, made if need be; NULL: no memory. */
struct keep *keep_make(struct keeps *keeps, uint32_t device);

/* As a port's store functions. A device's first write makes its record; DISK_FULL. */
int keep_read(const struct keeps *keeps, uint32_t device, enum mycel_area area, uint32_t offset,
              void *data, size_t bytes);
int keep_write(struct keeps *keeps, uint32_t device, enum mycel_area area, uint32_t offset,
               const void *data, size_t bytes);
void keep_erase(struct keeps *keeps, uint32_t device, enum mycel_area area);

/* Forgets all that a device has. */
void keep_drop(struct keeps *keeps, uint32_t device);
void keeps_free(struct keeps *keeps);

#endif
