/*
 * A random world around the engine: devices that come, work, lie, repeat themselves and vanish; a disk
 * that lags behind; workers that fail; an operator; power cuts; clocks that jump. Everything follows
 * from one seed. It checks safety after every step, and that training goes on once the faults stop.
 */
#ifndef TESTS_ENGINE_WORLD_H
#define TESTS_ENGINE_WORLD_H

#include "tests/unit/server/engine/shell.h"

struct world;

/* Never NULL. */
struct world *world_open(uint64_t seed);
void world_close(struct world *world);

/* One random event and its consequences. */
void world_step(struct world *world);

/* No more faults: asserts that each run under way commits a version within a bounded time. */
void world_heal(struct world *world);

/* Called for every event and what the engine answered. */
typedef void world_tap(void *user, const struct engine_event *event,
                       const struct engine_actions *actions, bool restarted);
void world_set_tap(struct world *world, world_tap *tap, void *user);

struct world_figures {
    uint64_t steps;
    uint64_t counted;
    uint64_t rejected;
    uint64_t late;
    uint64_t versions;
    uint64_t restarts;
};

struct world_figures world_figures(const struct world *world);
const struct shell *world_shell(const struct world *world);

#endif
