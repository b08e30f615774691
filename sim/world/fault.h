/* What goes wrong in the world, by the scenario's rates: power failures, devices that vanish, crashes of
 * the coordinator. Owns when; what a failure destroys is its victim's business. */
#ifndef MYCEL_SIM_WORLD_FAULT_H
#define MYCEL_SIM_WORLD_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#define FAULT_CRASHES_MAX 32u /* that a scenario places by number */

struct world;

/* What a scenario says about when; the rest is drawn. */
struct fault_plan {
    uint64_t heal_us; /* UINT64_MAX: never */
    uint64_t events[FAULT_CRASHES_MAX];
    uint64_t commits[FAULT_CRASHES_MAX];
    uint32_t event_count;
    uint32_t commit_count;
    uint64_t committed; /* groups of rows, ever */
};

/* Reads the plan. INVALID with words in `problem` (SCENARIO_PROBLEM_BYTES). */
int fault_init(struct world *world, char *problem);

/* From heal_s on nothing goes wrong any more. */
bool fault_healed(const struct world *world);

/* A device has woken: announces its next power failure, if one comes in time. */
void fault_plan_reboot(struct world *world, uint32_t live);
/* WORLD_REBOOT: the power of the device that holds this live record fails and comes back. */
void fault_reboot(struct world *world, uint32_t token);

/* Whether a device that was just given a lease disappears while it trains. */
bool fault_vanishes(const struct world *world, uint32_t device, uint32_t lease);
/* It does: whatever it held is lost, and it is seen again much later. */
void fault_vanish(struct world *world, uint32_t device);

/* Announces the coordinator's next crash, if the scenario has any. */
void fault_plan_crash(struct world *world);
/* WORLD_CRASH: it dies, and starts again at once or down_s later. */
void fault_crash(struct world *world);

/* Whether the scenario has the coordinator crash here: after this event, after this commit. */
bool fault_after_event(const struct world *world);
bool fault_at_commit(struct world *world);

#endif
