/*
 * Live leases by deadline: a binary heap of device slots, ties broken by slot. Owns engine.heap and
 * device.heap_at; it must not change a lease.
 */
#ifndef MYCEL_ENGINE_HEAP_H
#define MYCEL_ENGINE_HEAP_H

#include "server/engine/internal.h"

void heap_push(struct engine *e, uint32_t device_slot);
void heap_remove(struct engine *e, uint32_t device_slot);

#endif
