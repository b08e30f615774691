/*
 * Selection: which run a device that checks in works for, or why for none. Owns the eligibility marks
 * and the quotas; it must not grant the lease itself.
 */
#ifndef MYCEL_ENGINE_COHORT_H
#define MYCEL_ENGINE_COHORT_H

#include "server/engine/internal.h"

struct cohort_choice {
    enum engine_why why; /* SELECTED: run_slot and codec are set */
    uint32_t run_slot;   /* else the run that came closest, or ENGINE_NO_SLOT */
    uint8_t codec;
};

/*
 * Looks at every run under way. Among those with a seat for this device the emptiest (in seats taken
 * per seat) wins, then the lowest id, so that two runs grow side by side.
 */
struct cohort_choice cohort_choose(struct engine *e, uint32_t device_slot,
                                   const struct engine_facts *facts);

/* Books the seat that cohort_choose() found: quotas. Before lease_grant(). */
void cohort_take_seat(struct engine *e, uint32_t device_slot, uint32_t run_slot);

/* Seats that the run's round, which is collecting, has left; 0 when selection is over. */
uint32_t cohort_seats_left(const struct engine *e, const struct run *run);

#endif
