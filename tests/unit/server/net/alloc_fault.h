/*
 * Makes the n-th allocation fail, once or from there on. Every test of this folder is linked with
 * malloc and calloc wrapped, those of the TLS and CoAP libraries included; only allocations between
 * enter and leave count, so that a client in the same process is not hit.
 */
#ifndef MYCEL_TESTS_UNIT_SERVER_NET_ALLOC_FAULT_H
#define MYCEL_TESTS_UNIT_SERVER_NET_ALLOC_FAULT_H

#include <stdbool.h>

/* The n-th counted allocation from now on fails (1: the next); 0: none. `sticky`: all after it too. */
void alloc_fault_arm(unsigned nth, bool sticky);

/* Whether an allocation was made to fail since alloc_fault_arm. */
bool alloc_fault_fired(void);

/* Allocations counted since then. */
unsigned alloc_fault_count(void);

void alloc_fault_enter(void);
void alloc_fault_leave(void);

#endif
