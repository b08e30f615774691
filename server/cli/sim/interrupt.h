/* Ctrl-C and SIGTERM end a simulation at the next look, so that what it has come to is told and written. */
#ifndef MYCEL_SERVER_CLI_SIM_INTERRUPT_H
#define MYCEL_SERVER_CLI_SIM_INTERRUPT_H

#include <stdbool.h>

/* From now on the signals are noted, and end nothing by themselves. */
void interrupt_catch(void);

/* Whether one has come. */
bool interrupt_came(void);

#endif
