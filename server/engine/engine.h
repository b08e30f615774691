/*
 * The coordinator's decisions: who trains what, what counts, when a round ends. A pure state
 * machine: no I/O, no clock, no threads, no allocation after init. Same configuration, same events:
 * the same actions, to the byte. docs/ENGINE.md has the state diagram and the invariants.
 *
 * A shell owns the world and uses the engine like this, on one thread:
 *
 *   config = …; memory = calloc(1, engine_bytes(&config)); engine_init(memory, …, &engine);
 *   for every stored row: engine_step(RUN, RESTORE_…); engine_step(RESTORED);   // same batch rules
 *   on POST /c           engine_step(CHECKIN)       -> [STORE_LEASE] REPLY_LEASE | REPLY_WINDOW |
 * PROBLEM on PUT /u, 1st block engine_step(UPLOAD_QUERY)  -> REPLY_ADMIT | REPLY_RECEIPT | PROBLEM
 * | LOOKUP on a verified body   engine_step(UPDATE)        -> STORE_UPDATE REPLY_RECEIPT
 * [STORE_ROUND AGGREGATE] worker has a sum     engine_step(AGGREGATED)    -> PUBLISH STORE_ROUND
 * STORE_RUN batch is durable     engine_step(COMMITTED)     -> [STORE_ROUND of the next round]
 * EVALUATE worker has metrics   engine_step(EVALUATED)     -> STORE_METRICS [STORE_ROUND |
 * STORE_RUN finished] timer                engine_step(TICK)
 *
 * Shutting down needs no event: stop reading sockets, let the store queue run dry, forget the
 * engine.
 */
#ifndef MYCEL_ENGINE_H
#define MYCEL_ENGINE_H

#include "server/engine/action.h"
#include "server/engine/event.h"

#include <stddef.h>

struct engine; /* opaque; lives in the caller's memory */

/* Limits of the whole coordinator. A 0 takes the default. */
struct engine_config {
    uint32_t device_max; /* devices that may ever check in, ≤ ENGINE_DEVICES_MAX; default 1,024 */
    uint32_t run_max;    /* runs under way at once, ≤ ENGINE_RUNS_MAX; default 4 */
    uint32_t receipt_max;   /* receipts kept in memory (older ones: LOOKUP_RECEIPT), ≤
                               ENGINE_RECEIPTS_MAX; default 4,096 */
    uint32_t strikes_max;   /* rejections in a row that quarantine a device; default 3 */
    uint32_t quarantine_ms; /* default 3,600,000 */
    uint32_t grace_ms;      /* what a round and a lease have left at least after a restart, and so
                               what a wall clock set forward cannot take; default 30,000 */
    uint32_t idle_ms;       /* spread of check-ins while there is no run; default 60,000 */
    uint32_t window_ms_min; /* no device is asked back sooner; default 100 */
    uint32_t window_ms_max; /* … nor later; default 3,600,000 */
    uint32_t
        hold_permille; /* a device that comes back before this share of the time that it was told to
                               wait gets the rest of its window; the remainder is for clocks that run
                               fast. ≤ 1000; 0: windows are advice */
};

/* Bytes that engine_init() needs, aligned as malloc aligns; 0 when a limit is exceeded. */
size_t engine_bytes(const struct engine_config *config);

/*
 * Makes an engine in `memory`, which must be zeroed and stay where it is. Nothing has to be undone:
 * the caller drops the memory.
 * Errors: MYCEL_E_INVALID (config), MYCEL_E_NO_MEMORY (bytes < engine_bytes()).
 */
int engine_init(void *memory, size_t bytes, const struct engine_config *config,
                struct engine **engine);

/*
 * One event in, its consequences out. Never blocks. `actions` is always set; on errors the list is
 * empty and nothing has changed. Errors concern only what the store or an operator said (the events
 * before CHECKIN); a device's mistakes are answered by actions:
 * MYCEL_E_INVALID  a spec or row that makes no sense (see engine_spec_check)
 * MYCEL_E_EXISTS   the run is known already
 * MYCEL_E_NOT_FOUND no such run
 * MYCEL_E_FULL     run_max or device_max is reached
 * MYCEL_E_STATE    not now: RESTORE_… after RESTORED, others before it, PAUSE of an ended run
 */
int engine_step(struct engine *engine, const struct engine_event *event,
                struct engine_actions *actions);

/* MYCEL_OK, or MYCEL_E_INVALID with *what naming the first field that is out of range (static
 * storage; `what` may be NULL). For the command line, before a run is created. */
int engine_spec_check(const struct engine_spec *spec, const char **what);

/* A run at this moment, for `mycel run list`, metrics and the demo's table. */
struct engine_run_view {
    uint32_t run;
    enum engine_phase phase;
    uint32_t round;
    uint32_t attempt;
    enum engine_round_state state;
    uint32_t version;
    uint32_t goal;
    uint32_t seats; /* leases that the round may hold, over-selection included */
    uint32_t live;  /* leases out */
    uint32_t accepted;
    uint32_t rejected;
    uint64_t soft_left_ms; /* to the deadlines; ENGINE_NEVER while the clock does not run */
    uint64_t hard_left_ms;
};

/* The index-th run (0…), 0 or MYCEL_E_NOT_FOUND past the last. */
int engine_run_view(const struct engine *engine, uint32_t index, struct engine_run_view *view);

/* How often a device has come back before its window since the engine was made; 0 for one unknown. */
uint32_t engine_early(const struct engine *engine, uint32_t device);

/* Asserts every invariant of docs/ENGINE.md. O(devices): for tests and debug builds, which call it
 * after each step. */
void engine_check(const struct engine *engine);

#endif
