/*
 * `mpirun -n N mycel sim …`: rank 0 is the command, the others train for it. Owns who does what at the
 * start and at the end; the work is in sim/training/workers.h.
 */
#ifndef MYCEL_SERVER_CLI_SIM_RANKS_H
#define MYCEL_SERVER_CLI_SIM_RANKS_H

#include <stdbool.h>

struct peers;

/* True: go on as the command; *peers are the others, NULL without mpirun. False: this process was one of the
 * others, and is to end with *code; or that was tried and failed, which was said. Blocks. */
bool ranks_enter(struct peers **peers, int *code);

/* Sends the others home. */
void ranks_leave(struct peers *peers);

#endif
