/* What goes wrong in the world, by the scenario's rates: power failures, devices that vanish, crashes of
 * the coordinator. Owns when; what a failure destroys is its victim's business. */
#ifndef MYCEL_SIM_FAULT_H
#define MYCEL_SIM_FAULT_H

#include <stdint.h>

struct world;

/* A device has woken: announces its next power failure, if one comes in time. */
void fault_plan_reboot(struct world *world, uint32_t live);
/* WORLD_REBOOT: the power of the device that holds this live record fails and comes back. */
void fault_reboot(struct world *world, uint32_t token);

/* Whether a device that was just given a lease disappears while it trains. */
int fault_vanishes(const struct world *world, uint32_t device, uint32_t lease);
/* It does: whatever it held is lost, and it is seen again much later. */
void fault_vanish(struct world *world, uint32_t device);

/* Announces the coordinator's next crash, if the scenario has any. */
void fault_plan_crash(struct world *world);
/* WORLD_CRASH. */
void fault_crash(struct world *world);

#endif
