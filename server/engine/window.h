/*
 * Windows that were told, and that a device cannot shorten: who comes back too soon gets the rest of the same
 * window, whatever else it says. Owns what is remembered of them. It forgets them in a restart, which no device
 * can bring about; nothing a device carries decides.
 */
#ifndef MYCEL_ENGINE_WINDOW_H
#define MYCEL_ENGINE_WINDOW_H

#include "server/engine/internal.h"

/* The device is being told this window. */
void window_told(struct engine *e, uint32_t device_slot, const struct engine_window *window);

/* It has a lease: no window holds it any more. */
void window_forget(struct engine *e, uint32_t device_slot);

/* Whether it is back before hold_permille of the time it was told to wait at least; counted if so. */
bool window_is_early(struct engine *e, uint32_t device_slot);

/* What is left of that window. */
struct engine_window window_rest(const struct engine *e, uint32_t device_slot);

#endif
