/*
 * The part of the script in which a device comes to its second key over the air and to its third in a file.
 * Whatever is cut off, it has the key that it was last told works.
 */
#ifndef TESTS_FAULT_STORE_ROTATE_SCRIPT_H
#define TESTS_FAULT_STORE_ROTATE_SCRIPT_H

#include "script.h"

/* Does what is missing. 0, or the first error. */
int rotate_script_run(struct script *script, const char *identity, uint64_t now_ms);

/* Compares the open store with what was acknowledged, and counts what is lost or wrong. */
int rotate_script_check(struct script *script, const char *identity);

#endif
