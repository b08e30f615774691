/*
 * Devices and their coordinator through three rounds. Devices live on while the coordinator dies: they
 * keep their leases and repeat what was not answered, as the real client does, and remember every receipt
 * they were given. What they train follows from the lease and the base version alone, so every history
 * has to end with the same model.
 */
#ifndef TESTS_FAULT_COORDINATOR_FLEET_H
#define TESTS_FAULT_COORDINATOR_FLEET_H

#include "coordinator.h"

#define FLEET_ROUNDS 3u
#define FLEET_GOAL 3u
#define FLEET_DEVICES 4u
#define FLEET_PARAMS 64u
#define FLEET_PARAMS_DELTA 200u /* so many that a delta is shorter than a key frame */
#define FLEET_PARAMS_MAX FLEET_PARAMS_DELTA
#define FLEET_BODY_MAX 1024u
#define FLEET_LEASE_MS 40000u
#define FLEET_HARD_MS 120000u
#define FLEET_GRACE_MS 30000u /* the engine's default */
#define FLEET_WALL_MS 1795000000000u
#define FLEET_PASSES_MAX 2000u

enum fleet_conduct {
    FLEET_HONEST,
    FLEET_POISONOUS, /* its updates are NaN */
    FLEET_VANISHED,  /* takes a lease and is never heard of again */
};

struct fleet_sent {
    bool sent;
    bool acknowledged;
    uint8_t key[PROTO_KEY_BYTES];
    uint8_t body[FLEET_BODY_MAX];
    size_t body_bytes;
    uint8_t receipt[PROTO_MESSAGE_BYTES_MAX];
    size_t receipt_bytes;
};

struct fleet_model {
    float values[FLEET_PARAMS_MAX];
    uint8_t sha256[PROTO_SHA256_BYTES];
};

struct fleet_device {
    enum fleet_conduct conduct;
    bool has_lease;
    bool fetched; /* the lease's model: */
    struct fleet_model model;
    struct engine_lease lease;
    struct fleet_sent sent[FLEET_ROUNDS + 1]; /* by round of the lease */
};

/* What the answer to the present event was. */
struct fleet_answer {
    bool given;
    struct engine_action action;
};

struct fleet {
    struct coordinator coordinator;
    enum downlink downlink;
    uint32_t params;
    struct fleet_device devices[FLEET_DEVICES + 1];
    struct fleet_answer answer;
    uint32_t asking; /* device and round of the present update */
    uint32_t asking_round;
    uint32_t tag;
    unsigned passes;
    uint64_t elapsed_ms; /* true time, whatever the clocks say */
    /* Findings. */
    unsigned lost;
    unsigned doubled;
    unsigned wrong;
    uint64_t replays;
    uint64_t patches; /* downloads that were one */
};

void fleet_init(struct fleet *fleet, const char *folder, const char *vfs, enum downlink downlink);

/* Makes the store: run, version 0, four devices. Not part of what is swept. */
int fleet_prepare(const struct fleet *fleet, uint32_t over_permille);

/* Time goes on. */
void fleet_wait(struct fleet *fleet, uint64_t ms);

/* Every device does what it would do next, then the coordinator does its work. 1: there is more to do;
 * 0: the run is finished; an error: the coordinator has to be started anew. */
int fleet_pass(struct fleet *fleet);

/* Passes until the run is finished, from a coordinator that serves. 0, or the first error; STATE when it
 * does not end. */
int fleet_run(struct fleet *fleet);

/* Asks whether a body with this key may come; the answer is in fleet->answer. */
int fleet_query(struct fleet *fleet, uint32_t id, const uint8_t key[PROTO_KEY_BYTES], size_t bytes);

/* Downloads the model of the device's lease. */
int fleet_download(struct fleet *fleet, uint32_t id);

/* Adds update frames that stand one after the other. False: they are not whole frames of that size. */
bool fleet_add_frames(const uint8_t *frames, size_t bytes, uint32_t params, float *sum);

/* Sends every update that was ever acknowledged once more: whether its key is known, and then its body.
 * Each has to get its first receipt, to the byte. */
int fleet_replay(struct fleet *fleet);

/* Sends every acknowledged key with another body, and as another device: both have to be refused. */
int fleet_forge(struct fleet *fleet);

/* Compares the store with what devices were told; at the end also with what has to have come out. The
 * store must be open. */
int fleet_check(struct fleet *fleet, bool finished);

/* Name of the newest version's content. */
int fleet_model(struct fleet *fleet, uint8_t sha256[PROTO_SHA256_BYTES]);

/* Counts one, and says which. */
void fleet_complain(struct fleet *fleet, const char *what, uint32_t device, uint32_t round);

#endif
