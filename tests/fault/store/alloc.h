/* Allocations that fail: SQLite's, through its own hook, and the store's, through the linker's --wrap. */
#ifndef TESTS_FAULT_STORE_ALLOC_H
#define TESTS_FAULT_STORE_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

/* Before SQLite is used for the first time. */
void alloc_install(void);

/* Lets the at-th allocation from now (1…) fail, and with `sticky` all later ones until alloc_heal(). */
void alloc_arm(uint64_t at, bool sticky);
void alloc_heal(void);
bool alloc_struck(void);

/* For further hooks: whether this allocation has to fail. */
bool alloc_fails(void);

#endif
