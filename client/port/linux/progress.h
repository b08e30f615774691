/*
 * One line per event of the client, for people or for programs. It owns the words; it must never hold
 * the client up: a line that cannot be written is dropped.
 */
#ifndef MYCEL_CLIENT_PORT_LINUX_PROGRESS_H
#define MYCEL_CLIENT_PORT_LINUX_PROGRESS_H

#include <mycel/port.h>
#include <stdio.h>

struct progress {
    FILE *out;
    const char *device; /* printable ASCII without quotes, as identities are */
    bool json;
};

/* {"event":"trained","device":"…","run":1,"round":2,…} or "device: trained …", flushed. */
void progress_event(const struct progress *progress, const struct mycel_event *event);

/* The last line: rounds done and bytes of CoAP messages. */
void progress_end(const struct progress *progress, uint32_t rounds, uint64_t bytes_sent,
                  uint64_t bytes_received);

/* A failure before or after the client runs. */
void progress_failure(const struct progress *progress, int code, const char *what);

#endif
