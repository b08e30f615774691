/*
 * Rows of the store back into memory, before the first request. It must not emit anything: nothing
 * here is news.
 */
#ifndef MYCEL_ENGINE_RESTORE_H
#define MYCEL_ENGINE_RESTORE_H

#include "server/engine/internal.h"

/* One RESTORE_* event. Errors as engine_step(). */
int restore_row(struct engine *e, const struct engine_event *event);

#endif
