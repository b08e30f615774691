/*
 * Turns a one-time token into a device: asks the coordinator with the token's identity, makes the
 * device's own key with it, and writes the key file. Everything is done again after a crash or a failure
 * at any point, as often as it takes: the coordinator takes a token until its device has come with the key.
 */
#ifndef MYCEL_CLIENT_PORT_LINUX_ENROL_H
#define MYCEL_CLIENT_PORT_LINUX_ENROL_H

#include "client/port/linux/key_file.h"
#include "client/port/linux/progress.h"
#include "client/port/linux/run.h"

/* Blocks until the key file is written, or for ever while no coordinator answers; a signal ends the
 * process, which does no harm. *out is what was written; wipe it after use. <0: MYCEL_E_REVOKED (the
 * coordinator no longer takes the token), MYCEL_E_INVALID (it names another device than the options), and
 * those of key_file_read and _write, coap_transport_open. */
int enrol_device(const struct client_options *options, const struct progress *progress,
                 struct key_file *out);

#endif
