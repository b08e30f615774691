/*
 * The part of the script in which a device enrols itself with a token: the operator makes it, the device
 * uses it, comes with its key and so spends it. Whatever is cut off, token or key is valid.
 */
#ifndef TESTS_FAULT_STORE_ENROL_SCRIPT_H
#define TESTS_FAULT_STORE_ENROL_SCRIPT_H

#include "script.h"

/* Does what is missing. 0, or the first error. */
int enrol_script_run(struct script *script, const char *identity, uint64_t now_ms);

/* Compares the open store with what was acknowledged, and counts what is lost or wrong. */
int enrol_script_check(struct script *script, const char *identity);

#endif
