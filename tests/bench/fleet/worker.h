/*
 * A process full of devices: an event loop over their sockets and wake times. It owns the process from
 * its fork on.
 */
#ifndef MYCEL_TESTS_BENCH_FLEET_WORKER_H
#define MYCEL_TESTS_BENCH_FLEET_WORKER_H

#include <sys/types.h>

#include "tests/bench/fleet/device.h"

struct worker_options {
    uint32_t first; /* index of its first device */
    uint32_t devices;
    uint16_t port;
    uint32_t codecs;
    struct device_counts *counts; /* in memory shared with whoever reads them */
};

/* Forks. The process runs until it is killed, or its parent ends. Its id, or -1. */
pid_t worker_start(const struct worker_options *options);

#endif
