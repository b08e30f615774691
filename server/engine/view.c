/*
 * Looking at the engine without touching it.
 */
#include "server/engine/engine.h"

#include "server/engine/device.h"
#include "server/engine/spec.h"

#include <string.h>

static uint64_t left_ms(const struct engine *e, const struct round *round, uint64_t end_ms)
{
    if (!round->started || !round_is_collecting(round)) {
        return ENGINE_NEVER;
    }
    return end_ms > e->now_ms ? end_ms - e->now_ms : 0;
}

uint32_t engine_early(const struct engine *engine, uint32_t device)
{
    uint32_t slot = device_find(engine, device);

    return slot == ENGINE_NO_SLOT ? 0 : engine->devices[slot].early;
}

int engine_run_view(const struct engine *engine, uint32_t index, struct engine_run_view *view)
{
    memset(view, 0, sizeof *view);
    if (index >= engine->run_count) {
        return MYCEL_E_NOT_FOUND;
    }
    const struct run *run = &engine->runs[index];
    const struct round *round = &run->round;

    view->run = run->spec.run;
    view->phase = run->phase;
    view->round = round->number;
    view->attempt = round->attempt;
    view->state = round->state;
    view->version = run->base.version;
    view->goal = run->spec.goal;
    view->seats = spec_seats(&run->spec, &run->learned);
    view->live = run->live;
    view->accepted = round->tally.accepted;
    view->rejected = round->rejected;
    view->soft_left_ms = left_ms(engine, round, round->soft_end_ms);
    view->hard_left_ms = left_ms(engine, round, round->hard_end_ms);
    return MYCEL_OK;
}
