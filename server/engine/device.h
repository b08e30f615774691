/*
 * Devices that have been heard of: their slots, strikes and quarantine. Identity and keys are the
 * shell's; to the engine a device is a number.
 */
#ifndef MYCEL_ENGINE_DEVICE_H
#define MYCEL_ENGINE_DEVICE_H

#include "server/engine/internal.h"

/* The slot of a device, or ENGINE_NO_SLOT: device_get() when all device_max are taken. */
uint32_t device_find(const struct engine *e, uint32_t id);
uint32_t device_get(struct engine *e, uint32_t id);

bool device_is_quarantined(const struct engine *e, uint32_t slot);

/* An update was rejected: counts it, and quarantines from strikes_max on. Stores and audits. */
void device_strike(struct engine *e, uint32_t slot, const struct run *run, int32_t status);

/* An update was counted: what was is forgiven. Stores if there was anything. */
void device_forgive(struct engine *e, uint32_t slot);

/* Remembers why it got no lease; stores it when it is news. Never with SELECTED. */
void device_set_why(struct engine *e, uint32_t slot, uint32_t run, enum engine_why why);

#endif
