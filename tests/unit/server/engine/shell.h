/*
 * The smallest shell around the engine: a store in memory that applies a batch when it is committed
 * and forgets what was not when the coordinator is "killed". It checks what every shell relies on:
 * batch numbers in order, one counted update per device and round, sums that match their rows.
 */
#ifndef TESTS_ENGINE_SHELL_H
#define TESTS_ENGINE_SHELL_H

#include "server/engine/engine.h"

#include <stdbool.h>
#include <stddef.h>

#define SHELL_RUNS 16
#define SHELL_ROUNDS 4096
#define SHELL_LEASES 16384
#define SHELL_UPDATES 16384
#define SHELL_DEVICES 256
#define SHELL_PENDING 4096

struct shell_run {
    struct engine_spec spec;
    struct engine_progress progress;
};

struct shell_lease {
    struct engine_lease lease;
    uint64_t deadline_ms; /* wall clock */
};

struct shell_update {
    struct engine_action_update row;
};

struct shell_round {
    struct engine_action_round row;
    uint64_t started_ms; /* wall clock */
};

struct shell_device {
    uint32_t device;
    bool revoked;
    uint32_t strikes;
    uint64_t quarantine_until_ms; /* wall clock */
};

struct shell_pending {
    uint64_t batch;
    uint64_t wall_ms;
    struct engine_action action;
};

struct shell {
    struct engine_config config;
    void *memory;
    struct engine *engine;
    uint64_t now_ms;
    int64_t wall_offset_ms; /* wall clock - now_ms */
    uint64_t tag;           /* of the last event */
    uint64_t batch;         /* newest named by the engine */
    uint64_t committed;
    uint32_t restarts;

    struct shell_run runs[SHELL_RUNS];
    uint32_t run_count;
    struct shell_round rounds[SHELL_ROUNDS];
    uint32_t round_count;
    struct shell_lease leases[SHELL_LEASES];
    uint32_t lease_count;
    struct shell_update updates[SHELL_UPDATES];
    uint32_t update_count;
    struct shell_device devices[SHELL_DEVICES];
    uint32_t device_count;
    struct shell_pending pending[SHELL_PENDING];
    uint32_t pending_count;
};

/* A fresh engine over an empty store. The caller frees both with shell_deinit(). */
void shell_init(struct shell *shell, const struct engine_config *config);
void shell_deinit(struct shell *shell);

/* One step with invariants checked and store actions queued. event->now_ms is set here. */
int shell_step(struct shell *shell, struct engine_event *event, struct engine_actions *actions);

/* Applies every batch up to this one. The caller then tells the engine with COMMITTED. */
void shell_apply(struct shell *shell, uint64_t batch);

/* kill -9: uncommitted batches are gone, a new engine is fed with the rows. RESTORED is the last
 * event; its actions are in `actions`. */
void shell_restart(struct shell *shell, struct engine_actions *actions);

/* A run that the command line has created; the caller then sends the RUN event. */
void shell_add_run(struct shell *shell, const struct engine_spec *spec);

/* The whole store as text. */
void shell_dump(const struct shell *shell, char *text, size_t bytes);

const struct engine_receipt *shell_receipt(const struct shell *shell,
                                           const uint8_t key[PROTO_KEY_BYTES]);

#endif
