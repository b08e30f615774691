/*
 * A real coordinator for the load generator: a store in a folder of its own, enrolled devices, one run,
 * and a `mycel serve` process whose CPU time can be read. It must never look into that process otherwise.
 */
#ifndef MYCEL_TESTS_BENCH_FLEET_COORDINATOR_H
#define MYCEL_TESTS_BENCH_FLEET_COORDINATOR_H

#include <stdint.h>
#include <sys/types.h>

#include "proto/limits.h"

#define COORDINATOR_PATH_BYTES 128

struct coordinator_options {
    uint32_t devices;
    uint32_t tokens; /* for devices that enrol themselves */
    uint32_t goal;   /* updates of a round */
    uint32_t pace_ms;
    uint32_t keep_versions; /* 0: its own default */
    const char *model;
    const char *codec; /* as `mycel run create` names it */
    const char *downlink;
};

struct coordinator {
    char folder[COORDINATOR_PATH_BYTES]; /* removed at the end */
    pid_t pid;
    uint16_t port;
};

/* Returns when it serves. Prints what is wrong and returns -1 otherwise. */
int coordinator_start(struct coordinator *coordinator, const struct coordinator_options *options);

/* The token of a newcomer. */
void coordinator_token(uint32_t index, uint8_t token[PROTO_TOKEN_BYTES]);

/* User and system time of the whole process so far, all threads. */
double coordinator_cpu_s(const struct coordinator *coordinator);

/* Ends the process and removes the folder. -1 if it did not end well. */
int coordinator_stop(struct coordinator *coordinator);

#endif
