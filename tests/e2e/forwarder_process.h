/* The forwarder (tests/e2e/forwarder) as a process of a test. */
#ifndef MYCEL_TESTS_E2E_FORWARDER_PROCESS_H
#define MYCEL_TESTS_E2E_FORWARDER_PROCESS_H

#include "harness.h"

/* Starts it between a port of its own (0: a free one) and `to_port`, both on 127.0.0.1. Returns its
 * port. `process->log` has to be set; `options` are the forwarder's, NULL-terminated. */
uint16_t forwarder_start(struct process *process, const char *folder, uint16_t port,
                         uint16_t to_port, const char *const *options);

/* Ends it and returns what it counted; the caller frees it with json_decref. */
json_t *forwarder_stop(struct process *process);

#endif
