/*
 * One device of the load generator: the real client runtime over a light transport, its store in memory,
 * and a trainer that trains nothing: its result is the base plus a ready-made delta. Whatever the runtime
 * learns to do on the wire, the generator does too. It must never be the bottleneck of a bench.
 */
#ifndef MYCEL_TESTS_BENCH_FLEET_DEVICE_H
#define MYCEL_TESTS_BENCH_FLEET_DEVICE_H

#include <mycel/client.h>

#include "tests/bench/fleet/link.h"

#define DEVICE_KEY_BYTES 16u
#define DEVICE_NAME_BYTES 16u
#define DEVICE_DELTAS 16384u /* a power of two */

/* What the devices of a process have done and seen. */
struct device_counts {
    uint64_t receipts; /* updates that counted */
    uint64_t refused;  /* receipts with a reason */
    uint64_t leases;
    uint64_t windows; /* check-ins without work */
    uint64_t problems;
    struct link_traffic traffic;
};

/* What the devices of a process share. The last problem's words are for whoever looks for a bug. */
struct device_shared {
    struct mycel_client_config config;
    struct device_counts *counts;
    uint64_t scratch[MYCEL_CLIENT_SCRATCH_BYTES / sizeof(uint64_t)];
    uint8_t plain[LINK_DATAGRAM_BYTES_MAX];
    float deltas[DEVICE_DELTAS];
    uint16_t port;
    uint64_t drawn; /* random numbers so far */
    char problem[96];
};

struct device_area {
    uint8_t *data;
    uint32_t bytes;
    uint32_t room;
};

/* Must stay where it is once opened. */
struct device {
    struct mycel_client client;
    struct mycel_port ports;
    struct link link;
    struct device_shared *shared;
    struct device_area areas[MYCEL_AREA_COUNT];
    enum mycel_area base; /* which of the pair holds the model that is trained */
    uint32_t index;
    uint64_t wake_ms;
};

/* Identity and key of device `index`, the same for whoever enrols it. */
void device_name(uint32_t index, char name[DEVICE_NAME_BYTES]);
void device_key(uint32_t index, uint8_t key[DEVICE_KEY_BYTES]);

/* codecs: bit i allows Codec i. */
void device_share(struct device_shared *shared, struct device_counts *counts, uint16_t port,
                  uint32_t codecs);

/* Starts device `index` on an address of its own in 127/8. 0, or an error of link_init or of
 * mycel_client_init. */
int device_open(struct device *device, struct device_shared *shared, uint32_t index);

/* Does what is due and sets wake_ms. */
void device_poll(struct device *device);

void device_close(struct device *device);

#endif
