/* What the sweeps share: one history of fleet and coordinator on one simulated disk. */
#ifndef TESTS_FAULT_COORDINATOR_SWEEP_H
#define TESTS_FAULT_COORDINATOR_SWEEP_H

#include "fleet.h"
#include "tests/fault/store/disk.h"
#include "tests/fault/store/vfs.h"

#define SWEEP_OVER_PERMILLE 1334u /* a seat for the poisonous device beside the goal of three */

struct sweep;

struct trial {
    struct sweep *sweep;
    struct disk *disk;
    struct fleet fleet;
};

struct sweep {
    char folder[64];
    char database[DISK_NAME_BYTES];
    uint64_t stride;
    uint64_t seeds;
    enum downlink downlink;
    uint8_t reference[PROTO_SHA256_BYTES]; /* the model of an undisturbed history */
    uint64_t points;
    uint64_t runs;
    uint64_t replays;
    uint64_t patches;
    uint64_t lost;
    uint64_t doubled;
    uint64_t wrong;
    struct trial trial; /* the present one */
};

/* A disk with a prepared store; over_permille: seats of a round as a part of its goal. */
void trial_begin(struct sweep *sweep, struct trial *trial, uint32_t over_permille);

/* Counts a failure and says what the store said. */
void trial_complain(struct trial *trial, const char *what, int code);

/* kill -9, and two seconds without a coordinator; its next life begins at this monotonic time. */
void trial_restart(struct trial *trial, uint64_t now_ms);

/* Brings the history to its end, checks it, again after a last power cut, and adds up what was found. */
void trial_end(struct trial *trial);

/* Says which point it was that something was found at since `before` findings. */
void sweep_point_out(const struct sweep *sweep, const char *kind, uint64_t at, uint64_t variant,
                     uint64_t before);

/* clock.c */
void sweep_clock(struct sweep *sweep);

#endif
