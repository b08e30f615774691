/*
 * Runs and their rounds: what is to be trained, and how far it has come. Owns the tables runs and
 * rounds. States are those of the engine, in the numbers that stay on disk.
 */
#ifndef SERVER_STORE_STORE_RUN_H
#define SERVER_STORE_STORE_RUN_H

#include "server/store/store_device.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

#define STORE_NAME_BYTES 49 /* run and tag names with their NUL: [a-z0-9._-], starts with a-z0-9 */
#define STORE_MODEL_BYTES 257    /* model description with its NUL, as Lease.model */
#define STORE_STRATEGY_BYTES 129 /* e.g. "fedavg lr=1" */
#define STORE_REASON_BYTES 97    /* why a run or round ended, for a person */

enum store_run_state {
    STORE_RUN_ACTIVE = 1,
    STORE_RUN_PAUSED = 2,
    STORE_RUN_FINISHED = 3, /* all rounds done, or the target reached */
    STORE_RUN_STOPPED = 4,  /* by an operator */
};

/* Everything that was decided when the run was created; it never changes afterwards. */
struct store_run_config {
    char name[STORE_NAME_BYTES];
    char model[STORE_MODEL_BYTES];
    char strategy[STORE_STRATEGY_BYTES];
    char device_class[STORE_CLASS_BYTES]; /* "": any device */
    uint32_t params;                      /* of the model */
    uint64_t seed;
    uint32_t rounds;        /* how many to commit, 0: until stopped */
    uint32_t goal;          /* updates that end a round */
    uint32_t minimum;       /* updates that a round needs at its deadline, ≤ goal */
    uint64_t deadline_ms;   /* length of a round */
    float over_selection;   /* leases per goal, ≥ 1 */
    uint32_t staleness_max; /* 0: synchronous */
    uint32_t samples_min;   /* a device with fewer is not selected */
    uint32_t codec;         /* of mycel.proto */
    float clip_norm;        /* 0: off */
    float target_accuracy;  /* 0: none; reached: the run is finished */
    uint32_t epochs;
    uint32_t batch;
    uint32_t steps_max; /* 0: no limit */
    float learning_rate;
    float momentum;
    float prox_mu;
};

struct store_run {
    uint32_t id; /* 1…; never used again */
    enum store_run_state state;
    struct store_run_config config;
    uint64_t created_ms;
    uint64_t ended_ms; /* 0: not yet */
    char reason[STORE_REASON_BYTES];
    bool has_version;
    uint32_t version; /* newest (read only) */
    uint32_t round;   /* newest, 0: none yet (read only) */
};

/* Names in ALGORITHMS "The one round engine"; IDLE is never stored. */
enum store_round_state {
    STORE_ROUND_SELECT = 1,
    STORE_ROUND_REPORT = 2,
    STORE_ROUND_UNMASK = 3,
    STORE_ROUND_AGGREGATE = 4,
    STORE_ROUND_COMMITTED = 5,
    STORE_ROUND_ABANDONED = 6,
};

struct store_round {
    uint32_t run;
    uint32_t round; /* 1… */
    enum store_round_state state;
    uint32_t base_version;
    uint32_t goal;
    uint32_t minimum;
    uint64_t opened_ms;
    uint64_t deadline_ms; /* wall clock */
    uint64_t closed_ms;   /* 0: open */
    bool has_version;
    uint32_t version;  /* that it produced */
    int32_t reason;    /* 0, or why it was abandoned */
    uint32_t leased;   /* leases issued (read only) */
    uint32_t accepted; /* updates counted in it (read only) */
    uint32_t rejected; /* updates refused in it (read only) */
};

/* 0 or INVALID: a run's or tag's name. */
int store_name_check(const char *name);

/*
 * Adds a run in state ACTIVE and an audit entry; its first version is added separately, in the same
 * transaction. *id is set on success.
 *   INVALID  a name, a text or a number breaks the rules above; store_problem() says which
 *   EXISTS   the name is taken
 */
int store_run_create(struct store *store, const struct store_run_config *config, uint64_t now_ms,
                     uint32_t *id);

/* Changes the state (with an audit entry by `actor`); reason may be "". NOT_FOUND; STATE for a change
 * out of FINISHED or STOPPED. */
int store_run_set_state(struct store *store, uint32_t run, enum store_run_state state,
                        const char *reason, const char *actor, uint64_t now_ms);

/* NOT_FOUND. */
int store_run_get(struct store *store, uint32_t run, struct store_run *out);
int store_run_find(struct store *store, const char *name, struct store_run *out);

/* Every run by id; a result of `each` other than 0 ends the list and is returned. */
int store_runs(struct store *store, int (*each)(void *user, const struct store_run *run),
               void *user);

/* Adds or changes a round (the row of run and round becomes what is given). The run must exist
 * (INVALID). A round that is COMMITTED or ABANDONED stays so (STATE). */
int store_round_put(struct store *store, const struct store_round *round);

/* NOT_FOUND. */
int store_round_get(struct store *store, uint32_t run, uint32_t round, struct store_round *out);

/* Rounds of a run by number; open_only: without COMMITTED and ABANDONED ones. */
int store_rounds(struct store *store, uint32_t run, bool open_only,
                 int (*each)(void *user, const struct store_round *round), void *user);

/* The names as scripts see them, e.g. "active", "committed"; "unknown" otherwise. Static storage. */
const char *store_run_state_name(enum store_run_state state);
const char *store_round_state_name(enum store_round_state state);

#endif
