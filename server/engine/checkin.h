/*
 * A device says that it is awake: the same lease again, a new one, or a window.
 */
#ifndef MYCEL_ENGINE_CHECKIN_H
#define MYCEL_ENGINE_CHECKIN_H

#include "server/engine/internal.h"

void checkin_take(struct engine *e, const struct engine_event_checkin *checkin);

#endif
